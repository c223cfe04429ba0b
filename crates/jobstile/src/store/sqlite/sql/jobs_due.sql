select name from job indexed by job_next where next_at <= ?1 and next_at is not null order by next_at, name
