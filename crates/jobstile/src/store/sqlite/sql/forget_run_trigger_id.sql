-- A trigger id that is older than its window; no state changes, so any fence will do.
update run set trigger_id = null where job = ?1 and trigger_id = ?2 and fence >= 0
