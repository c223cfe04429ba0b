update job set paused_at = ?2, paused_until = ?3, paused_by = ?4, paused_why = ?5 where id = ?1
