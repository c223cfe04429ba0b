select numbers from stat where job = ?1 and hour = ?2
