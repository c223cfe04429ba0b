delete from slot where job = ?1 and n = ?2 and run is null
