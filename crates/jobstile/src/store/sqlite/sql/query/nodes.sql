-- Those that have not left, and the newest of the others.
select id, name, kind, host, pid, user, program, dir, workers, boot_id, lock_uid, busy, started_at, seen_at, ended_at, end_reason,
       reloaded_at, refused, changes
from node order by ended_at is not null, started_at desc, id limit ?1
