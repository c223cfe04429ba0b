//! Commands that change something: cancel, retry, pause, resume, forget, backup, migrate.

use insta::assert_snapshot;
use jobstile_core::outcome::Outcome;

use crate::world::World;

#[test]
fn cancel_ends_what_waits_and_asks_what_runs() {
    let mut world = World::new();
    world.ago(192);
    world.trigger("backup", "null");
    world.claim();
    world.ran("chain_state_monitor", "null", 100, 10, Outcome::Success, None);
    world.ago(60);
    world.trigger("strict", "null");
    assert_snapshot!(world.screen(&["cancel", "1", "2", "3"]), @r"
    $ jobstile cancel 1 2 3
    run 1 of backup is asked to end; its slot is free when its processes are dead
    run 2 of chain_state_monitor has ended already: succeeded
    run 3 of strict was queued, and is cancelled
    [exit 1]
    ");
    assert_snapshot!(world.screen(&["runs"]), @r"
    $ jobstile runs
    RUN  JOB                  STATE      STARTED (NOON)    TOOK  WHY
      1  backup               running    00:00:00        0m 00s  asked to end by me@here
      3  strict               cancelled                          cancelled_by_hand: me@here
      2  chain_state_monitor  succeeded  00:00:00           00s
    [exit 0]
    ");
    // One that is not there: none is touched.
    world.trigger("tail", "null");
    assert_snapshot!(world.screen(&["cancel", "4", "99"]), @r"
    $ jobstile cancel 4 99
    --- to standard error
    error: no run 99 in ./.jobstile/jobstile.db
      the newest is 4: jobstile runs
    [exit 3]
    ");
    assert_eq!(world.run(&["runs", "tail", "-o", "json"]).json()["runs"][0]["state"], "queued");
    world.leave();
    assert_snapshot!(world.screen(&["cancel", "1"]), @r"
    $ jobstile cancel 1
    run 1 of backup is asked to end; no daemon works here, the next one ends it
    --- to standard error
    no daemon works on this store: ./.jobstile/jobstile.db; web1 (pid 4711) was last seen 00m 00s ago and is gone
      start one: jobstile serve
    [exit 0]
    ");
    let json = world.run(&["cancel", "4", "-o", "json"]).json();
    assert_eq!((&json["runs"][0]["from"], &json["runs"][0]["state"]), (&"queued".into(), &"cancelled".into()));
}

#[test]
fn retry_now_or_as_a_new_run() {
    let mut world = World::new();
    world.ran("strict", "null", 500, 10, Outcome::Failure, Some("exit code 1"));
    world.ran("strict", "null", 400, 10, Outcome::Success, None);
    world.ran("sync_wallet", r#"{"wallet":"a"}"#, 300, 10, Outcome::Failure, Some("exit code 1"));
    world.ran("sync_wallet", r#"{"wallet":"b"}"#, 250, 10, Outcome::Failure, Some("exit code 1"));
    world.ran("backup", "null", 20, 10, Outcome::Failure, Some("exit code 1"));
    assert_snapshot!(world.screen(&["retry", "5"]), @r"
    $ jobstile retry 5
    run 5 starts again now
    [exit 0]
    ");
    assert_snapshot!(world.screen(&["retry", "5", "2"]), @r"
    $ jobstile retry 5 2
    run 5 is queued: it will start by itself
    run 2: admitted again as run 6
    [exit 0]
    ");
    assert_snapshot!(world.screen(&["retry", "--job", "sync_wallet", "--dead", "--since", "8h"]), @r"
    $ jobstile retry --job sync_wallet --dead --since 8h
    run 3: admitted again as run 7
    run 4: admitted again as run 8
    [exit 0]
    ");
    assert_snapshot!(world.screen(&["retry", "--job", "sync_wallet", "--dead", "--since", "8h"]), @r"
    $ jobstile retry --job sync_wallet --dead --since 8h
    --- to standard error
    left out: 2 dead runs that a newer run was started for
    no dead run is left to be tried again
    [exit 0]
    ");
    // The newest of a chain stands for it, whether it died or not.
    world.ago(0);
    let claimed = world.claim();
    for claimed in &claimed {
        world.settle(claimed, Outcome::Failure, Some("exit code 1"), b"");
    }
    assert_snapshot!(world.screen(&["retry", "--job", "sync_wallet", "--dead"]), @r"
    $ jobstile retry --job sync_wallet --dead
    run 7: admitted again as run 9
    run 8: admitted again as run 10
    --- to standard error
    left out: 2 dead runs that a newer run was started for
    [exit 0]
    ");
    assert_snapshot!(world.screen(&["retry", "--job", "strict", "--dead"]), @r"
    $ jobstile retry --job strict --dead
    run 6: admitted again as run 11
    --- to standard error
    left out: 1 dead run that a later run has made up for
    [exit 0]
    ");
    assert_snapshot!(world.screen(&["retry", "--dead"]), @r"
    $ jobstile retry --dead
    --- to standard error
    error: jobstile retry: of which job?
      jobstile retry --dead --job JOB
    [exit 2]
    ");
    assert_snapshot!(world.screen(&["retry", "5", "--job", "sync_wallet"]), @r"
    $ jobstile retry 5 --job sync_wallet
    --- to standard error
    error: RUN and --job exclude each other
      give one of the two
    [exit 2]
    ");
    assert_eq!(world.run(&["runs", "sync_wallet", "-o", "json"]).json()["runs"][0]["rerun_of"], "8");
}

#[test]
fn pause_and_resume() {
    let world = World::new();
    assert_snapshot!(world.screen(&["pause", "backup", "--for", "2h", "--reason", "a disk is swapped"]), @r"
    $ jobstile pause backup --for 2h --reason a disk is swapped
    paused: backup until 00:00:00 (NOON)
    --- to standard error
      what runs goes on      end the pause: jobstile resume
    [exit 0]
    ");
    assert_snapshot!(world.screen(&["next", "backup", "-l", "1"]), @r"
    $ jobstile next backup -l 1
    AT (NOON)  IN       JOB     WHAT
    00:00:00   00m 00s  backup  tick
    --- to standard error
    backup is paused until 00:00:00 by me@here, since 00:00:00: a disk is swapped: its ticks are skipped
    [exit 0]
    ");
    let job = world.client().job("backup").unwrap().unwrap();
    let pause = job.pause.unwrap();
    assert_eq!((pause.why.as_deref(), pause.by.contains('@')), (Some("a disk is swapped"), true));
    assert_snapshot!(world.screen(&["resume", "backup"]), @r"
    $ jobstile resume backup
    resumed: backup
    --- to standard error
      what waited starts now
    [exit 0]
    ");
    assert_snapshot!(world.screen(&["resume", "--all"]), @r"
    $ jobstile resume --all
    --- to standard error
    nothing to be resumed
    [exit 0]
    ");
    assert_snapshot!(world.screen(&["pause", "--all"]), @r"
    $ jobstile pause --all
    paused: backup, chain_state_monitor, report, strict, sync_wallet, tail until resumed
    --- to standard error
      what runs goes on      end the pause: jobstile resume
    [exit 0]
    ");
    assert_snapshot!(world.screen(&["resume", "--all"]), @r"
    $ jobstile resume --all
    resumed: backup, chain_state_monitor, report, strict, sync_wallet, tail
    --- to standard error
      what waited starts now
    [exit 0]
    ");
    // One that has run out ended by itself.
    assert_eq!(world.run(&["pause", "--all", "--for", "1ms"]).code(), 0);
    jobstile::clock::block(std::time::Duration::from_millis(5));
    assert!(world.run(&["resume", "--all"]).err().contains("nothing to be resumed"));
    assert_snapshot!(world.screen(&["pause", "bakup"]), @r"
    $ jobstile pause bakup
    --- to standard error
    error: no job `bakup` in ./.jobstile/jobstile.db; did you mean backup?
      (6 jobs; definitions of /srv/jobstile.toml, loaded 00:00:00)      all of them: jobstile ls
    [exit 3]
    ");
    assert_eq!(world.run(&["pause"]).code(), 2);
    assert_eq!(world.run(&["pause", "backup", "--for", "5"]).code(), 2);
    assert_snapshot!(world.screen(&["pause", "backup", "--for", "0s"]), @r#"
    $ jobstile pause backup --for 0s
    --- to standard error
    error: --for 0s: a duration longer than zero is needed
      write 90s, 0m or "1h 00m"
    [exit 2]
    "#);
}

#[test]
fn forget_is_for_what_nobody_defines() {
    let mut world = World::new();
    world.ran("backup", "null", 300, 10, Outcome::Success, None);
    assert_snapshot!(world.screen(&["forget", "backup"]), @r"
    $ jobstile forget backup
    --- to standard error
    error: backup is defined by web1 (pid 4711), which is at work
      take it out of its configuration file, then: kill -HUP the daemon      to hold it back: jobstile pause
    [exit 1]
    ");
    world.leave();
    assert_snapshot!(world.screen(&["forget", "backup"]), @r"
    $ jobstile forget backup
    forgotten: backup is out of the policy, its history stays
    --- to standard error
    no daemon works on this store: ./.jobstile/jobstile.db; web1 (pid 4711) was last seen 00m 00s ago and is gone
      start one: jobstile serve
    [exit 0]
    ");
    assert_snapshot!(world.screen(&["forget", "backup"]), @r"
    $ jobstile forget backup
    --- to standard error
    no daemon works on this store: ./.jobstile/jobstile.db; web1 (pid 4711) was last seen 00m 00s ago and is gone
      start one: jobstile serve
    error: backup is out of the policy already
    [exit 3]
    ");
    assert_snapshot!(world.screen(&["trigger", "backup"]), @r"
    $ jobstile trigger backup
    --- to standard error
    no daemon works on this store: ./.jobstile/jobstile.db; web1 (pid 4711) was last seen 00m 00s ago and is gone
      start one: jobstile serve
    error: no job `backup` in ./.jobstile/jobstile.db
      (5 jobs; definitions of /srv/jobstile.toml, loaded 00:00:00)      all of them: jobstile ls
    [exit 3]
    ");
    assert_snapshot!(world.screen(&["show", "backup"]), @r"
    $ jobstile show backup
    backup does not run: no configuration names it since 00:00:00 (version 2 took it out). Its history stays: jobstile runs backup
    --- to standard error
    no daemon works on this store: ./.jobstile/jobstile.db; web1 (pid 4711) was last seen 00m 00s ago and is gone
      start one: jobstile serve
    [exit 0]
    ");
    assert_eq!(world.run(&["runs", "backup", "-o", "json"]).json()["runs"][0]["state"], "succeeded");
    assert!(!world.run(&["ls"]).out().contains("backup"));
    assert!(world.run(&["ls", "--all"]).out().contains("no configuration names it"));
}

#[test]
fn backup_and_migrate() {
    use std::os::unix::fs::PermissionsExt;
    let mut world = World::new();
    world.ran("backup", "null", 300, 10, Outcome::Success, None);
    let ran = world.run(&["backup", "copy.db"]);
    assert_eq!(ran.code(), 0);
    assert!(ran.out().starts_with("./.jobstile/jobstile.db copied to ./copy.db ("), "{}", ran.out());
    let copy = world.path().join("copy.db");
    assert_eq!(std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(world.run(&["verify", "--store", "copy.db"]).code(), 0);
    assert_eq!(world.run(&["runs", "--store", "copy.db", "-o", "json"]).json()["runs"].as_array().unwrap().len(), 1);
    assert_snapshot!(world.screen(&["backup", "copy.db"]), @r"
    $ jobstile backup copy.db
    --- to standard error
    error: copy.db already exists; a backup never overwrites
      name a new file in a folder that you may write to
    [exit 2]
    ");
    assert_snapshot!(world.screen(&["backup", "nowhere/copy.db"]), @r"
    $ jobstile backup nowhere/copy.db
    --- to standard error
    error: cannot write nowhere/copy.db: No such file or directory (os error 2)
      name a new file in a folder that you may write to
    [exit 2]
    ");
    assert_snapshot!(world.screen(&["migrate"]), @r"
    $ jobstile migrate
    ./.jobstile/jobstile.db has schema 2, the newest this program knows
    [exit 0]
    ");
    assert_snapshot!(world.screen(&["migrate", "--store", "absent.db"]), @r"
    $ jobstile migrate --store absent.db
    --- to standard error
    error: there is no store at ./absent.db
      jobstile serve makes one
    [exit 3]
    ");
    assert!(!world.path().join("absent.db").exists());
    std::fs::write(world.path().join("empty.db"), "").unwrap();
    assert_snapshot!(world.screen(&["migrate", "--store", "empty.db"]), @r"
    $ jobstile migrate --store empty.db
    --- to standard error
    error: there is no store at ./empty.db: the file is empty
      jobstile serve makes one
    [exit 3]
    ");
    assert!(world.run(&["migrate", "--sql"]).out().contains("create table run ("));
}
