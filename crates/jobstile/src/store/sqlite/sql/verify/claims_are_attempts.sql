select 'run ' || id || ' was claimed ' || claims || ' times and has ' || ended || ' ended attempts'
    || case when running then ' and a running one' else '' end
    || ', says ' || failures || ' failed and ' || lost || ' were lost, and of the attempts ' || had_failed || ' and ' || had_lost
from (select run.id, run.claims, run.failures, run.lost, run.state = 'running' as running, coalesce(a.ended, 0) as ended,
             coalesce(a.last, 0) as last, coalesce(a.failed, 0) as had_failed, coalesce(a.lost, 0) as had_lost
      from run left join (
          select run, count(*) as ended, max(n) as last, sum(outcome in ('failure', 'timeout')) as failed, sum(outcome = 'lost') as lost
          from attempt group by run) a on a.run = run.id)
where ended <> claims - running or last <> claims - running or had_failed <> failures or had_lost <> lost
limit 100
