select id from run indexed by run_waits where waits_on = ?1 order by rank, id limit 1
