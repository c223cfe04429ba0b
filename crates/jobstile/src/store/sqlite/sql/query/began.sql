-- Since when anything can have been written here: a clock that was set may have gone back since the file was made.
select min(created_at, coalesce((select applied_at from version order by id limit 1), created_at)) from store
