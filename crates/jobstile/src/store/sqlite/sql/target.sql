select id, state, claims > 0, priority from run indexed by run_target where job = ?1 and key = ?2 and target = 1
