delete from node where ended_at is not null and ended_at < ?1
