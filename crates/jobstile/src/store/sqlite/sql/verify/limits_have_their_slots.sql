with limits (job, name, max) as (
    select id, name, coalesce(json_extract(policy, '$.max_concurrent'), 0) from job where json_valid(policy))
select 'the limit of job ' || name || ' is ' || max || ' and has ' || have || ' slots of its own, and ' || beyond || ' free ones beyond'
from (select limits.name, limits.max,
             (select count(*) from slot where slot.job = limits.job and slot.n < limits.max) as have,
             (select count(*) from slot where slot.job = limits.job and slot.n >= limits.max and slot.run is null) as beyond
      from limits)
where have <> max or beyond > 0
limit 100
