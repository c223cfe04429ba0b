select id from run indexed by run_asked where node = ?1 and cancel_at is not null and node is not null order by id
