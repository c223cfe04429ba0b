select max(n) from slot where job = ?1
