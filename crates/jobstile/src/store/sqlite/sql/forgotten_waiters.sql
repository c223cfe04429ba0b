-- Each limit that has waiters, by one seek a limit; then: a free slot, and no ready run that could take it.
with recursive waited (name) as (
    select min(waits_on) from run indexed by run_waits where waits_on is not null
    union all
    select (select min(run.waits_on) from run indexed by run_waits where run.waits_on > waited.name)
    from waited where waited.name is not null)
select cast(substr(name, 7) as integer) as job
from waited
where name is not null
    and exists (select 1 from slot indexed by slot_free where slot.job = cast(substr(name, 7) as integer) and run is null)
    and not exists (select 1 from run indexed by run_ready
        where run.job = cast(substr(name, 7) as integer) and state = 'queued' and waits_on is null)
