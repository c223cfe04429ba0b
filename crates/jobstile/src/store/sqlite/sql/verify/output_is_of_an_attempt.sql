select 'there is output of attempt ' || output.n || ' of run ' || output.run || ', which is not there'
from output left join attempt on attempt.run = output.run and attempt.n = output.n
where attempt.n is null
limit 100
