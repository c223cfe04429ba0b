select min(at) from (
    select min(next_at) as at from job indexed by job_next where next_at > ?1 and next_at is not null
    union all
    select min(paused_until) from job indexed by job_paused where paused_until > ?1 and paused_until is not null)
