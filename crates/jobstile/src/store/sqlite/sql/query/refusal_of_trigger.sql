select id, job_name, source, decision, code, by_run, trigger_id, nominal, key, by_whom, version, first_at, last_at, count
from refusal indexed by refusal_trigger
where job = ?1 and trigger_id = ?2
