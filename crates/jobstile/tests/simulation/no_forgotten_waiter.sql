-- No run waits for a limit with a free slot, unless a run of its job is ready for it.
select run.id, run.waits_on from run
where run.state = 'queued' and run.waits_on is not null
    and (run.waits_on <> 'limit:' || run.job
        or exists (select 1 from slot where slot.job = run.job and slot.run is null)
            and not exists (select 1 from run ready
                where ready.job = run.job and ready.state = 'queued' and ready.waits_on is null))
