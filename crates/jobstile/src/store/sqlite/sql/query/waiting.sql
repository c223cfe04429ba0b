-- Queued runs of a job, the one due first before the others.
select run.id, run.job, run.state, run.key, run.keyed, run.target, run.lineage, run.priority, run.rank, run.admitted_at, run.first_due, run.due, run.args, run.source,
       run.trigger_id, run.nominal, run.by_whom, run.rerun_of, run.version, run.waits_on, run.claims, run.failures, run.lost, run.fence, run.node,
       run.claimed_at, run.cancel_at, run.cancel_by, run.ended_at, run.code, run.by_run, run.deduped, run.delay, job.name
from run indexed by run_place join job on job.id = run.job
where run.job = ?1 and run.place = 1 and run.state = 'queued'
order by run.first_due, run.id limit ?2
