select job.id, hour, numbers from job cross join stat on stat.job = job.id and hour >= ?3
where job.id between ?1 and ?2 order by job.id, hour
