select n from slot indexed by slot_held where run = ?2 and job = ?1 and fence = ?3 and run is not null
