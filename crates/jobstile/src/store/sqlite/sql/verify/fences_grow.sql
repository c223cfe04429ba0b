select 'attempt ' || a.n || ' of run ' || a.run || ' has fence ' || a.fence || ', and the one before it ' || b.fence
from attempt a join attempt b on b.run = a.run and b.n = a.n - 1
where b.fence >= a.fence
union all
select 'run ' || run.id || ' has fence ' || run.fence || ', and an attempt of it has ' || a.fence
from run join attempt a on a.run = run.id
where a.fence > run.fence or (run.state = 'running' and a.fence >= run.fence)
limit 100
