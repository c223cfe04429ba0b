delete from run where id in (
    select id from run indexed by run_ended
    where job = ?1 and state = ?5 and ended_at is not null and ended_at < ?2 and (trigger_id is null or admitted_at < ?3)
        and (nominal is null or nominal < ?6 - 2 * coalesce((select json_extract(policy, '$.schedule.every_us') from job where id = ?1 and json_valid(policy)), 0))
    order by ended_at limit ?4)
