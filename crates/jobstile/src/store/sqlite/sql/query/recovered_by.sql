-- The first later run of the same job and key that succeeded.
select min(id) from run indexed by run_ended
where job = ?1 and state = 'succeeded' and ended_at is not null and ended_at >= ?2 and id > ?3 and key = ?4
