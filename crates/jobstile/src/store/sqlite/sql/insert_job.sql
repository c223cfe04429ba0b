insert into job (name, version, origins) values (?1, 0, '{}')
