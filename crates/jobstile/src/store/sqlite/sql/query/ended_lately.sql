-- Those that have ended, of the newest runs.
select run.id, run.job, run.state, run.key, run.keyed, run.target, run.lineage, run.priority, run.rank, run.admitted_at, run.first_due, run.due, run.args, run.source,
       run.trigger_id, run.nominal, run.by_whom, run.rerun_of, run.version, run.waits_on, run.claims, run.failures, run.lost, run.fence, run.node,
       run.claimed_at, run.cancel_at, run.cancel_by, run.ended_at, run.code, run.by_run, run.deduped, run.delay, job.name
from run join job on job.id = run.job
where run.id >= ?1 and run.ended_at is not null and job.id between ?2 and ?3
