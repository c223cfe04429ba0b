select id from run indexed by run_place
where job = ?1 and place = 1 and state in ('queued', 'retrying') order by first_due, id limit 1
