select job.name, n, run, fence from slot join job on job.id = slot.job where slot.job = ?1 order by n
