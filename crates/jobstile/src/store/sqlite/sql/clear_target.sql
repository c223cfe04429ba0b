update run set target = 0 where id = ?1 and fence = ?2
