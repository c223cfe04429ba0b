select due, id from run indexed by run_due where state in ('scheduled', 'retrying') order by due, id limit 1
