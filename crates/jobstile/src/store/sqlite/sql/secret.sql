select secret from store where id = 1
