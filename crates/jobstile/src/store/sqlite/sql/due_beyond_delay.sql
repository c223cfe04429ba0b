select id from run indexed by run_due where state in ('scheduled', 'retrying') and delay is not null and due > ?1 + delay order by id
