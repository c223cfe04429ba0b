-- A limit has its rows from 0 to max - 1; one above is held, until its attempt ends.
select job.name, slot.n, slot.run, job.policy
from slot join job on job.id = slot.job
where job.policy is not null
    and slot.n >= coalesce(json_extract(job.policy, '$.max_concurrent'), 0) and slot.run is null
union all
select job.name, count(slot.n), null, job.policy
from job left join slot on slot.job = job.id
where job.policy is not null
group by job.id
having count(slot.n) < coalesce(json_extract(job.policy, '$.max_concurrent'), 0)
