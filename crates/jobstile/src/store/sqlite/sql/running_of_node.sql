select id from run indexed by run_node where node = ?1 order by fence
