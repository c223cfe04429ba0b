select job.name, trigger_id from run join job on job.id = run.job where trigger_id is not null
union all
select job.name, trigger_id from refusal join job on job.id = refusal.job where trigger_id is not null
