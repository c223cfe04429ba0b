insert into refusal (id, job, job_name, source, decision, code, key, by_run, minute, trigger_id, nominal, args,
    priority, by_whom, version, first_at, last_at, count)
values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?16, ?17)
on conflict (job, key, code, by_run, minute, source, decision) where minute is not null
do update set count = count + excluded.count, last_at = excluded.last_at
