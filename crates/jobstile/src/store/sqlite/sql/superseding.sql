-- The newest run of the key that does the work of one of this age.
select id, first_due, state, claims > 0, cancel_at is not null from run indexed by run_lineage
where job = ?1 and key = ?2 and lineage = 1 and (first_due, id) > (?3, ?4)
    and (state = 'succeeded' or (place = 1 and cancel_at is null))
order by first_due desc, id desc limit 1
