select ended_at, id from run indexed by run_ended
where job = ?1 and state = 'succeeded' and ended_at is not null order by ended_at desc, id desc limit 1 offset ?2
