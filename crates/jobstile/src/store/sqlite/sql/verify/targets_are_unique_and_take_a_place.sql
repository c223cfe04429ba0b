select 'run ' || min(run.id) || ' of job ' || job.name || ' is a target '
    || case when count(*) > 1 then 'beside ' || (count(*) - 1) || ' others of its key' else 'and is ' || min(run.state) end
from run join job on job.id = run.job
where run.target = 1
group by run.job, run.key
having count(*) > 1 or min(run.state in ('queued', 'retrying', 'running')) = 0
limit 100
