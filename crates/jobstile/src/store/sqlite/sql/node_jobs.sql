select job from node_job where node = ?1 order by job
