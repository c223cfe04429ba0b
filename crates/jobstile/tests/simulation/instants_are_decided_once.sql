select job, nominal, count(*) from decision
where nominal is not null and code <> 'missed' group by job, nominal having count(*) > 1
