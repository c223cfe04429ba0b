select name from job order by name
