select 'job ' || name from job where not exists (select 1 from tally where tally.job = job.id)
union all
select 'the row of numbers' where not exists (select 1 from store)
