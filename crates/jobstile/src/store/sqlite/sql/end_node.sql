update node set ended_at = ?2, end_reason = ?3, busy = 0 where id = ?1 and ended_at is null
