update node set reloaded_at = ?2, refused = ?3, refused_at = case when ?3 is not null then ?2 end,
    changes = coalesce(?4, changes)
where id = ?1
