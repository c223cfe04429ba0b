select n, fence, node, claimed_at, ended_at, outcome, message, exit_code from attempt where run = ?1 order by n
