select 'run ' || id || ' is ' || state || ' with code ' || coalesce(code, 'none') || ' by ' || coalesce(by_run, 'nobody')
from run
where case state
    when 'dead' then coalesce(code, '') not in ('attempts_used_up', 'crash_budget')
    when 'cancelled' then coalesce(code, '') not in ('cancelled_by_hand', 'superseded', 'preempted')
        or (code = 'superseded' and by_run is null)
    when 'refused' then coalesce(code, '') not in ('concurrent_execution_detected', 'duplicate_waiting', 'duplicate_running',
            'duplicate_recent', 'concurrency_limit', 'queue_full')
        or (code in ('concurrent_execution_detected', 'duplicate_waiting', 'duplicate_running') and by_run is null)
    when 'expired' then coalesce(code, '') <> 'expired'
    when 'succeeded' then code is not null
    else false end
limit 100
