update tally set scheduled = ?2, queued = ?3, running = ?4, retrying = ?5 where job = ?1
