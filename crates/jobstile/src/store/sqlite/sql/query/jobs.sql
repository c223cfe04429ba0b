select id, name, policy, owner, version, origins, next_at, last_at, paused_at, paused_until, paused_by, paused_why,
       scheduled, queued, running, retrying
from job join tally on tally.job = job.id
order by name
