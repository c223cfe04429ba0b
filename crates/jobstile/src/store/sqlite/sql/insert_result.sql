insert into result (run, json) values (?1, ?2)
