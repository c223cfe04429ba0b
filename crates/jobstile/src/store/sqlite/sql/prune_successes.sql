-- Successes that are old or not among the newest of their job; never a trigger id inside its replay window, nor one
-- that an older live run of its key still gives way to.
delete from run where id in (
    select r.id from run r indexed by run_ended
    where r.job = ?1 and r.state = 'succeeded' and r.ended_at is not null
        and (r.ended_at, r.id) < (?2, ?5)
        and (r.trigger_id is null or r.admitted_at < ?3)
        and (r.nominal is null or r.nominal < ?6 - 2 * coalesce((select json_extract(policy, '$.schedule.every_us') from job where id = ?1 and json_valid(policy)), 0))
        and (r.lineage = 0 or not exists (
            select 1 from run o indexed by run_lineage
            where o.job = r.job and o.key = r.key and o.lineage = 1 and o.place = 1 and (o.first_due, o.id) < (r.first_due, r.id)))
    order by r.ended_at, r.id limit ?4)
