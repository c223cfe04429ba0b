select job, trigger_id, count(*) from decision
where trigger_id is not null and job is not null group by job, trigger_id having count(*) > 1
