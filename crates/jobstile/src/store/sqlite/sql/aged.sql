select aged_to, aged_at from store where id = 1
