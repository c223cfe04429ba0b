update slot indexed by slot_held set run = null, fence = null
where run = ?2 and job = ?1 and fence = ?3 and run is not null returning n
