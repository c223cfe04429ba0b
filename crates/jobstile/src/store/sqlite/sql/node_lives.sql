select exists (select 1 from node where id = ?1 and ended_at is null)
