PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE migration (version integer primary key, checksum text not null, applied_at integer not null) strict;
INSERT INTO migration VALUES(1,'7311e45098c639a17a3722bc661182d7a5dd59c2a30e40882266f32d0f4c0487',1795697174000000);
CREATE TABLE store (
    id          integer primary key check (id = 1),
    next_run    integer not null check (next_run > 0),
    next_refusal integer not null check (next_refusal > 0),
    next_fence  integer not null check (next_fence > 0),
    next_version integer not null check (next_version > 0),
    created_at  integer not null
) strict;
INSERT INTO store VALUES(1,33,16,24,3,1795697174000000);
CREATE TABLE version (
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
INSERT INTO version VALUES(1,'/srv/jobs/jobs.toml',1795697174340605,'root@host',1,1,1,'{"aggressive deduplication":"default","deduplication":"default","kill_after":"default","shutdown_grace":"default","stacking prevention":"default","workers":"default"}');
INSERT INTO version VALUES(2,'/srv/jobs/jobs.toml',1795697179818241,'root@host',1,1,1,'{"aggressive deduplication":"default","deduplication":"default","kill_after":"default","shutdown_grace":"default","stacking prevention":"default","workers":"default"}');
CREATE TABLE job (
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
INSERT INTO job VALUES(1,'backup','{"monitoring":false,"dedup":null,"max_concurrent":1,"max_waiting":2,"on_full":null,"priority":"normal","attempts":1,"backoff":[30000000,2.0,3600000000],"timeout_us":3600000000,"schedule":null,"enabled":true,"args":null}','/srv/jobs/jobs.toml',1,'{"args":"default","attempts":"default","backoff.delay":"default","backoff.factor":"default","backoff.max":"default","cwd":"default","enabled":"default","env":"default","env_file":"default","every":"default","max_concurrent":"jobs.toml:6","max_waiting":"jobs.toml:7","monitoring":"default","on_full":"default","pass_env":"default","priority":"default","shell":"jobs.toml:5","timeout":"default"}',NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO job VALUES(2,'broken','{"monitoring":false,"dedup":{"key":null,"until":"finish","on_duplicate":"skip"},"max_concurrent":null,"max_waiting":100000,"on_full":null,"priority":"normal","attempts":1,"backoff":[30000000,2.0,3600000000],"timeout_us":3600000000,"schedule":null,"enabled":true,"args":null}','/srv/jobs/jobs.toml',1,'{"args":"default","attempts":"default","backoff.delay":"default","backoff.factor":"default","backoff.max":"default","cwd":"default","dedup.key":"default","dedup.on_duplicate":"default","dedup.until":"jobs.toml:14","enabled":"default","env":"default","env_file":"default","every":"default","max_concurrent":"default","max_waiting":"default","monitoring":"default","on_full":"default","pass_env":"default","priority":"default","shell":"jobs.toml:13","timeout":"default"}',NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO job VALUES(3,'chain_state_monitor','{"monitoring":true,"dedup":null,"max_concurrent":1,"max_waiting":0,"on_full":null,"priority":"normal","attempts":1,"backoff":[30000000,2.0,3600000000],"timeout_us":3600000000,"schedule":{"every_us":2000000,"first":"now","catch_up":"latest"},"enabled":true,"args":null}','/srv/jobs/jobs.toml',1,'{"args":"default","attempts":"default","backoff.delay":"default","backoff.factor":"default","backoff.max":"default","catch_up":"default","cwd":"default","enabled":"default","env":"default","env_file":"default","every":"jobs.toml:21","first":"default","max_concurrent":"default","max_waiting":"default","monitoring":"built-in list","on_full":"default","pass_env":"default","priority":"default","shell":"jobs.toml:22","timeout":"default"}',1795697184340605,1795697182340605,NULL,NULL,NULL,NULL);
INSERT INTO job VALUES(4,'flaky','{"monitoring":false,"dedup":null,"max_concurrent":null,"max_waiting":100000,"on_full":null,"priority":"normal","attempts":3,"backoff":[3600000000,2.0,3600000000],"timeout_us":3600000000,"schedule":null,"enabled":true,"args":null}','/srv/jobs/jobs.toml',1,'{"args":"default","attempts":"jobs.toml:10","backoff.delay":"jobs.toml:11","backoff.factor":"jobs.toml:11","backoff.max":"default","cwd":"default","enabled":"default","env":"default","env_file":"default","every":"default","max_concurrent":"default","max_waiting":"default","monitoring":"default","on_full":"default","pass_env":"default","priority":"default","shell":"jobs.toml:9","timeout":"default"}',NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO job VALUES(5,'nightly','{"monitoring":false,"dedup":null,"max_concurrent":1,"max_waiting":5,"on_full":null,"priority":"normal","attempts":1,"backoff":[30000000,2.0,3600000000],"timeout_us":3600000000,"schedule":{"every_us":3600000000,"first":"after_interval","catch_up":"latest"},"enabled":true,"args":null}','/srv/jobs/jobs.toml',1,'{"args":"default","attempts":"default","backoff.delay":"default","backoff.factor":"default","backoff.max":"default","catch_up":"default","cwd":"default","enabled":"default","env":"default","env_file":"default","every":"jobs.toml:24","first":"jobs.toml:25","max_concurrent":"jobs.toml:27","max_waiting":"jobs.toml:28","monitoring":"default","on_full":"default","pass_env":"default","priority":"default","shell":"jobs.toml:26","timeout":"default"}',1795700774340605,1795697174340605,1795697177224742,NULL,'root@host','the disk is being replaced');
INSERT INTO job VALUES(6,'old',NULL,NULL,2,'{"args":"default","attempts":"default","backoff.delay":"default","backoff.factor":"default","backoff.max":"default","cwd":"default","enabled":"default","env":"default","env_file":"default","every":"default","max_concurrent":"default","max_waiting":"default","monitoring":"default","on_full":"default","pass_env":"default","priority":"default","shell":"jobs.toml:30","timeout":"default"}',NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO job VALUES(7,'poll','{"monitoring":false,"dedup":null,"max_concurrent":1,"max_waiting":0,"on_full":null,"priority":"normal","attempts":1,"backoff":[30000000,2.0,3600000000],"timeout_us":3600000000,"schedule":{"every_us":1000000,"first":"now","catch_up":"latest"},"enabled":true,"args":null}','/srv/jobs/jobs.toml',2,'{"args":"default","attempts":"default","backoff.delay":"default","backoff.factor":"default","backoff.max":"default","catch_up":"default","cwd":"default","enabled":"default","env":"default","env_file":"default","every":"jobs.toml:30","first":"default","max_concurrent":"default","max_waiting":"default","monitoring":"default","on_full":"default","pass_env":"default","priority":"default","shell":"jobs.toml:31","timeout":"default"}',1795697183340605,1795697182340605,1795697177232903,1795700777232212,'root@host',NULL);
INSERT INTO job VALUES(8,'sync','{"monitoring":false,"dedup":{"key":["wallet"],"until":"start","on_duplicate":"skip"},"max_concurrent":2,"max_waiting":10,"on_full":null,"priority":"normal","attempts":1,"backoff":[30000000,2.0,3600000000],"timeout_us":3600000000,"schedule":null,"enabled":true,"args":null}','/srv/jobs/jobs.toml',1,'{"args":"default","attempts":"default","backoff.delay":"default","backoff.factor":"default","backoff.max":"default","cwd":"default","dedup.key":"jobs.toml:19","dedup.on_duplicate":"default","dedup.until":"jobs.toml:19","enabled":"default","env":"default","env_file":"default","every":"default","max_concurrent":"jobs.toml:17","max_waiting":"jobs.toml:18","monitoring":"default","on_full":"default","pass_env":"default","priority":"default","shell":"jobs.toml:16","timeout":"default"}',NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO job VALUES(9,'tick','{"monitoring":false,"dedup":null,"max_concurrent":1,"max_waiting":0,"on_full":null,"priority":"normal","attempts":1,"backoff":[30000000,2.0,3600000000],"timeout_us":3600000000,"schedule":{"every_us":1000000,"first":"now","catch_up":"latest"},"enabled":true,"args":null}','/srv/jobs/jobs.toml',1,'{"args":"default","attempts":"default","backoff.delay":"default","backoff.factor":"default","backoff.max":"default","catch_up":"default","cwd":"default","enabled":"default","env":"default","env_file":"default","every":"jobs.toml:2","first":"default","max_concurrent":"default","max_waiting":"default","monitoring":"default","on_full":"default","pass_env":"default","priority":"default","shell":"jobs.toml:3","timeout":"default"}',1795697183340605,1795697182340605,NULL,NULL,NULL,NULL);
CREATE TABLE tally (
    job       integer primary key references job,
    scheduled integer not null check (scheduled >= 0),
    queued    integer not null check (queued >= 0),
    running   integer not null check (running >= 0),
    retrying  integer not null check (retrying >= 0)
) strict;
INSERT INTO tally VALUES(1,1,2,1,0);
INSERT INTO tally VALUES(2,0,0,0,0);
INSERT INTO tally VALUES(3,0,0,1,0);
INSERT INTO tally VALUES(4,0,0,0,2);
INSERT INTO tally VALUES(5,0,2,0,0);
INSERT INTO tally VALUES(6,0,0,0,0);
INSERT INTO tally VALUES(7,0,0,0,0);
INSERT INTO tally VALUES(8,0,1,2,0);
INSERT INTO tally VALUES(9,2,0,1,0);
CREATE TABLE run (
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
INSERT INTO run VALUES(1,3,'running','',1,1,1,0,1,'normal',1795697144342645,1795697174342645,1795697174342645,1795697174342645,NULL,'schedule','@1795697174340605',1795697174340605,'host',NULL,1,NULL,1,0,0,1,'cf55b2df311dfe1db073ce3b90d45307',1795697174344311,NULL,NULL,NULL,NULL,NULL);
INSERT INTO run VALUES(2,7,'succeeded','',0,0,0,0,0,'normal',1795697144342645,1795697174342645,1795697174342645,1795697174342645,NULL,'schedule','@1795697174340605',1795697174340605,'host',NULL,1,NULL,1,0,0,2,NULL,1795697174344311,NULL,NULL,1795697174358204,NULL,NULL);
INSERT INTO run VALUES(3,9,'succeeded','',0,0,0,0,0,'normal',1795697144342645,1795697174342645,1795697174342645,1795697174342645,NULL,'schedule','@1795697174340605',1795697174340605,'host',NULL,1,NULL,1,0,0,3,NULL,1795697174344311,NULL,NULL,1795697174359166,NULL,NULL);
INSERT INTO run VALUES(4,7,'succeeded','',0,0,0,0,0,'normal',1795697145341610,1795697175341610,1795697175341610,1795697175341610,NULL,'schedule','@1795697175340605',1795697175340605,'host',NULL,1,NULL,1,0,0,4,NULL,1795697175341610,NULL,NULL,1795697175364519,NULL,NULL);
INSERT INTO run VALUES(5,9,'succeeded','',0,0,0,0,0,'normal',1795697145341610,1795697175341610,1795697175341610,1795697175341610,NULL,'schedule','@1795697175340605',1795697175340605,'host',NULL,1,NULL,1,0,0,5,NULL,1795697175341610,NULL,NULL,1795697175367760,NULL,NULL);
INSERT INTO run VALUES(6,7,'succeeded','',0,0,0,0,0,'normal',1795697146342076,1795697176342076,1795697176342076,1795697176342076,NULL,'schedule','@1795697176340605',1795697176340605,'host',NULL,1,NULL,1,0,0,6,NULL,1795697176342076,NULL,NULL,1795697176360544,NULL,NULL);
INSERT INTO run VALUES(7,9,'succeeded','',0,0,0,0,0,'normal',1795697146342076,1795697176342076,1795697176342076,1795697176342076,NULL,'schedule','@1795697176340605',1795697176340605,'host',NULL,1,NULL,1,0,0,7,NULL,1795697176342076,NULL,NULL,1795697176360544,NULL,NULL);
INSERT INTO run VALUES(8,6,'succeeded','',0,0,0,0,0,'normal',1795697146785161,1795697176785161,1795697176785161,1795697176785161,'{"n":1}','cli',NULL,NULL,'root@host',NULL,1,NULL,1,0,0,8,NULL,1795697176799657,NULL,NULL,1795697176837119,NULL,NULL);
INSERT INTO run VALUES(9,1,'running','',0,0,0,0,1,'normal',1795697146807439,1795697176807439,1795697176807439,1795697176807439,NULL,'cli','backup-1',NULL,'root@host',NULL,1,NULL,1,0,0,9,'cf55b2df311dfe1db073ce3b90d45307',1795697176812478,NULL,NULL,NULL,NULL,NULL);
INSERT INTO run VALUES(10,1,'queued','',0,0,0,0,1,'normal',1795697146841300,1795697176841300,1795697176841300,1795697176841300,NULL,'cli','backup-2',NULL,'root@host',NULL,1,'limit:1',0,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO run VALUES(11,1,'queued','',0,0,0,0,1,'normal',1795697146865177,1795697176865177,1795697176865177,1795697176865177,NULL,'cli','backup-3',NULL,'root@host',NULL,1,'limit:1',0,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO run VALUES(12,4,'retrying','',0,0,0,0,1,'normal',1795700977556461,1795697176921043,1795697176921043,1795701007556461,NULL,'cli','flaky-1',NULL,'root@host',NULL,1,NULL,1,1,0,10,NULL,1795697176943723,NULL,NULL,NULL,NULL,NULL);
INSERT INTO run VALUES(13,4,'retrying','',0,0,0,0,1,'normal',1795700877972978,1795697176948893,1795697176948893,1795700907972978,NULL,'cli',NULL,NULL,'root@host',NULL,1,NULL,1,1,0,11,NULL,1795697176967672,NULL,NULL,NULL,NULL,NULL);
INSERT INTO run VALUES(14,2,'dead','{"n":1}',1,1,0,0,0,'normal',1795697146971498,1795697176971498,1795697176971498,1795697176971498,'{"n":1}','cli','broken-1',NULL,'root@host',NULL,1,NULL,1,1,0,12,NULL,1795697176995691,NULL,NULL,1795697176998974,'attempts_used_up',NULL);
INSERT INTO run VALUES(15,2,'dead','{"n":2}',1,1,0,0,0,'normal',1795697146998464,1795697176998464,1795697176998464,1795697176998464,'{"n":2}','cli',NULL,NULL,'root@host',NULL,1,NULL,1,1,0,13,NULL,1795697177027724,NULL,NULL,1795697177052812,'attempts_used_up',NULL);
INSERT INTO run VALUES(16,8,'running','{"wallet":"a"}',1,1,0,1,1,'normal',1795697147028929,1795697177028929,1795697177028929,1795697177028929,'{"wallet":"a"}','cli',NULL,NULL,'root@host',NULL,1,NULL,1,0,0,14,'cf55b2df311dfe1db073ce3b90d45307',1795697177032178,NULL,NULL,NULL,NULL,NULL);
INSERT INTO run VALUES(17,8,'running','{"wallet":"b"}',1,1,0,1,1,'normal',1795697147065626,1795697177065626,1795697177065626,1795697177065626,'{"wallet":"b"}','cli',NULL,NULL,'root@host',NULL,1,NULL,1,0,0,15,'cf55b2df311dfe1db073ce3b90d45307',1795697177091727,NULL,NULL,NULL,NULL,NULL);
INSERT INTO run VALUES(18,8,'queued','{"wallet":"c"}',1,1,1,1,1,'normal',1795697147095494,1795697177095494,1795697177095494,1795697177095494,'{"wallet":"c"}','cli',NULL,NULL,'root@host',NULL,1,'limit:8',0,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO run VALUES(19,8,'cancelled','{"wallet":"a"}',1,1,0,0,0,'normal',1795697147119102,1795697177119102,1795697177119102,1795697177119102,'{"wallet":"a"}','cli',NULL,NULL,'root@host',NULL,1,NULL,0,0,0,0,NULL,NULL,1795697181296356,'root@host',1795697181296356,'cancelled_by_hand',NULL);
INSERT INTO run VALUES(20,9,'scheduled','',0,0,0,0,0,'normal',1795700747176159,1795697177176869,1795700777176159,1795700777176159,NULL,'cli','later-1',NULL,'root@host',NULL,1,NULL,0,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO run VALUES(21,1,'scheduled','',0,0,0,0,0,'normal',1795698947192853,1795697177193576,1795698977192853,1795698977192853,NULL,'cli',NULL,NULL,'root@host',NULL,1,NULL,0,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO run VALUES(22,9,'scheduled','',0,0,0,0,0,'normal',1795704347204339,1795697177205063,1795704377204339,1795704377204339,NULL,'cli',NULL,NULL,'root@host',NULL,1,NULL,0,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO run VALUES(23,5,'queued','',0,0,0,0,1,'normal',1795697147248082,1795697177248082,1795697177248082,1795697177248082,NULL,'cli','nightly-1',NULL,'root@host',NULL,1,NULL,0,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO run VALUES(24,5,'queued','',0,0,0,0,1,'normal',1795697147261531,1795697177261531,1795697177261531,1795697177261531,NULL,'cli',NULL,NULL,'root@host',NULL,1,NULL,0,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO run VALUES(25,9,'succeeded','',0,0,0,0,0,'normal',1795697147341296,1795697177341296,1795697177341296,1795697177341296,NULL,'schedule','@1795697177340605',1795697177340605,'host',NULL,1,NULL,1,0,0,16,NULL,1795697177341296,NULL,NULL,1795697177345306,NULL,NULL);
INSERT INTO run VALUES(26,6,'succeeded','',0,0,0,0,0,'normal',1795697148303764,1795697178303764,1795697178303764,1795697178303764,'{"n":2}','cli','old-1',NULL,'root@host',NULL,1,NULL,1,0,0,17,NULL,1795697178330840,NULL,NULL,1795697178335760,NULL,NULL);
INSERT INTO run VALUES(27,9,'succeeded','',0,0,0,0,0,'normal',1795697148341784,1795697178341784,1795697178341784,1795697178341784,NULL,'schedule','@1795697178340605',1795697178340605,'host',NULL,1,NULL,1,0,0,18,NULL,1795697178341784,NULL,NULL,1795697178344899,NULL,NULL);
INSERT INTO run VALUES(28,9,'succeeded','',0,0,0,0,0,'normal',1795697149341525,1795697179341525,1795697179341525,1795697179341525,NULL,'schedule','@1795697179340605',1795697179340605,'host',NULL,1,NULL,1,0,0,19,NULL,1795697179341525,NULL,NULL,1795697179354024,NULL,NULL);
INSERT INTO run VALUES(29,9,'succeeded','',0,0,0,0,0,'normal',1795697150341419,1795697180341419,1795697180341419,1795697180341419,NULL,'schedule','@1795697180340605',1795697180340605,'host',NULL,2,NULL,1,0,0,20,NULL,1795697180341419,NULL,NULL,1795697180348901,NULL,NULL);
INSERT INTO run VALUES(30,2,'dead','{"n":2}',1,1,0,0,0,'normal',1795697151043138,1795697181043138,1795697181043138,1795697181043138,'{"n":2}','cli',NULL,NULL,'root@host',15,2,NULL,1,1,0,21,NULL,1795697181044879,NULL,NULL,1795697181047364,'attempts_used_up',NULL);
INSERT INTO run VALUES(31,9,'succeeded','',0,0,0,0,0,'normal',1795697151341851,1795697181341851,1795697181341851,1795697181341851,NULL,'schedule','@1795697181340605',1795697181340605,'host',NULL,2,NULL,1,0,0,22,NULL,1795697181341851,NULL,NULL,1795697181344965,NULL,NULL);
INSERT INTO run VALUES(32,9,'running','',0,0,0,0,1,'normal',1795697152341945,1795697182341945,1795697182341945,1795697182341945,NULL,'schedule','@1795697182340605',1795697182340605,'host',NULL,2,NULL,1,0,0,23,'cf55b2df311dfe1db073ce3b90d45307',1795697182341945,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE attempt (
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
INSERT INTO attempt VALUES(2,1,2,'cf55b2df311dfe1db073ce3b90d45307',1795697174344311,NULL,1795697174355525,'success',NULL,0);
INSERT INTO attempt VALUES(3,1,3,'cf55b2df311dfe1db073ce3b90d45307',1795697174344311,NULL,1795697174356174,'success',NULL,0);
INSERT INTO attempt VALUES(4,1,4,'cf55b2df311dfe1db073ce3b90d45307',1795697175341610,NULL,1795697175354069,'success',NULL,0);
INSERT INTO attempt VALUES(5,1,5,'cf55b2df311dfe1db073ce3b90d45307',1795697175341610,NULL,1795697175354081,'success',NULL,0);
INSERT INTO attempt VALUES(6,1,6,'cf55b2df311dfe1db073ce3b90d45307',1795697176342076,NULL,1795697176354634,'success',NULL,0);
INSERT INTO attempt VALUES(7,1,7,'cf55b2df311dfe1db073ce3b90d45307',1795697176342076,NULL,1795697176354355,'success',NULL,0);
INSERT INTO attempt VALUES(8,1,8,'cf55b2df311dfe1db073ce3b90d45307',1795697176799657,NULL,1795697176801986,'success',NULL,0);
INSERT INTO attempt VALUES(12,1,10,'cf55b2df311dfe1db073ce3b90d45307',1795697176943723,NULL,1795697176946052,'failure','exit code 3, "no"',3);
INSERT INTO attempt VALUES(13,1,11,'cf55b2df311dfe1db073ce3b90d45307',1795697176967672,NULL,1795697176969919,'failure','exit code 3, "no"',3);
INSERT INTO attempt VALUES(14,1,12,'cf55b2df311dfe1db073ce3b90d45307',1795697176995691,NULL,1795697176997989,'failure','exit code 1, "broken"',1);
INSERT INTO attempt VALUES(15,1,13,'cf55b2df311dfe1db073ce3b90d45307',1795697177027724,NULL,1795697177029203,'failure','exit code 1, "broken"',1);
INSERT INTO attempt VALUES(25,1,16,'cf55b2df311dfe1db073ce3b90d45307',1795697177341296,NULL,1795697177343167,'success',NULL,0);
INSERT INTO attempt VALUES(26,1,17,'cf55b2df311dfe1db073ce3b90d45307',1795697178330840,NULL,1795697178333358,'success',NULL,0);
INSERT INTO attempt VALUES(27,1,18,'cf55b2df311dfe1db073ce3b90d45307',1795697178341784,NULL,1795697178343446,'success',NULL,0);
INSERT INTO attempt VALUES(28,1,19,'cf55b2df311dfe1db073ce3b90d45307',1795697179341525,NULL,1795697179343485,'success',NULL,0);
INSERT INTO attempt VALUES(29,1,20,'cf55b2df311dfe1db073ce3b90d45307',1795697180341419,NULL,1795697180347151,'success',NULL,0);
INSERT INTO attempt VALUES(30,1,21,'cf55b2df311dfe1db073ce3b90d45307',1795697181044879,NULL,1795697181046463,'failure','exit code 1, "broken"',1);
INSERT INTO attempt VALUES(31,1,22,'cf55b2df311dfe1db073ce3b90d45307',1795697181341851,NULL,1795697181343359,'success',NULL,0);
CREATE TABLE output (
    run     integer not null references run on delete cascade,
    n       integer not null,
    head    blob not null,
    tail    blob not null,
    dropped integer not null check (dropped >= 0),
    primary key (run, n)
) strict;
INSERT INTO output VALUES(2,1,X'706f6c6c65640a',X'',0);
INSERT INTO output VALUES(3,1,X'7469636b0a',X'',0);
INSERT INTO output VALUES(4,1,X'706f6c6c65640a',X'',0);
INSERT INTO output VALUES(5,1,X'7469636b0a',X'',0);
INSERT INTO output VALUES(7,1,X'7469636b0a',X'',0);
INSERT INTO output VALUES(6,1,X'706f6c6c65640a',X'',0);
INSERT INTO output VALUES(8,1,X'6f6c640a',X'',0);
INSERT INTO output VALUES(12,1,X'6e6f0a',X'',0);
INSERT INTO output VALUES(13,1,X'6e6f0a',X'',0);
INSERT INTO output VALUES(14,1,X'62726f6b656e0a',X'',0);
INSERT INTO output VALUES(15,1,X'62726f6b656e0a',X'',0);
INSERT INTO output VALUES(25,1,X'7469636b0a',X'',0);
INSERT INTO output VALUES(26,1,X'6f6c640a',X'',0);
INSERT INTO output VALUES(27,1,X'7469636b0a',X'',0);
INSERT INTO output VALUES(28,1,X'7469636b0a',X'',0);
INSERT INTO output VALUES(29,1,X'7469636b0a',X'',0);
INSERT INTO output VALUES(30,1,X'62726f6b656e0a',X'',0);
INSERT INTO output VALUES(31,1,X'7469636b0a',X'',0);
CREATE TABLE slot (
    job   integer not null references job,
    n     integer not null check (n >= 0),
    run   integer,
    fence integer,
    primary key (job, n),
    check ((run is null) = (fence is null))
) strict, without rowid;
INSERT INTO slot VALUES(1,0,9,9);
INSERT INTO slot VALUES(3,0,1,1);
INSERT INTO slot VALUES(5,0,NULL,NULL);
INSERT INTO slot VALUES(7,0,NULL,NULL);
INSERT INTO slot VALUES(8,0,16,14);
INSERT INTO slot VALUES(8,1,17,15);
INSERT INTO slot VALUES(9,0,32,23);
CREATE TABLE refusal (
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
INSERT INTO refusal VALUES(1,3,'chain_state_monitor','schedule','skipped','duplicate_running','',1,NULL,'@1795697176340605',1795697176340605,NULL,'normal','host',1,1795697176342076,1795697176342076,1);
INSERT INTO refusal VALUES(2,1,'backup','cli','rejected','queue_full','',9,NULL,'backup-4',NULL,NULL,'normal','root@host',1,1795697176885926,1795697176885926,1);
INSERT INTO refusal VALUES(3,8,'sync','cli','skipped','duplicate_waiting','{"wallet":"a"}',19,29928286,NULL,NULL,NULL,'normal','root@host',1,1795697177137769,1795697177137769,1);
INSERT INTO refusal VALUES(4,8,'sync','cli','skipped','duplicate_waiting','{"wallet":"c"}',18,29928286,NULL,NULL,NULL,'normal','root@host',1,1795697177147660,1795697177147660,1);
INSERT INTO refusal VALUES(5,8,'sync','cli','rejected','missing_key_field','',0,29928286,NULL,NULL,NULL,'normal','root@host',1,1795697177157233,1795697177157233,1);
INSERT INTO refusal VALUES(6,NULL,'nosuch','cli','rejected','unknown_job','',0,NULL,NULL,NULL,NULL,'normal','root@host',1,1795697177163262,1795697177163262,1);
INSERT INTO refusal VALUES(7,7,'poll','schedule','skipped','paused','',0,NULL,'@1795697177340605',1795697177340605,NULL,'normal','host',1,1795697177341296,1795697177341296,1);
INSERT INTO refusal VALUES(8,3,'chain_state_monitor','schedule','skipped','duplicate_running','',1,NULL,'@1795697178340605',1795697178340605,NULL,'normal','host',1,1795697178341784,1795697178341784,1);
INSERT INTO refusal VALUES(9,7,'poll','schedule','skipped','paused','',0,NULL,'@1795697178340605',1795697178340605,NULL,'normal','host',1,1795697178341784,1795697178341784,1);
INSERT INTO refusal VALUES(10,7,'poll','schedule','skipped','paused','',0,NULL,'@1795697179340605',1795697179340605,NULL,'normal','host',1,1795697179341525,1795697179341525,1);
INSERT INTO refusal VALUES(11,3,'chain_state_monitor','schedule','skipped','duplicate_running','',1,NULL,'@1795697180340605',1795697180340605,NULL,'normal','host',2,1795697180341419,1795697180341419,1);
INSERT INTO refusal VALUES(12,7,'poll','schedule','skipped','paused','',0,NULL,'@1795697180340605',1795697180340605,NULL,'normal','host',2,1795697180341419,1795697180341419,1);
INSERT INTO refusal VALUES(13,7,'poll','schedule','skipped','paused','',0,NULL,'@1795697181340605',1795697181340605,NULL,'normal','host',2,1795697181341851,1795697181341851,1);
INSERT INTO refusal VALUES(14,3,'chain_state_monitor','schedule','skipped','duplicate_running','',1,NULL,'@1795697182340605',1795697182340605,NULL,'normal','host',2,1795697182341945,1795697182341945,1);
INSERT INTO refusal VALUES(15,7,'poll','schedule','skipped','paused','',0,NULL,'@1795697182340605',1795697182340605,NULL,'normal','host',2,1795697182341945,1795697182341945,1);
CREATE TABLE node (
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
INSERT INTO node VALUES('cf55b2df311dfe1db073ce3b90d45307','host','daemon','host',20011,'root','jobstile 0.1.0','/srv/jobs/jobs.db-nodes',264,0,1795697174324205,1795697174324205,NULL,NULL);
CREATE TABLE node_job (
    node   text not null references node on delete cascade,
    job    text not null,
    reason text,
    primary key (node, job)
) strict, without rowid;
INSERT INTO node_job VALUES('cf55b2df311dfe1db073ce3b90d45307','backup',NULL);
INSERT INTO node_job VALUES('cf55b2df311dfe1db073ce3b90d45307','broken',NULL);
INSERT INTO node_job VALUES('cf55b2df311dfe1db073ce3b90d45307','chain_state_monitor',NULL);
INSERT INTO node_job VALUES('cf55b2df311dfe1db073ce3b90d45307','flaky',NULL);
INSERT INTO node_job VALUES('cf55b2df311dfe1db073ce3b90d45307','nightly',NULL);
INSERT INTO node_job VALUES('cf55b2df311dfe1db073ce3b90d45307','poll',NULL);
INSERT INTO node_job VALUES('cf55b2df311dfe1db073ce3b90d45307','sync',NULL);
INSERT INTO node_job VALUES('cf55b2df311dfe1db073ce3b90d45307','tick',NULL);
CREATE TABLE stat (
    job     integer not null references job,
    hour    integer not null,
    numbers text not null,
    primary key (job, hour)
) strict, without rowid;
INSERT INTO stat VALUES(1,498804,'{"decisions":{"cli/queue_full":1,"cli/within_limits":4},"ended":{},"attempts":{},"run":{"count":0,"sum_us":0,"max_us":0,"buckets":{}},"wait":{"count":1,"sum_us":5039,"max_us":5039,"buckets":{"34":1}}}');
INSERT INTO stat VALUES(2,498804,'{"decisions":{"cli/within_limits":3},"ended":{"dead":3},"attempts":{"failure":3},"run":{"count":3,"sum_us":5361,"max_us":2298,"buckets":{"9":1,"10":1,"18":1}},"wait":{"count":3,"sum_us":55194,"max_us":29260,"buckets":{"12":1,"66":1,"70":1}}}');
INSERT INTO stat VALUES(3,498804,'{"decisions":{"schedule/duplicate_running":4,"schedule/within_limits":1},"ended":{},"attempts":{},"run":{"count":0,"sum_us":0,"max_us":0,"buckets":{}},"wait":{"count":1,"sum_us":1666,"max_us":1666,"buckets":{"11":1}}}');
INSERT INTO stat VALUES(4,498804,'{"decisions":{"cli/within_limits":2},"ended":{},"attempts":{"failure":2},"run":{"count":2,"sum_us":4576,"max_us":2329,"buckets":{"17":1,"18":1}},"wait":{"count":2,"sum_us":41459,"max_us":22680,"buckets":{"61":1,"64":1}}}');
INSERT INTO stat VALUES(5,498804,'{"decisions":{"cli/within_limits":2},"ended":{},"attempts":{},"run":{"count":0,"sum_us":0,"max_us":0,"buckets":{}},"wait":{"count":0,"sum_us":0,"max_us":0,"buckets":{}}}');
INSERT INTO stat VALUES(6,498804,'{"decisions":{"cli/within_limits":2},"ended":{"succeeded":2},"attempts":{"success":2},"run":{"count":2,"sum_us":4847,"max_us":2518,"buckets":{"18":1,"19":1}},"wait":{"count":2,"sum_us":41572,"max_us":27076,"buckets":{"55":1,"68":1}}}');
INSERT INTO stat VALUES(7,498804,'{"decisions":{"schedule/paused":6,"schedule/within_limits":3},"ended":{"succeeded":3},"attempts":{"success":3},"run":{"count":3,"sum_us":36231,"max_us":12558,"buckets":{"50":1,"52":2}},"wait":{"count":3,"sum_us":1666,"max_us":1666,"buckets":{"0":2,"11":1}}}');
INSERT INTO stat VALUES(8,498804,'{"decisions":{"cli/duplicate_waiting":2,"cli/missing_key_field":1,"cli/within_limits":4},"ended":{"cancelled":1},"attempts":{},"run":{"count":0,"sum_us":0,"max_us":0,"buckets":{}},"wait":{"count":2,"sum_us":29350,"max_us":26101,"buckets":{"25":1,"67":1}}}');
INSERT INTO stat VALUES(9,498804,'{"decisions":{"cli/within_limits":2,"schedule/within_limits":9},"ended":{"succeeded":8},"attempts":{"success":8},"run":{"count":8,"sum_us":49346,"max_us":12471,"buckets":{"9":1,"11":1,"13":1,"14":1,"36":1,"51":1,"52":2}},"wait":{"count":9,"sum_us":1666,"max_us":1666,"buckets":{"0":8,"11":1}}}');
CREATE INDEX job_next on job (next_at, name) where next_at is not null;
CREATE INDEX job_paused on job (paused_until) where paused_until is not null;
CREATE INDEX run_ready on run (job, rank) where state = 'queued' and waits_on is null;
CREATE INDEX run_line on run (rank) where state = 'queued' and waits_on is null;
CREATE INDEX run_waits on run (waits_on, rank) where waits_on is not null;
CREATE INDEX run_due on run (due) where state in ('scheduled', 'retrying');
CREATE UNIQUE INDEX run_target on run (job, key) where target = 1;
CREATE INDEX run_place on run (job, first_due) where place = 1;
CREATE INDEX run_running on run (job, first_due) where node is not null;
CREATE INDEX run_asked on run (node) where cancel_at is not null and node is not null;
CREATE INDEX run_later on run (job, key, due) where place = 0 and ended_at is null;
CREATE INDEX run_lineage on run (job, key, first_due) where lineage = 1;
CREATE UNIQUE INDEX run_trigger on run (job, trigger_id) where trigger_id is not null;
CREATE INDEX run_job on run (job, admitted_at);
CREATE INDEX run_ended on run (job, state, ended_at) where ended_at is not null;
CREATE INDEX slot_free on slot (job, n) where run is null;
CREATE UNIQUE INDEX slot_held on slot (run, job) where run is not null;
CREATE UNIQUE INDEX refusal_shared on refusal (job, key, code, by_run, minute, source) where minute is not null;
CREATE UNIQUE INDEX refusal_trigger on refusal (job, trigger_id) where trigger_id is not null;
CREATE INDEX refusal_by on refusal (by_run, last_at) where by_run > 0;
CREATE INDEX refusal_job on refusal (job, last_at);
CREATE INDEX refusal_last on refusal (last_at);
CREATE VIEW decision as
    select id, job, source, 'admitted' as decision, 'within_limits' as code, id as run, 0 as by_run, trigger_id, nominal,
           by_whom, version, admitted_at as first_at, admitted_at as last_at, 1 as count, key
    from run
    union all
    select id, job, source, decision, code, null, by_run, trigger_id, nominal,
           by_whom, version, first_at, last_at, count, key
    from refusal;
CREATE INDEX node_live on node (started_at) where ended_at is null;
COMMIT;
