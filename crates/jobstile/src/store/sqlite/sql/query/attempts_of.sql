-- The ended attempts of these runs: a list of numbers in JSON.
select run, n, fence, node, claimed_at, ended_at, outcome, message, exit_code
from json_each(?1) wanted cross join attempt on attempt.run = wanted.value order by run, n
