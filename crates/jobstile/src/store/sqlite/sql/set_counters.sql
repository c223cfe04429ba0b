update store set next_run = ?1, next_refusal = ?2, next_fence = ?3, next_version = ?4 where id = 1
