//! Why did it not run, and who holds it? One answer for each situation, as somebody reads it.

use std::collections::HashMap;

use insta::assert_snapshot;
use jobstile::op::{Due, Forget, Op, Reap, Settle};
use jobstile_core::outcome::Outcome;
use jobstile_core::policy::{Concurrency, Policy, Switches};
use serde_json::Value;

use crate::world::{NODE, World, instant, settled};

#[test]
fn one_that_runs_and_turns_its_ticks_away() {
    let mut world = World::new();
    world.ran("chain_state_monitor", "null", 9_000, 240, Outcome::Success, None);
    world.ago(192);
    world.trigger("chain_state_monitor", "null");
    world.claim();
    for seconds in [150, 130, 110] {
        world.ago(seconds);
        world.trigger("chain_state_monitor", "null");
    }
    assert_snapshot!(world.screen(&["explain", "chain_state_monitor"]));
}

#[test]
fn one_that_waits_for_its_retry() {
    let mut world = World::new();
    world.ran("backup", "null", 40, 20, Outcome::Failure, Some("exit code 1, \"disk full\""));
    world.ago(10);
    world.trigger("backup", "null");
    assert_snapshot!(world.screen(&["explain", "backup"]));
    assert_snapshot!(world.screen(&["explain", "1"]));
}

#[test]
fn one_that_is_dead() {
    let mut world = World::new();
    world.ran("backup", "null", 4_000, 75, Outcome::Failure, Some("exit code 1, \"disk full\""));
    world.ago(3_800);
    world.op(Op::Due(Due { max: 9 }));
    let again = world.claim();
    world.ago(3_700);
    world.settle(&again[0], Outcome::Timeout, Some("timed out after 1h"), b"begin\n");
    assert_snapshot!(world.screen(&["explain", "backup"]));
    assert_snapshot!(world.screen(&["explain", "1"]));
}

#[test]
fn one_that_is_switched_off_and_one_that_nobody_can_run() {
    let mut world = World::new();
    assert_snapshot!(world.screen(&["explain", "report"]));
    world.ago(3_000);
    for _ in 0..3 {
        world.trigger("tail", "null");
    }
    assert_snapshot!(world.screen(&["explain", "tail"]));
    assert_snapshot!(world.screen(&["explain", "2"]));
}

#[test]
fn a_key_that_is_held_and_one_that_is_free() {
    let mut world = World::new();
    assert_snapshot!(world.screen(&["explain", "--key", "sync_wallet", "wallet=SP2X0"]));
    world.ago(192);
    world.trigger("sync_wallet", r#"{"wallet":"SP2X0"}"#);
    world.claim();
    world.ago(130);
    for _ in 0..3 {
        world.trigger("sync_wallet", r#"{"wallet":"SP2X0"}"#);
    }
    assert_snapshot!(world.screen(&["explain", "--key", "sync_wallet", "wallet=SP2X0"]));
    assert_snapshot!(world.screen(&["explain", "sync_wallet"]));
    assert_snapshot!(world.screen(&["explain", "--key", "sync_wallet", "purse=SP2X0"]));
    assert_snapshot!(world.screen(&["explain", "--key", "tail"]));
}

#[test]
fn nobody_works_and_a_job_out_of_the_policy() {
    let mut world = World::new();
    world.ago(1_000);
    world.trigger("strict", "null");
    world.leave();
    assert_snapshot!(world.screen(&["explain", "strict"]));
    world.ago(30);
    world.op(Op::Forget(Forget { job: "strict".into() }));
    assert_snapshot!(world.screen(&["explain", "strict"]));
}

#[test]
fn the_same_facts_for_programs() {
    let mut world = World::new();
    world.ran("backup", "null", 40, 20, Outcome::Failure, Some("exit code 1, \"disk full\""));
    let page = world.run(&["explain", "backup", "-o", "json"]).json();
    assert_eq!((&page["standing"]["kind"], &page["standing"]["run"]), (&"retrying".into(), &"1".into()), "{page:#}");
    let ended = page["happened"].as_array().unwrap().last().unwrap();
    assert_eq!((&ended["kind"], &ended["outcome"]), (&"ended".into(), &"failure".into()), "{page:#}");
    assert_eq!(ended["took_s"].as_f64().unwrap().round(), 20.0, "{page:#}");
    assert!(ended["at"].as_str().unwrap().ends_with('Z'), "{page:#}");
    assert_eq!(page["next_tick"]["would"]["code"], "concurrency_limit", "{page:#}");
    let kinds: Vec<&str> = page["advice"].as_array().unwrap().iter().map(|one| one["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["doctor", "retry_now", "logs"], "{page:#}");
    assert!(page["sentence"].as_str().unwrap().starts_with("backup is waiting for its retry: "), "{page:#}");
}

#[test]
fn a_run_is_explained_with_what_it_gave_back() {
    let mut world = World::new();
    for result in [r#"{"rows":3,"note":"a\u001b[31m"}"#.to_owned(), format!("{:?}", "x".repeat(300))] {
        world.ago(40);
        let run = world.trigger("strict", "null").run.unwrap();
        let claimed = world.claim();
        let settle = settled(&claimed[0], Outcome::Success, None, b"");
        world.op(Op::Settle(Settle { result: Some(result.clone()), ..settle }));
        let page = world.run(&["explain", &run.to_string()]).out();
        let json = world.run(&["explain", &run.to_string(), "-o", "json"]).json();
        assert_eq!(json["result"], serde_json::from_str::<serde_json::Value>(&result).unwrap(), "{json:#}");
        match result.len() {
            ..=200 => assert!(page.contains(&format!("  result    {result}\n")), "{page}"),
            _ => assert!(page.contains("xxx…") && page.contains(&format!("explain {run} -o json has all)")), "{page}"),
        }
    }
    world.ran("backup", "null", 40, 20, Outcome::Failure, None);
    assert!(!world.run(&["explain", "3"]).out().contains("result"));
    assert!(world.run(&["explain", "3", "-o", "json"]).json()["result"].is_null());
}

#[test]
fn of_two_that_run_the_one_due_first_is_named() {
    let mut world = World::new();
    for (ago, wallet) in [(192, r#"{"wallet":"A"}"#), (100, r#"{"wallet":"B"}"#)] {
        world.ago(ago);
        world.trigger("sync_wallet", wallet);
        world.claim();
    }
    let screen = world.run(&["explain", "sync_wallet"]).out();
    assert!(screen.starts_with("sync_wallet is running: run 1 and 1 more, for 3m 1"), "{screen}");
    let page = world.run(&["explain", "sync_wallet", "-o", "json"]).json();
    assert_eq!((&page["standing"]["run"], &page["standing"]["others"]), (&"1".into(), &1.into()), "{page:#}");
    let running: Vec<&Value> = page["running"].as_array().unwrap().iter().map(|run| &run["run"]).collect();
    assert_eq!(running, ["1", "2"], "{page:#}");
}

#[test]
fn one_whose_nodes_went_away_too_often() {
    let mut world = World::new();
    world.ago(900);
    world.trigger("strict", "null");
    let budget = 3;
    for _ in 0..budget {
        world.ago(800);
        world.op(Op::Due(Due { max: 9 }));
        assert_eq!(world.claim().len(), 1);
        world.leave();
        world.op(Op::Reap(Reap { node: NODE.into(), reason: "killed".into(), printed: HashMap::new() }));
        world.enter();
    }
    assert_snapshot!(world.screen(&["explain", "strict"]));
    assert_snapshot!(world.screen(&["explain", "1"]));
    let page = world.run(&["explain", "strict", "-o", "json"]).json();
    let standing = &page["standing"];
    assert_eq!((&standing["kind"], &standing["code"]), (&"dead".into(), &"crash_budget".into()), "{page:#}");
    assert_eq!((&standing["failures"], &standing["lost"]), (&0.into(), &budget.into()), "{page:#}");
}

#[test]
fn one_that_waited_runs_since_it_started() {
    let mut world = World::new();
    let one = Policy { max_concurrent: Concurrency::Limited(1), ..Policy::new(false, None) };
    world.apply(vec![("sync_wallet", one)], Switches::default(), false);
    world.ago(2_000);
    world.trigger("sync_wallet", "null");
    let first = world.claim();
    let admitted = world.now;
    world.trigger("sync_wallet", "null");
    let waits = world.run(&["explain", "2"]).out();
    assert!(waits.starts_with("run 2 of sync_wallet") && waits.contains("held by run 1"), "{waits}");
    world.ago(100);
    world.settle(&first[0], Outcome::Success, None, b"");
    world.claim();
    let started = world.now;
    let screen = world.run(&["explain", "sync_wallet"]).out();
    assert!(screen.starts_with("sync_wallet is running: run 2, for 1m 4"), "{screen}");
    let page = world.run(&["explain", "2", "-o", "json"]).json();
    let happened: Vec<_> =
        page["happened"].as_array().unwrap().iter().map(|e| (&e["kind"], instant(&e["at"]))).collect();
    assert_eq!(happened, [(&"admitted".into(), admitted), (&"started".into(), started)], "{page:#}");
}

#[test]
fn its_instants_are_those_of_its_json() {
    let mut world = World::new();
    world.ago(1_000);
    world.trigger("strict", "null");
    let mut times = vec![];
    for outcome in [Outcome::Success, Outcome::Failure] {
        world.trigger("strict", "null");
        let claimed = world.claim();
        world.ago(if outcome == Outcome::Success { 900 } else { 500 });
        times.push(world.now);
        world.settle(&claimed[0], outcome, Some("exit code 1"), b"");
        world.trigger("strict", "null");
    }
    world.claim();
    times.push(world.now);
    for ago in [400, 300] {
        world.ago(ago);
        world.trigger("strict", "null");
        times.push(world.now);
    }
    let page = world.run(&["explain", "strict", "-o", "json"]).json();
    let events = page["happened"].as_array().unwrap();
    let told: Vec<_> = events.iter().flat_map(|e| [instant(&e["first_at"]), instant(&e["at"])]).collect();
    for time in times {
        assert!(told.contains(&time), "{time:?}: {page:#}");
    }
    let screen = world.run(&["explain", "strict"]).out();
    let shown: Vec<&str> = screen.lines().filter_map(|line| line.strip_prefix("  ")?.get(..8)).collect();
    let shown: Vec<&str> = shown.into_iter().filter(|word| word.as_bytes()[2] == b':').collect();
    let expected: Vec<String> = events.iter().map(|event| world.clock(&event["at"])).collect();
    // The newest ones have room.
    assert!(
        shown.len() >= 5 && expected.ends_with(&shown.iter().map(ToString::to_string).collect::<Vec<_>>()),
        "{screen}"
    );
    let since: Vec<&str> = screen.split(" times since ").skip(1).map(|rest| &rest[..8]).collect();
    let many = events.iter().filter(|event| event["times"].as_u64().unwrap() > 1);
    assert_eq!(since, many.map(|event| world.clock(&event["first_at"])).collect::<Vec<_>>(), "{screen}");
}
