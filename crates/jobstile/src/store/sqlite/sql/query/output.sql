select head, tail, dropped from output where run = ?1 and n = ?2
