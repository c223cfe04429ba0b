-- What the nodes say that have not ended.
select node.id, node_job.job, reason from node cross join node_job on node_job.node = node.id
where ended_at is null order by node.id, node_job.job
