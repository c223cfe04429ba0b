-- A held slot is held by a running run of its job with that fence; a running run of a limited job holds one.
select slot.job, slot.n, slot.run, run.state
from slot left join run on run.id = slot.run
where slot.run is not null
    and (run.id is null or run.state <> 'running' or run.fence <> slot.fence or run.job <> slot.job)
union all
select run.job, null, run.id, run.state
from run join job on job.id = run.job
where run.state = 'running' and json_extract(job.policy, '$.max_concurrent') is not null
    and not exists (select 1 from slot where slot.run = run.id)
