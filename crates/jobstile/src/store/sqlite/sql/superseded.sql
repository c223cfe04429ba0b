select id from run indexed by run_lineage
where job = ?1 and key = ?2 and lineage = 1 and (first_due, id) < (?3, ?4)
    and (state = 'retrying' or (state = 'queued' and claims > 0))
order by id
