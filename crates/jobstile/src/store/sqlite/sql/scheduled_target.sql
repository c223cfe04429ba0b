select id, state, claims > 0, priority from run indexed by run_later
where job = ?1 and key = ?2 and due = ?3 and place = 0 and ended_at is null and deduped = 1 limit 1
