update node set seen_at = ?3, busy = ?2 where id = ?1
