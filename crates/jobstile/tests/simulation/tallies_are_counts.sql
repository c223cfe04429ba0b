select tally.job, tally.scheduled, tally.queued, tally.running, tally.retrying
from tally left join run on run.job = tally.job
group by tally.job
having tally.scheduled <> coalesce(sum(run.state = 'scheduled'), 0)
    or tally.queued <> coalesce(sum(run.state = 'queued'), 0)
    or tally.running <> coalesce(sum(run.state = 'running'), 0)
    or tally.retrying <> coalesce(sum(run.state = 'retrying'), 0)
