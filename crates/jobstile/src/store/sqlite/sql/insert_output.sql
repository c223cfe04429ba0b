insert into output (run, n, head, tail, dropped) values (?1, ?2, ?3, ?4, ?5)
