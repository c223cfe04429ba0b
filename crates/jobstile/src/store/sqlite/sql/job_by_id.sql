select id, name, policy, owner, version, origins, next_at, last_at, paused_at, paused_until from job where id = ?1
