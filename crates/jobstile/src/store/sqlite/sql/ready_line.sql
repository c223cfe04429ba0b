select id, job, state, key, keyed, target, lineage, priority, rank, admitted_at, first_due, due, args, source, trigger_id, nominal,
       by_whom, rerun_of, version, waits_on, claims, failures, lost, fence, node, claimed_at, cancel_at, cancel_by, ended_at,
       code, by_run, deduped, delay
from run indexed by run_line where state = 'queued' and waits_on is null and (rank, id) > (?1, ?2) order by rank, id limit ?3
