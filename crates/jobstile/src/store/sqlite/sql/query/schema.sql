select type || ' ' || name from sqlite_schema where name not like 'sqlite_%'
