select run.id, run.job, state, key, keyed, target, lineage, priority, rank, admitted_at, first_due, due, args, source, trigger_id, nominal,
       by_whom, rerun_of, run.version, waits_on, claims, failures, lost, fence, node, claimed_at, cancel_at, cancel_by, ended_at,
       code, by_run, deduped, delay, job.name
from run indexed by run_ended join job on job.id = run.job
where run.job = ?1 and state = ?2 and ended_at is not null and (ended_at, run.id) < (?3, ?4) and ended_at >= ?5
order by ended_at desc, run.id desc limit ?6
