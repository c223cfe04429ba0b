-- The triggers that each of these runs turned away: a list of numbers in JSON.
select by_run, sum(count), min(first_at), max(last_at)
from json_each(?1) wanted cross join refusal indexed by refusal_by on by_run = wanted.value and by_run > 0
group by by_run
