select deduplication, aggressive, stacking_prevention from version
where deduplication is not null order by id desc limit 1
