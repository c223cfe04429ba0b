-- The version whose switches are in force.
select id, owner, applied_at, applied_by, deduplication, aggressive, stacking_prevention, origins
from version where deduplication is not null order by id desc limit 1
