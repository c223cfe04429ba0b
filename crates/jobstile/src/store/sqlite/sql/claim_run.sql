update run set state = 'running', target = ?3, waits_on = null, claims = ?4, fence = ?5, node = ?6, claimed_at = ?7
where id = ?1 and fence = ?2
