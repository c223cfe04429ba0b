select id from run indexed by run_running where job = ?1 and node is not null order by first_due, id limit 1
