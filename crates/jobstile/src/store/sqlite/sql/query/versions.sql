select id, owner, applied_at, applied_by, deduplication, aggressive, stacking_prevention, origins
from version where id < ?1 order by id desc limit ?2
