select 'run ' || id || ' is ' || state || ' and ' || case
        when place <> (state in ('queued', 'retrying', 'running')) then 'its place says otherwise'
        when (ended_at is null) = (state in ('succeeded', 'dead', 'cancelled', 'refused', 'expired')) then 'its end says otherwise'
        when (node is null) = (state = 'running') then 'its node says otherwise'
        when state = 'running' and (fence = 0 or claims = 0 or claimed_at is null) then 'was never claimed'
        when state = 'retrying' and failures = 0 then 'never failed'
        when state = 'scheduled' then 'was claimed already'
        else 'was never claimed' end
from run
where place <> (state in ('queued', 'retrying', 'running'))
    or (ended_at is null) = (state in ('succeeded', 'dead', 'cancelled', 'refused', 'expired'))
    or (node is null) = (state = 'running')
    or (state = 'running' and (fence = 0 or claims = 0 or claimed_at is null))
    or (state = 'retrying' and failures = 0)
    or (state = 'scheduled' and claims > 0)
    or (state in ('succeeded', 'dead') and claims = 0)
limit 100
