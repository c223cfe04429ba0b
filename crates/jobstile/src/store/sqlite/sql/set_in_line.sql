update run set lineage = 1
where job = ?1 and keyed = 1 and lineage = 0 and fence >= 0
    and (state = 'succeeded' or state = 'scheduled' or state = 'queued' or state = 'running' or state = 'retrying')
