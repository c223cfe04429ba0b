-- Each claim has an attempt, but for the one that still runs; each attempt ended with one outcome.
select run.id, run.state, run.claims, count(attempt.n)
from run left join attempt on attempt.run = run.id
group by run.id
having count(attempt.n) <> run.claims - (run.state = 'running')
    or coalesce(sum(attempt.outcome in ('failure', 'timeout')), 0) <> run.failures
    or coalesce(sum(attempt.outcome = 'lost'), 0) <> run.lost
    or run.lost > 3
