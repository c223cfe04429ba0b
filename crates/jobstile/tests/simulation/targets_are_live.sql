select id, state from run
where target = 1 and (state not in ('queued', 'running', 'retrying') or keyed = 0)
