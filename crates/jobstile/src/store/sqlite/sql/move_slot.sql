update slot set n = ?3 where job = ?1 and n = ?2
