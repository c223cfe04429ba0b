update refusal set trigger_id = null where job = ?1 and trigger_id = ?2
