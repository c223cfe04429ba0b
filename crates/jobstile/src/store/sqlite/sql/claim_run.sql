update run set state = 'running', waits_on = null, claims = ?3, fence = ?4, node = ?5, claimed_at = ?6
where id = ?1 and fence = ?2
