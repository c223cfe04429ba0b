update job set next_at = ?2, last_at = ?3 where id = ?1
