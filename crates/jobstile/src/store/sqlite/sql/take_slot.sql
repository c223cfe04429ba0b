update slot set run = ?2, fence = ?3
where job = ?1 and n = (select n from slot indexed by slot_free where job = ?1 and run is null order by n limit 1)
