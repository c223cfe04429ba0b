select exists (select 1 from slot indexed by slot_free where job = ?1 and run is null)
