-- A running run comes into a terminal state: its place in line and in time stay as they were.
update run set state = ?3, target = 0, lineage = ?4, place = 0, failures = ?5, lost = ?6, node = null, ended_at = ?7,
    code = ?8, by_run = ?9
where id = ?1 and fence = ?2
