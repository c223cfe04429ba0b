update slot set run = null, fence = null where job = ?1 and n = ?4 and run = ?2 and fence = ?3
