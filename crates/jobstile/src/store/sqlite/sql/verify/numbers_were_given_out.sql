select 'run ' || run.id || ' (fence ' || run.fence || ', version ' || run.version || ') has a number that was never given out'
from run join store on store.id = 1
where run.id >= store.next_run or run.fence >= store.next_fence or run.version >= store.next_version
union all
select 'decision ' || refusal.id || ' has a number that was never given out'
from refusal join store on store.id = 1
where refusal.id >= store.next_refusal or refusal.by_run >= store.next_run or refusal.version >= store.next_version
limit 100
