select admitted_at, args, 'admitted', 'within_limits', id, 0 from run indexed by run_trigger
where job = ?1 and trigger_id = ?2
union all
select first_at, args, decision, code, null, by_run from refusal indexed by refusal_trigger
where job = ?1 and trigger_id = ?2
limit 1
