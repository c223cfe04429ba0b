select 'trigger ' || run.trigger_id || ' of job ' || job.name || ' became run ' || run.id || ' and decision ' || refusal.id
from refusal join run on run.job = refusal.job and run.trigger_id = refusal.trigger_id join job on job.id = run.job
where refusal.trigger_id is not null
limit 100
