delete from refusal where id in (
    select id from refusal indexed by refusal_last where last_at < ?1 and (trigger_id is null or last_at < ?2)
    order by last_at limit ?3)
