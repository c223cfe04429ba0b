insert into node (id, name, kind, host, pid, user, program, dir, workers, busy, started_at, seen_at, boot_id, lock_uid)
values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0, ?10, ?10, ?11, ?12)
on conflict (id) do update set ended_at = null, end_reason = null, seen_at = excluded.seen_at
