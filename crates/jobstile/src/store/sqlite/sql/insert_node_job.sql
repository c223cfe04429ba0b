insert into node_job (node, job, reason) values (?1, ?2, ?3)
