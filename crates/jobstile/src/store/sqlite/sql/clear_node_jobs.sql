delete from node_job where node = ?1
