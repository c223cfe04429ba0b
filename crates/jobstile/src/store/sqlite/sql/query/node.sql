select id, name, kind, host, pid, user, program, dir, workers, boot_id, lock_uid, busy, started_at, seen_at, ended_at, end_reason,
       reloaded_at, refused, changes
from node where id = ?1
