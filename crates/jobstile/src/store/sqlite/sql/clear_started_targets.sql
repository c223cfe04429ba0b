update run set target = 0 where job = ?1 and target = 1 and claims > 0 and fence > 0
