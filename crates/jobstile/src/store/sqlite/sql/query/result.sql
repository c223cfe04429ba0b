select json from result where run = ?1
