-- What falls due by its own time: triggers for later, and retries.
select run.id, run.job, state, key, keyed, target, lineage, priority, rank, admitted_at, first_due, due, args, source, trigger_id, nominal,
       by_whom, rerun_of, run.version, waits_on, claims, failures, lost, fence, node, claimed_at, cancel_at, cancel_by, ended_at,
       code, by_run, deduped, delay, job.name
from run indexed by run_due join job on job.id = run.job
where state in ('scheduled', 'retrying')
order by due, run.id limit ?1
