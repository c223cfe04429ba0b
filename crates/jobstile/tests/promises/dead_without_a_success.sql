-- Dead runs that no later run of their job and key has made up for.
select count(*) from run dead
where state = 'dead' and not exists (select 1 from run later
    where later.job = dead.job and later.key = dead.key and later.id > dead.id
        and later.state = 'succeeded' and later.ended_at >= dead.ended_at)
