update run set due = ?3, first_due = ?4, rank = ?5 where id = ?1 and fence = ?2
