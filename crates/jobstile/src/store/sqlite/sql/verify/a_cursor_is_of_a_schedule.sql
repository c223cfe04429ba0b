select 'job ' || name || case
    when policy is null or json_extract(policy, '$.schedule') is null then ' has a next instant and no schedule'
    when not json_extract(policy, '$.enabled') then ' has a next instant, and its schedule is off'
    else ' has a next instant that is not after the last one' end
from job
where next_at is not null and (policy is null or json_valid(policy))
    and (policy is null or json_extract(policy, '$.schedule') is null or not json_extract(policy, '$.enabled') or last_at >= next_at)
limit 100
