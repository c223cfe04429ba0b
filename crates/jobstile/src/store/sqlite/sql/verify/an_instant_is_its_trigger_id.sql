-- So no instant of a schedule is decided twice. Ids are forgotten after a while, and the instant stays.
select 'run ' || id || ' is of instant ' || nominal || ' and has trigger id ' || trigger_id
from run where nominal is not null and trigger_id is not null and trigger_id <> '@' || nominal
union all
select 'decision ' || id || ' is of instant ' || nominal || ' and has trigger id ' || coalesce(trigger_id, 'none')
from refusal where nominal is not null and code <> 'missed' and trigger_id is not null and trigger_id <> '@' || nominal
limit 100
