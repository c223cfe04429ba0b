-- A running run comes into a terminal state: its place in line and in time stay as they were.
update run set state = ?3, target = 0, place = 0, failures = ?4, lost = ?5, node = null, ended_at = ?6, code = ?7, by_run = ?8
where id = ?1 and fence = ?2
