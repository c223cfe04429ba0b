select name, next_at, last_at, paused_at is not null from job order by name
