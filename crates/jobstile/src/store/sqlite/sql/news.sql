-- The numbers of an admitted run are those before it was claimed: it counts as waiting.
select admitted_at, job.name, source, 'admitted', 'within_limits', run.id, 0, null, first_due > admitted_at,
    tally.queued + tally.retrying + (state not in ('scheduled', 'queued', 'retrying')), tally.running - (state = 'running'), by_whom
from run join job on job.id = run.job join tally on tally.job = run.job
where run.id >= ?1 and run.id < ?2
union all
select last_at, job_name, source, decision, code, null, by_run, nullif(count, 1), 0,
    coalesce(tally.queued + tally.retrying, 0), coalesce(tally.running, 0), by_whom
from refusal left join tally on tally.job = refusal.job
where refusal.id >= ?3 and refusal.id < ?4
