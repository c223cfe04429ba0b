select run.id, job.name, run.state, run.key, run.keyed, run.target, run.priority, run.admitted_at, run.first_due, run.due,
    case when run.state in ('scheduled', 'retrying') then '-' else run.rank end,
    run.args, run.claims, run.failures, run.lost, run.fence, run.node, run.cancel_at is not null and run.state = 'running',
    run.code, run.by_run, run.trigger_id
from run join job on job.id = run.job order by run.id
