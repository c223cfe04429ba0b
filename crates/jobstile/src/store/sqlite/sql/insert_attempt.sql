insert into attempt (run, n, fence, node, claimed_at, ended_at, outcome, message, exit_code)
values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
