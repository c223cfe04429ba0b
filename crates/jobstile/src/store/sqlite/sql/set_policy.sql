update job set policy = ?2, owner = ?3, version = ?4, origins = ?5, next_at = ?6, last_at = ?7 where id = ?1
