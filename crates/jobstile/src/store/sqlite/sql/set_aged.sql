update store set aged_to = ?1, aged_at = ?2 where id = 1
