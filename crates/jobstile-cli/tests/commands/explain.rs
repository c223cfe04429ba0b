//! Why did it not run, and who holds it? One answer for each situation, as somebody reads it.

use insta::assert_snapshot;
use jobstile::op::{Due, Forget, Op, Settle};
use jobstile_core::outcome::Outcome;

use crate::world::{World, settled};

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
