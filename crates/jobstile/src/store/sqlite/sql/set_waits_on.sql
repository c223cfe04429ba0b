update run set waits_on = ?3 where id = ?1 and fence = ?2 and state = 'queued'
