//! `trigger`: every answer, with its exit code, and the wait for the end.

use std::time::Duration;

use jobstile_child::LIMIT;

use insta::assert_snapshot;
use jobstile::clock::{self, Clock};
use jobstile::op::{Due, Op};
use jobstile::store::sqlite::{OpenAs, Store};
use jobstile_core::id::RunId;
use jobstile_core::outcome::Outcome;
use serde_json::json;

use crate::world::{World, claim, settled};

const WALLET: &str = r#"{"wallet":"SP2X0"}"#;

#[test]
fn what_becomes_of_a_trigger() {
    let mut world = World::new();
    assert_snapshot!(world.screen(&["trigger", "sync_wallet", "--args", WALLET]), @r#"
    $ jobstile trigger sync_wallet --args {"wallet":"SP2X0"}
    admitted: run 1, starts now
    --- to standard error
      follow: jobstile logs 1 -f
    [exit 0]
    "#);
    world.ran("sync_wallet", r#"{"wallet":"SP3"}"#, 500, 43, Outcome::Success, None);
    world.ago(192);
    world.claim();
    // The same work runs.
    assert_snapshot!(world.screen(&["trigger", "sync_wallet", "--args", WALLET]), @r#"
    $ jobstile trigger sync_wallet --args {"wallet":"SP2X0"}
    skipped: run 1 does the same (wallet=SP2X0), running for 0m 00s, usually 00s          duplicate_running
    --- to standard error
      it began before your trigger and may miss your change; for one more run afterwards: max_concurrent = 1, dedup = { key = ["wallet"], until = "start" }
    [exit 0]
    "#);
    assert_snapshot!(world.screen(&["trigger", "sync_wallet", "--args", WALLET, "--wait"]), @r#"
    $ jobstile trigger sync_wallet --args {"wallet":"SP2X0"} --wait
    skipped: run 1 does the same and began before your trigger                            duplicate_running
    [exit 75]
    "#);
    assert_snapshot!(world.screen(&["trigger", "sync_wallet", "--args", WALLET, "--fail-if-skipped"]), @r#"
    $ jobstile trigger sync_wallet --args {"wallet":"SP2X0"} --fail-if-skipped
    skipped: run 1 does the same (wallet=SP2X0), running for 0m 00s, usually 00s          duplicate_running
    --- to standard error
      it began before your trigger and may miss your change; for one more run afterwards: max_concurrent = 1, dedup = { key = ["wallet"], until = "start" }
    [exit 75]
    "#);
    // It waits for its retry.
    world.trigger("strict", "null");
    let claimed = world.claim();
    assert_snapshot!(world.screen(&["trigger", "strict"]), @r#"
    $ jobstile trigger strict
    rejected: run 3 does the same, running for 0m 00s                                     duplicate_running
    --- to standard error
      it began before your trigger and may miss your change; for one more run afterwards: max_concurrent = 1, dedup = { key = [], until = "start", on_duplicate = "fail" }
    [exit 1]
    "#);
    world.settle(&claimed[0], Outcome::Success, None, b"");
    // One at a time, the rest is skipped.
    world.ago(192);
    world.trigger("backup", "null");
    world.claim();
    assert_snapshot!(world.screen(&["trigger", "backup"]), @r#"
    $ jobstile trigger backup
    skipped: run 4 takes the only place, running for 0m 00s                               concurrency_limit
    --- to standard error
      it began before your trigger and may miss your change; for one more run afterwards: overlap = "queue-one", without max_concurrent and max_waiting
    [exit 0]
    "#);
    // A monitoring job.
    world.trigger("chain_state_monitor", "null");
    assert_snapshot!(world.screen(&["trigger", "chain_state_monitor"]), @r"
    $ jobstile trigger chain_state_monitor
    skipped: run 5 does the same and starts later; nothing is lost                        duplicate_waiting
    [exit 0]
    ");
    // Places to wait run out.
    world.trigger("tail", "null");
    world.trigger("tail", "null");
    assert_snapshot!(world.screen(&["trigger", "tail"]), @r"
    $ jobstile trigger tail
    rejected: no place to wait is left; the first is run 6's, waiting for 0m 00s          queue_full
    --- to standard error
      what waits: jobstile runs tail
    [exit 1]
    ");
}

#[test]
fn later_paused_and_repeated() {
    let mut world = World::new();
    assert_snapshot!(world.screen(&["trigger", "backup", "--in", "1h"]), @r"
    $ jobstile trigger backup --in 1h
    admitted: run 1, due 00:00:00 (NOON); it meets the rules then, and is refused if backup is running at that moment
    --- to standard error
      take it back: jobstile cancel 1
    [exit 0]
    ");
    assert_snapshot!(world.screen(&["trigger", "backup", "--at", "13:37"]), @r"
    $ jobstile trigger backup --at 13:37
    admitted: run 2, due 00:00:00 (NOON); it meets the rules then, and is refused if backup is running at that moment
    --- to standard error
      take it back: jobstile cancel 2
    [exit 0]
    ");
    assert_snapshot!(world.screen(&["trigger", "strict", "--in", "0s"]), @r#"
    $ jobstile trigger strict --in 0s
    --- to standard error
    error: --in 0s: a duration longer than zero is needed
      write 90s, 0m or "1h 00m"
    [exit 2]
    "#);
    world.run(&["pause", "sync_wallet"]);
    assert_snapshot!(world.screen(&["trigger", "sync_wallet", "--args", WALLET, "--id", "a"]), @r#"
    $ jobstile trigger sync_wallet --args {"wallet":"SP2X0"} --id a
    admitted: run 3, waits until somebody resumes sync_wallet
    --- to standard error
      follow: jobstile logs 3 -f
    [exit 0]
    "#);
    assert_snapshot!(world.screen(&["trigger", "sync_wallet", "--args", WALLET, "--id", "a"]), @r#"
    $ jobstile trigger sync_wallet --args {"wallet":"SP2X0"} --id a
    as before (id a), admitted: run 3, waits until somebody resumes sync_wallet
    --- to standard error
      follow: jobstile logs 3 -f
    [exit 0]
    "#);
    assert_snapshot!(world.screen(&["trigger", "sync_wallet", "--args", r#"{"wallet":"b"}"#, "--id", "a"]), @r#"
    $ jobstile trigger sync_wallet --args {"wallet":"b"} --id a
    rejected: this id came before with other arguments                                    trigger_id_reused
    [exit 1]
    "#);
    assert_snapshot!(world.screen(&["trigger", "tail"]), @r"
    $ jobstile trigger tail
    admitted: run 4, waits: no node can run it: web1: command not found: /srv/app/bin/tail
    --- to standard error
      follow: jobstile logs 4 -f
    [exit 0]
    ");
    world.leave();
    assert_snapshot!(world.screen(&["trigger", "report"]), @r"
    $ jobstile trigger report
    admitted: run 5, starts when a daemon comes
    --- to standard error
    no daemon works on this store: ./.jobstile/jobstile.db; web1 (pid 4711) was last seen 00m 00s ago and is gone
      start one: jobstile serve
      follow: jobstile logs 5 -f
    [exit 0]
    ");
}

#[test]
fn a_time_of_the_day_is_the_next_one_here() {
    let world = World::new();
    let ran = world.run(&["trigger", "backup", "--at", "11:00", "-o", "json"]).json();
    let due: jiff::Timestamp = ran["due_at"].as_str().unwrap().parse().unwrap();
    let ahead = due.as_second() - Clock::system().now().0 / 1_000_000;
    // It is noon or a little later: eleven is tomorrow.
    assert!((21 * 3600..23 * 3600).contains(&ahead), "{ahead}");
}

#[test]
fn arguments_come_from_a_file_and_from_standard_input() {
    let world = World::new();
    std::fs::write(world.path().join("args.json"), r#"{ "wallet": "from a file" }"#).unwrap();
    assert_eq!(world.run(&["trigger", "sync_wallet", "--args", "@args.json"]).code(), 0);
    assert_eq!(world.run_with(&["trigger", "sync_wallet", "--args", "-"], br#"{"wallet":"from outside"}"#).code(), 0);
    let args = |id| world.client().run(RunId(id)).unwrap().unwrap().row.args.unwrap().to_string();
    assert_eq!((args(1).as_str(), args(2).as_str()), (r#"{"wallet":"from a file"}"#, r#"{"wallet":"from outside"}"#));
}

#[test]
fn what_cannot_be_used_is_refused() {
    let world = World::new();
    assert_snapshot!(world.screen(&["trigger", "sync_walet"]), @r"
    $ jobstile trigger sync_walet
    --- to standard error
    error: no job `sync_walet` in ./.jobstile/jobstile.db; did you mean sync_wallet?
      (6 jobs; definitions of /srv/jobstile.toml, loaded 00:00:00)      all of them: jobstile ls
    [exit 3]
    ");
    assert_snapshot!(world.screen(&["trigger", "sync_wallet", "--args", r#"{"network":"mainnet"}"#]), @r#"
    $ jobstile trigger sync_wallet --args {"network":"mainnet"}
    --- to standard error
    error: trigger refused: sync_wallet tells its runs apart by `wallet`, and the arguments have none
      got {"network":"mainnet"}      write jobstile trigger sync_wallet wallet=…
    [exit 2]
    "#);
    assert_snapshot!(world.screen(&["trigger", "sync_wallet"]), @r"
    $ jobstile trigger sync_wallet
    --- to standard error
    error: trigger refused: sync_wallet tells its runs apart by `wallet`, and the arguments have none
      no arguments were given      write jobstile trigger sync_wallet wallet=…
    [exit 2]
    ");
    assert_snapshot!(world.screen(&["trigger", "sync_wallet", "--args", r#"{"wallet":1.5}"#]), @r#"
    $ jobstile trigger sync_wallet --args {"wallet":1.5}
    --- to standard error
    error: trigger refused: the key of sync_wallet is made of strings, whole numbers, true and false
      write fields, as in wallet=SP2X0, or --args '{"wallet":"SP2X0"}'
    [exit 2]
    "#);
    assert_snapshot!(world.screen(&["trigger", "sync_wallet", "--args", "{\"wallet\""]), @r#"
    $ jobstile trigger sync_wallet --args {"wallet"
    --- to standard error
    error: trigger refused: the arguments are not JSON: EOF while parsing an object at line 1 column 9
      write fields, as in wallet=SP2X0, or --args '{"wallet":"SP2X0"}'
    [exit 2]
    "#);
    assert_snapshot!(world.screen(&["trigger", "sync_wallet", "--args", "[1]"]), @r#"
    $ jobstile trigger sync_wallet --args [1]
    --- to standard error
    error: trigger refused: the arguments are a list, not an object: arguments have names
      write fields, as in wallet=SP2X0, or --args '{"wallet":"SP2X0"}'
    [exit 2]
    "#);
    assert_snapshot!(world.screen(&["trigger", "sync_wallet", "--args", "@nowhere.json"]), @r"
    $ jobstile trigger sync_wallet --args @nowhere.json
    --- to standard error
    error: --args: nowhere.json cannot be read: No such file or directory (os error 2)
      write a JSON object, @FILE or -, or the fields one by one: wallet=SP2X0
    [exit 2]
    ");
    assert_snapshot!(world.screen(&["trigger", "backup", "--at", "half past nine"]), @r"
    $ jobstile trigger backup --at half past nine
    --- to standard error
    error: --at half past nine: not a valid time
      00:00 or 18:30:00 (the next one, in NOON), or 2026-11-23T18:30:00+01:00
    [exit 2]
    ");
    assert_snapshot!(world.screen(&["trigger", "backup", "--at", "1971-01-01T00:00:00Z"]).replace(char::is_numeric, "0"), @r"
    $ jobstile trigger backup --at 0000-00-00T00:00:00Z
    --- to standard error
    error: --at 0000-00-00T00:00:00Z: that was 00000d ago
      00:00 or 00:00:00 (the next one, in NOON), or 0000-00-00T00:00:00+00:00
    [exit 0]
    ");
    assert_snapshot!(world.screen(&["trigger", "backup", "--in", "5"]), @r"
    $ jobstile trigger backup --in 5
    --- to standard error
    error: --in 5: a duration needs its unit
      write 5s or 5m
    [exit 2]
    ");
    assert_snapshot!(world.screen(&["trigger", "backup", "--priority", "urgent"]), @r"
    $ jobstile trigger backup --priority urgent
    --- to standard error
    error: --priority urgent: not a priority
      write one of low, normal, medium, high, critical
    [exit 2]
    ");
    assert_snapshot!(world.screen(&["trigger", "backup", "--id", "@1"]), @r"
    $ jobstile trigger backup --id @1
    --- to standard error
    error: a trigger id is 1 to 200 bytes, without control characters, and does not begin with `@`
    [exit 2]
    ");
    let large = format!("{{\"wallet\":\"{}\"}}", "x".repeat(1 << 20));
    let ran = world.run_with(&["trigger", "sync_wallet", "--args", "-"], large.as_bytes());
    assert_eq!(ran.code(), 2);
    assert!(ran.err().contains("larger than 1 MiB"), "{}", ran.err());
    let deep = format!("{}{}", "{\"a\":".repeat(65), "1".to_owned() + &"}".repeat(65));
    let ran = world.run(&["trigger", "sync_wallet", "--args", &deep]);
    assert_eq!(ran.code(), 2);
    assert!(ran.err().contains("deeper than 64 levels"), "{}", ran.err());
    let ran = world.run_with(&["trigger", "sync_wallet", "--args", "-"], b"{\"wallet\":\"\xff\"}");
    assert_eq!(ran.code(), 2, "{}", ran.err());
    // Nothing was admitted, and each was decided.
    assert_eq!(world.client().store().unwrap().next_run, RunId(1));
}

/// Something that works on a store: it claims what comes, and ends the first of it so.
fn worker(world: &World, outcome: Outcome, message: Option<&'static str>) -> std::thread::JoinHandle<()> {
    let file = world.file();
    std::thread::spawn(move || {
        let mut store = Store::open(&file, OpenAs::Guest).unwrap();
        let claimed = wait("a trigger", || claim(&mut store, Clock::system().now()).into_iter().next());
        let settle = settled(&claimed, outcome, message, b"");
        store.execute(Clock::system().now(), &[Op::Settle(settle)]);
    })
}

/// Looks again and again until there is something.
fn wait<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..6_000 {
        if let Some(found) = look() {
            return found;
        }
        clock::block(Duration::from_millis(5));
    }
    panic!("waited in vain for {what}");
}

#[test]
fn the_wait_passes_the_commands_code_on() {
    for (outcome, message, code, said) in [
        (Outcome::Success, Some("exit code 0"), 0, "run 1 succeeded after"),
        (Outcome::Failure, Some("exit code 7, \"no such host\""), 7, "run 1 dead after"),
        (Outcome::Failure, Some("exit code 143"), 143, "exit code 143"),
        (Outcome::Failure, Some("status 502"), 1, "status 502"),
        (Outcome::Timeout, Some("timed out after 1s"), 124, "timed out after 1s"),
    ] {
        let world = World::new();
        let working = worker(&world, outcome, message);
        let ran = world.run(&["trigger", "strict", "--wait=30s"]);
        working.join().unwrap();
        assert_eq!(ran.code(), code, "{outcome}: {}", ran.err());
        assert!(ran.err().contains(said), "{}", ran.err());
    }
}

#[test]
fn the_wait_has_an_end() {
    let world = World::new();
    let ran = world.run(&["trigger", "strict", "--wait=20ms"]);
    assert_eq!(ran.code(), 124);
    assert!(ran.err().contains("run 1 is queued still; the wait is over"), "{}", ran.err());
}

#[test]
fn the_wait_is_over_before_the_answer_in_json() {
    let world = World::new();
    let working = worker(&world, Outcome::Failure, Some("exit code 3"));
    let ran = world.run(&["trigger", "sync_wallet", "--args", WALLET, "--wait=60s", "-o", "json"]);
    working.join().unwrap();
    let answer = ran.json();
    assert_eq!((ran.code(), &answer["decision"]), (3, &json!("admitted")));
    assert_eq!(answer["ended"]["exit_code"], 3);
    assert_eq!(answer["ended"]["run"]["state"], "dead");
    assert_eq!(answer["ended"]["attempts"][0]["exit_code"], 3);
}

#[test]
fn a_refused_run_was_skipped() {
    let mut world = World::new();
    // Later, the job is running: the run for later is refused when it comes due.
    let mut child = world.command(&["trigger", "backup", "--in", "100ms", "--wait=60s"]).spawn().unwrap();
    wait("the run for later", || world.client().run(RunId(1)).unwrap());
    world.ago(0);
    world.trigger("backup", "null");
    clock::block(Duration::from_millis(120));
    world.ago(0);
    world.op(Op::Due(Due { max: 9 }));
    assert_eq!(jobstile_child::wait(&mut child, LIMIT).unwrap().code(), Some(75));
}

#[test]
fn a_covering_run_is_waited_for_and_a_cancelled_one_fails() {
    let mut world = World::new();
    world.now = Clock::system().now();
    let run = world.trigger("sync_wallet", WALLET).run.unwrap();
    let mut child = world.command(&["trigger", "sync_wallet", "--args", WALLET, "--wait=60s"]).spawn().unwrap();
    wait("the second trigger", || (world.client().refusals_by(run).unwrap().count == 1).then_some(()));
    assert_eq!(world.run(&["cancel", &run.to_string()]).code(), 0);
    assert_eq!(jobstile_child::wait(&mut child, LIMIT).unwrap().code(), Some(1));
}

#[test]
fn an_answer_is_one_document() {
    let mut world = World::new();
    world.ago(60);
    world.trigger("backup", "null");
    world.claim();
    let ran = world.run(&["trigger", "backup", "-o", "json"]);
    let answer = ran.json();
    assert_eq!(ran.code(), 0);
    assert_eq!(answer["decision"], "skipped");
    assert_eq!(answer["code"], "concurrency_limit");
    assert_eq!(answer["by"], "1");
    assert_eq!(answer["causing_run"]["state"], "running");
    assert_eq!(world.run(&["trigger", "strict", "-o", "jsonl"]).out().lines().count(), 1);
}

#[test]
fn arguments_may_be_given_field_by_field() {
    let world = World::new();
    let whole = world.run(&["trigger", "sync_wallet", "--args", r#"{"note":"a b","wallet":3}"#, "-o", "json"]).json();
    let fields = world.run(&["trigger", "sync_wallet", "wallet=3", "note=a b", "-o", "json"]).json();
    assert_eq!((&fields["decision"], &fields["by"]), (&"skipped".into(), &whole["run"]));
    let text = world.run(&["trigger", "sync_wallet", "wallet=\"3\"", "-o", "json"]).json();
    assert_eq!(text["decision"], "admitted", "a text is not a number");
    // What is advised for a free key is typed in the same way.
    let free = world.run(&["explain", "--key", "sync_wallet", "wallet=a b"]).out();
    assert!(free.contains("jobstile trigger sync_wallet 'wallet=a b'"), "{free}");
}

#[test]
fn a_job_stands_alone_or_behind_the_predecessors_flag() {
    let world = World::new();
    let shown = |line: &[&str]| world.lasting(&world.run(line).out());
    assert_eq!(shown(&["monitor", "backup"]), shown(&["monitor", "-j", "backup"]));
    assert_eq!(shown(&["monitor", "backup"]), shown(&["monitor", "--job-type", "backup"]));
    std::fs::write(world.path().join("m.toml"), "[jobs.a]\nmonitoring = true\nevery = \"1h\"\ncommand = [\"true\"]\n")
        .unwrap();
    let tested = shown(&["test-dedup", "a", "--config", "m.toml"]);
    assert!(tested.contains("it passes"), "{tested}");
    assert_eq!(tested, shown(&["test-dedup", "-j", "a", "--config", "m.toml"]));
}

#[test]
fn a_wait_says_what_it_waits_for() {
    let world = World::new();
    let ran = world.run(&["trigger", "tail", "--wait=2100ms"]);
    assert_eq!(ran.code(), 124);
    let said = ran.err();
    assert!(
        said.contains("waiting: run 1 cannot run on any node: web1: command not found: /srv/app/bin/tail\n"),
        "{said}"
    );
    let ran = world.run(&["trigger", "strict", "--wait=2100ms"]);
    assert!(ran.err().contains("waiting: run 2 waits for a worker\n"), "{}", ran.err());
}
