-- Dead runs, the latest first, each with the first later run of its job and key that succeeded.
select run.id, run.job, run.state, run.key, run.keyed, run.target, run.lineage, run.priority, run.rank, run.admitted_at, run.first_due, run.due, run.args, run.source,
       run.trigger_id, run.nominal, run.by_whom, run.rerun_of, run.version, run.waits_on, run.claims, run.failures, run.lost, run.fence, run.node,
       run.claimed_at, run.cancel_at, run.cancel_by, run.ended_at, run.code, run.by_run, run.deduped, run.delay, job.name,
       (select later.id from run later indexed by run_ended
        where later.job = run.job and later.state = 'succeeded' and later.ended_at is not null
          and later.ended_at >= run.ended_at and later.id > run.id and later.key = run.key
        order by later.ended_at, later.id limit 1)
from job cross join run indexed by run_ended
where job.id between ?1 and ?2 and run.job = job.id and run.state = 'dead' and run.ended_at is not null
order by run.ended_at desc, run.id desc limit ?3
