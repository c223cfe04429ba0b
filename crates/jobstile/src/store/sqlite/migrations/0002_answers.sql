-- What the store itself knows. `secret` is random and never published: with it a process is known as one of this store's.
-- History is pruned by its own time, `aged_to`: a wall clock that leaps does not age it. `aged_at` is when that was set.
alter table store add column secret text not null default '';
update store set secret = lower(hex(randomblob(16)));
alter table store add column aged_to integer not null default 0;
alter table store add column aged_at integer not null default 0;
update store set aged_at = max(created_at, coalesce((select max(admitted_at) from run), created_at));
update store set aged_to = aged_at;

-- The boot of the machine that a node was started in, and the user who owns its lock file.
alter table node add column boot_id text;
alter table node add column lock_uid integer;
-- The last configuration that it refused, and when; null after one that it took.
alter table node add column refused text;
alter table node add column refused_at integer check ((refused is null) = (refused_at is null));

-- When it last read its configuration again, whether it took it or not.
alter table node add column reloaded_at integer;
-- What the last one that it took changed: JSON.
alter table node add column changes text;

-- Why instants were missed; null for every other refusal, and where an older version did not write it down.
alter table refusal add column cause text check (cause is null or (code = 'missed' and (
    cause = 'nobody_there' or cause = 'store_full' or cause = 'store_locked' or cause = 'store_failed' or
    cause = 'clock_stopped')));
-- Refusals of one schedule by the same run share one row: `nominal` is the first of their instants, this the last.
alter table refusal add column last_nominal integer check (last_nominal is null or last_nominal >= nominal);

-- What a run gave back to those who wait for it: JSON.
create table result (
    run  integer primary key references run on delete cascade,
    json text not null check (length(cast(json as blob)) <= 65536)
) strict;

-- How far a running attempt says it is: `done` of `total`, and in words.
create table progress (
    run   integer primary key references run on delete cascade,
    done  integer not null check (done >= 0),
    total integer check (total >= 0),
    words text not null,
    at    integer not null
) strict;

-- A retry and a run for `in` are never due later than this from now, in microseconds; null: due at an instant.
alter table run add column delay integer check (delay >= 0);
-- Nobody ever wrote it.
alter table attempt drop column started_at;

-- Skips and rejections never share a row, also if the policy changes between the two within a minute.
drop index refusal_shared;
create unique index refusal_shared on refusal (job, key, code, by_run, minute, source, decision)
    where minute is not null;
