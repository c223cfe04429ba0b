select 'slot ' || slot.n || ' of job ' || job.name || ' is held by run ' || slot.run || ' with fence ' || slot.fence || ', which '
    || case when run.id is null then 'is not there' when run.job <> slot.job then 'is of another job'
            when run.state <> 'running' then 'is ' || run.state else 'runs with fence ' || run.fence end
from slot join job on job.id = slot.job left join run on run.id = slot.run
where slot.run is not null
    and (run.id is null or run.job <> slot.job or run.state <> 'running' or run.fence <> slot.fence)
limit 100
