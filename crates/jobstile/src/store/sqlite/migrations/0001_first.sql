-- Times are whole microseconds since 1970 UTC; durations whole microseconds. States, codes and other words are spelled
-- as everywhere else.

-- The numbers that only grow, and the schema's own state: one row.
create table store (
    id          integer primary key check (id = 1),
    next_run    integer not null check (next_run > 0),
    next_refusal integer not null check (next_refusal > 0),
    next_fence  integer not null check (next_fence > 0),
    next_version integer not null check (next_version > 0),
    created_at  integer not null
) strict;
insert into store values (1, 1, 1, 1, 1, unixepoch() * 1000000);

-- A version of the policy, as one owner applied it.
create table version (
    id                   integer primary key,
    owner                text not null,
    applied_at           integer not null,
    applied_by           text not null,
    -- The three switches; null where this owner says nothing about them.
    deduplication        integer check (deduplication in (0, 1)),
    aggressive           integer check (aggressive in (0, 1)),
    stacking_prevention  integer check (stacking_prevention in (0, 1)),
    -- Where each value came from: JSON.
    origins              text not null
) strict;

create table job (
    id           integer primary key,
    name         text not null unique,
    -- The policy in force: JSON, its owner and version; null for a job that was taken out of the policy.
    policy       text,
    owner        text,
    version      integer not null,
    origins      text not null,
    -- The schedule's cursor: the next instant (null: it does not fire) and the last one looked at.
    next_at      integer,
    last_at      integer,
    paused_at    integer,
    paused_until integer,
    paused_by    text,
    paused_why   text,
    check ((policy is null) = (owner is null)),
    check (paused_at is not null or (paused_until is null and paused_by is null and paused_why is null))
) strict;
create index job_next on job (next_at, name) where next_at is not null;
create index job_paused on job (paused_until) where paused_until is not null;

-- Runs of a job by state, changed in the transaction of the runs. Decides places, never slots.
create table tally (
    job       integer primary key references job,
    scheduled integer not null check (scheduled >= 0),
    queued    integer not null check (queued >= 0),
    running   integer not null check (running >= 0),
    retrying  integer not null check (retrying >= 0)
) strict;

-- Checks of three words and more are written with `or`: SQLite builds a table for every `in (…)` of more than two, and
-- that for every row that it writes. They look at numbers and nulls before they compare words. Indexes end with the
-- run's number by themselves.
create table run (
    id         integer primary key,
    job        integer not null references job,
    state      text not null check (
        state = 'queued' or state = 'running' or state = 'succeeded' or state = 'scheduled' or state = 'retrying' or
        state = 'dead' or state = 'cancelled' or state = 'refused' or state = 'expired'),
    -- What "the same" means for it, and whether a rule gave it that key.
    key        text not null,
    keyed      integer not null check (keyed in (0, 1)),
    -- The identity rule was in force when it was admitted: while scheduled, it is a target of triggers for the same time.
    deduped    integer not null check (deduped in (0, 1)),
    -- Duplicates meet it. Set when it becomes queued, never again after it was cleared.
    target     integer not null check (target in (0, 1)),
    -- Under a rule `until = "start"`: gives way to newer ones of its key, and they to it.
    lineage    integer not null check (lineage in (0, 1)),
    -- 1 while it takes a place: queued, retrying or running.
    place      integer not null check (place = (state = 'queued' or state = 'retrying' or state = 'running')),
    priority   text not null,
    -- Its place in line.
    rank       integer not null,
    admitted_at integer not null,
    first_due  integer not null,
    due        integer not null,
    args       text,
    source     text not null,
    trigger_id text,
    nominal    integer,
    -- Who asked for it: user and host, process, or the job itself.
    by_whom    text not null,
    rerun_of   integer,
    version    integer not null,
    -- What a queued run waits for; null: it is ready. `limit:<job>`: a slot of that job's limit.
    waits_on   text check (waits_on is null or state = 'queued'),
    claims     integer not null check (claims >= 0),
    failures   integer not null check (failures >= 0),
    lost       integer not null check (lost >= 0),
    fence      integer not null check (fence >= 0),
    node       text check ((node is not null) = (state = 'running')),
    claimed_at integer,
    cancel_at  integer,
    cancel_by  text,
    -- Null while it is live: while it takes a place or is due later.
    ended_at   integer check ((ended_at is null) = (place = 1 or state = 'scheduled')),
    code       text,
    by_run     integer,
    check (target = 0 or place = 1),
    check (node is null or (fence > 0 and claims > 0 and claimed_at is not null)),
    check (code is not null or ended_at is null or state = 'succeeded')
) strict;

create index run_ready on run (job, rank) where state = 'queued' and waits_on is null;
-- All ready runs in line, for the claim; the index above is for lines in which it may take almost nothing.
create index run_line on run (rank) where state = 'queued' and waits_on is null;
create index run_waits on run (waits_on, rank) where waits_on is not null;
create index run_due on run (due) where state in ('scheduled', 'retrying');
create unique index run_target on run (job, key) where target = 1;
create index run_place on run (job, first_due) where place = 1;
create index run_running on run (job, first_due) where node is not null;
create index run_asked on run (node) where cancel_at is not null and node is not null;
-- Live and without a place: scheduled. A claim changes neither.
create index run_later on run (job, key, due) where place = 0 and ended_at is null;
create index run_lineage on run (job, key, first_due) where lineage = 1;
create unique index run_trigger on run (job, trigger_id) where trigger_id is not null;
-- History in the order of admission.
create index run_job on run (job, admitted_at);
create index run_ended on run (job, state, ended_at) where ended_at is not null;

-- A finished attempt. The current one of a running run is the run's own row.
create table attempt (
    run        integer not null references run on delete cascade,
    n          integer not null check (n > 0),
    fence      integer not null unique check (fence > 0),
    node       text not null,
    claimed_at integer not null,
    started_at integer,
    ended_at   integer not null,
    outcome    text not null check (
        outcome = 'success' or outcome = 'failure' or outcome = 'timeout' or outcome = 'cancelled' or
        outcome = 'lost' or outcome = 'interrupted' or outcome = 'not_started'),
    message    text,
    -- Of a command; 128 and the signal that ended it.
    exit_code  integer,
    primary key (run, n)
) strict, without rowid;

-- What an attempt printed: its first and last bytes.
create table output (
    run     integer not null references run on delete cascade,
    n       integer not null,
    head    blob not null,
    tail    blob not null,
    dropped integer not null check (dropped >= 0),
    primary key (run, n)
) strict;

-- A limit has exactly `max` slot rows, free or held by a run and its fence: over-limit cannot be written down.
create table slot (
    job   integer not null references job,
    n     integer not null check (n >= 0),
    run   integer,
    fence integer,
    primary key (job, n),
    check ((run is null) = (fence is null))
) strict, without rowid;
create index slot_free on slot (job, n) where run is null;
create unique index slot_held on slot (run, job) where run is not null;

-- Decisions of triggers that became no run. That of an admitted trigger is its run's row.
create table refusal (
    id         integer primary key,
    job        integer references job,
    job_name   text not null,
    source     text not null,
    decision   text not null,
    code       text not null,
    key        text not null,
    by_run     integer not null,
    -- Anonymous triggers share one row per (job, key, code, holder, minute); others have one each: minute is null.
    minute     integer,
    trigger_id text,
    nominal    integer,
    args       text,
    priority   text not null,
    by_whom    text not null,
    version    integer not null,
    first_at   integer not null,
    last_at    integer not null,
    count      integer not null check (count > 0)
) strict;
create unique index refusal_shared on refusal (job, key, code, by_run, minute, source) where minute is not null;
create unique index refusal_trigger on refusal (job, trigger_id) where trigger_id is not null;
create index refusal_by on refusal (by_run, last_at) where by_run > 0;
create index refusal_job on refusal (job, last_at);
create index refusal_last on refusal (last_at);

-- Every decision, of both kinds. `by_run` is 0 where no run is named.
create view decision as
    select id, job, source, 'admitted' as decision, 'within_limits' as code, id as run, 0 as by_run, trigger_id, nominal,
           by_whom, version, admitted_at as first_at, admitted_at as last_at, 1 as count, key
    from run
    union all
    select id, job, source, decision, code, null, by_run, trigger_id, nominal,
           by_whom, version, first_at, last_at, count, key
    from refusal;

-- A process that works on this store.
create table node (
    id         text primary key,
    name       text not null,
    kind       text not null check (kind in ('daemon', 'library', 'scenario')),
    host       text not null,
    pid        integer not null,
    user       text not null,
    program    text not null,
    -- The folder of its lock file and its output files.
    dir        text not null,
    workers    integer not null,
    busy       integer not null,
    started_at integer not null,
    seen_at    integer not null,
    ended_at   integer,
    end_reason text
) strict, without rowid;
create index node_live on node (started_at) where ended_at is null;

-- What a node can run: its definitions, and why not where it cannot.
create table node_job (
    node   text not null references node on delete cascade,
    job    text not null,
    reason text,
    primary key (node, job)
) strict, without rowid;

-- Numbers of a job in one hour, folded from facts. Counts and histograms are JSON.
create table stat (
    job     integer not null references job,
    hour    integer not null,
    numbers text not null,
    primary key (job, hour)
) strict, without rowid;
