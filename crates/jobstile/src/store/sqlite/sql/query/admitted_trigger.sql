select run.id, job.name, source, trigger_id, nominal, key, by_whom, run.version, admitted_at
from run indexed by run_trigger join job on job.id = run.job
where run.job = ?1 and trigger_id = ?2
