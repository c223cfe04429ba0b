select id, job, state, key, keyed, target, lineage, priority, rank, admitted_at, first_due, due, args, source, trigger_id, nominal,
       by_whom, rerun_of, version, waits_on, claims, failures, lost, fence, node, claimed_at, cancel_at, cancel_by, ended_at,
       code, by_run, deduped, delay
from run where id = ?1
