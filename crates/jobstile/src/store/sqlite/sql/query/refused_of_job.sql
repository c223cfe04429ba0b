select id, job_name, source, decision, code, by_run, trigger_id, nominal, key, by_whom, version, first_at, last_at, count
from refusal indexed by refusal_job
where job = ?1 and (last_at, id) < (?2, ?3) and last_at >= ?4
order by last_at desc, id desc limit ?5
