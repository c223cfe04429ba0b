delete from refusal where id in (
    select id from refusal indexed by refusal_last where last_at < ?1 and (trigger_id is null or last_at < ?2)
        and (nominal is null or coalesce(last_nominal, nominal) < ?4 - 2 * coalesce(
            (select json_extract(policy, '$.schedule.every_us') from job where job.id = refusal.job and json_valid(policy)), 0))
    order by last_at limit ?3)
