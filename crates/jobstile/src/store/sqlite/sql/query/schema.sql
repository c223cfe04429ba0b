select type || ' ' || name from sqlite_schema where name not like 'sqlite_%'
union all
select 'column ' || t.name || '.' || c.name
from sqlite_schema as t, pragma_table_info(t.name) as c
where t.type = 'table' and t.name not like 'sqlite_%'
