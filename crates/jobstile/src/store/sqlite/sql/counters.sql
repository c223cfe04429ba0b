select next_run, next_refusal, next_fence, next_version from store where id = 1
