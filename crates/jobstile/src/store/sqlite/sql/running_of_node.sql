select id from run indexed by run_running where node = ?1 and node is not null order by fence
