-- Of each job the run that ended last in each terminal state.
select run.id, run.job, run.state, run.key, run.keyed, run.target, run.lineage, run.priority, run.rank, run.admitted_at, run.first_due, run.due, run.args, run.source,
       run.trigger_id, run.nominal, run.by_whom, run.rerun_of, run.version, run.waits_on, run.claims, run.failures, run.lost, run.fence, run.node,
       run.claimed_at, run.cancel_at, run.cancel_by, run.ended_at, run.code, run.by_run, run.deduped, run.delay, job.name
from job cross join (values ('succeeded'), ('dead'), ('cancelled'), ('refused'), ('expired')) ended cross join run
where job.id between ?1 and ?2 and run.id = (
    select last.id from run last indexed by run_ended
    where last.job = job.id and last.state = ended.column1 and last.ended_at is not null
    order by last.ended_at desc, last.id desc limit 1)
