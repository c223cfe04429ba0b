insert into run (id, job, state, key, keyed, target, lineage, priority, rank, admitted_at, first_due, due, args, source, trigger_id, nominal,
       by_whom, rerun_of, version, waits_on, claims, failures, lost, fence, node, claimed_at, cancel_at, cancel_by, ended_at,
       code, by_run, deduped, place)
values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32,
        ?3 = 'queued' or ?3 = 'retrying' or ?3 = 'running')
