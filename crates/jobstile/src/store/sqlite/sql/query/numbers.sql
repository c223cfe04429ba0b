select hour, numbers from stat where job = ?1 and hour >= ?2 order by hour
