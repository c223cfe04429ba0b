-- The run that makes a trigger of this key a duplicate.
select run.id, run.job, state, key, keyed, target, lineage, priority, rank, admitted_at, first_due, due, args, source, trigger_id, nominal,
       by_whom, rerun_of, run.version, waits_on, claims, failures, lost, fence, node, claimed_at, cancel_at, cancel_by, ended_at,
       code, by_run, deduped, delay, job.name
from run indexed by run_target join job on job.id = run.job
where run.job = ?1 and key = ?2 and target = 1
