-- A free slot has somebody who can take it: a ready run.
select 'a run of job ' || name || ' waits for a slot while ' || free || ' are free and ' || ready || ' runs are ready'
from (select job.name,
             (select count(*) from slot indexed by slot_free where slot.job = job.id and slot.run is null) as free,
             (select count(*) from run indexed by run_ready
              where run.job = job.id and run.state = 'queued' and run.waits_on is null) as ready
      from job
      where job.policy is not null and exists (select 1 from run indexed by run_waits where run.waits_on = 'limit:' || job.id))
where free > ready
limit 100
