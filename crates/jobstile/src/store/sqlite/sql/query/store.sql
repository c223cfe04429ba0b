select created_at, next_run, next_refusal, next_version - 1 from store where id = 1
