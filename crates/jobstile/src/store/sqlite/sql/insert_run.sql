-- A run enters: nobody has claimed it yet.
insert into run (id, job, state, key, keyed, deduped, target, lineage, place, priority, rank, admitted_at, first_due, due,
    args, source, trigger_id, nominal, by_whom, rerun_of, version, waits_on, claims, failures, lost, fence, delay)
values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?3 = 'queued', ?9, ?10, ?11, ?12, ?13,
    ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, 0, 0, 0, 0, ?22)
