-- Everything of a run that may change but its claim.
update run set state = ?3, target = ?4, lineage = ?5, place = (?3 = 'queued' or ?3 = 'retrying' or ?3 = 'running'), priority = ?6, rank = ?7,
    due = ?8, waits_on = ?9, failures = ?10, lost = ?11, node = ?12, cancel_at = ?13, cancel_by = ?14, ended_at = ?15,
    code = ?16, by_run = ?17, delay = ?18
where id = ?1 and fence = ?2
