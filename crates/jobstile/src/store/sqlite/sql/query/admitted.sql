-- Decisions that became runs, newest first.
select run.id, job.name, source, trigger_id, nominal, key, by_whom, run.version, admitted_at
from run indexed by run_job join job on job.id = run.job
where run.job = ?1 and (admitted_at, run.id) < (?2, ?3) and admitted_at >= ?4
order by admitted_at desc, run.id desc limit ?5
