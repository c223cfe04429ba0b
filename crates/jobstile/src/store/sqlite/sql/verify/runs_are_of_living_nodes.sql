-- A node's end settles its attempts in the same transaction.
select 'run ' || run.id || ' is running on node ' || run.node || case when node.id is null then ', which is not there' else ', which has ended' end
from run left join node on node.id = run.node
where run.node is not null and (node.id is null or node.ended_at is not null)
limit 100
