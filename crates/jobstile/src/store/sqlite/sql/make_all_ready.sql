-- A change of policy looks at every waiting run of the limit again, whatever its fence.
update run set waits_on = null where waits_on = ?1
