select n, run from slot where job = ?1 order by n
