select id from run indexed by run_place where job = ?1 and place = 1 order by first_due, id limit 1
