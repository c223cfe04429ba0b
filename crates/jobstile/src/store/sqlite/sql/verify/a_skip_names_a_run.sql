select 'decision ' || id || ' of job ' || job_name || ' is a skip (' || code || ') and names no run'
from refusal
where decision = 'skipped' and by_run = 0
    and code in ('duplicate_waiting', 'duplicate_running', 'duplicate_recent', 'concurrency_limit', 'queue_full')
limit 100
