select 'run ' || run.id || ' of job ' || job.name || ' is running and holds no slot'
from run indexed by run_running join job on job.id = run.job
where run.node is not null and run.state = 'running' and json_valid(job.policy) and json_extract(job.policy, '$.max_concurrent') is not null
    and not exists (select 1 from slot where slot.run = run.id and slot.job = run.job)
limit 100
