with live (job, scheduled, queued, running, retrying) as (
    select job, sum(state = 'scheduled'), sum(state = 'queued'), sum(state = 'running'), sum(state = 'retrying')
    from (select job, state from run indexed by run_place where place = 1
          union all
          select job, state from run indexed by run_later where place = 0 and ended_at is null)
    group by job)
select 'job ' || job.name || ': the tally says ' || t.scheduled || ' scheduled, ' || t.queued || ' queued, ' || t.running
    || ' running, ' || t.retrying || ' retrying, and its runs are ' || coalesce(l.scheduled, 0) || ', ' || coalesce(l.queued, 0)
    || ', ' || coalesce(l.running, 0) || ', ' || coalesce(l.retrying, 0)
from job join tally t on t.job = job.id left join live l on l.job = job.id
where (t.scheduled, t.queued, t.running, t.retrying)
    is not (coalesce(l.scheduled, 0), coalesce(l.queued, 0), coalesce(l.running, 0), coalesce(l.retrying, 0))
limit 100
