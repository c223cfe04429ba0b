select id, job_name, source, decision, code, by_run, trigger_id, nominal, key, by_whom, version, first_at, last_at, count
from refusal indexed by refusal_last
where (last_at, id) < (?1, ?2) and last_at >= ?3
order by last_at desc, id desc limit ?4
