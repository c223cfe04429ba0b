insert into version (id, owner, applied_at, applied_by, deduplication, aggressive, stacking_prevention, origins)
values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
