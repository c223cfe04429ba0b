select id from run indexed by run_node where node = ?1 and cancel_at is not null order by id
