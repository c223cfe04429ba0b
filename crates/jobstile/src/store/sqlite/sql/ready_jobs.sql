-- Each job that has a ready run, by one seek a job.
with recursive ready (job) as (
    select min(job) from run indexed by run_ready where state = 'queued' and waits_on is null
    union all
    select (select min(run.job) from run indexed by run_ready
            where run.state = 'queued' and run.waits_on is null and run.job > ready.job)
    from ready where ready.job is not null)
select job from ready where job is not null
