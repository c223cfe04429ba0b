select 'run ' || run.id || ' of job ' || job.name || ' waits on `' || run.waits_on || '`, which is not the limit of its job'
from run join job on job.id = run.job
where run.waits_on is not null and (run.state <> 'queued' or run.waits_on <> 'limit:' || run.job)
limit 100
