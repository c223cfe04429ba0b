update run set lineage = 1
where job = ?1 and keyed = 1 and lineage = 0 and state in ('scheduled', 'queued', 'running', 'retrying') and fence >= 0
