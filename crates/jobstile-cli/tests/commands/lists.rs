//! The lists say of a run and of a job what `explain` and `monitor` say.

use std::time::Duration;

use jobstile::args::Args;
use jobstile::op::{Op, Settle, Ticks, Trigger};
use jobstile_core::outcome::Outcome;
use jobstile_core::policy::{Concurrency, Dedup, KeyRule, OnDuplicate, Policy, Until};
use jobstile_core::trigger::{Source, When};
use serde_json::Value;

use crate::world::{World, settled};

fn line_of<'a>(text: &'a str, word: &str) -> &'a str {
    text.lines().find(|line| line.contains(word)).unwrap_or_else(|| panic!("{word}: {text}"))
}

fn run_of<'a>(list: &'a Value, id: &str) -> &'a Value {
    list.as_array().unwrap().iter().find(|run| run["run"] == id).unwrap_or_else(|| panic!("{id}: {list:#}"))
}

#[test]
fn runs_of_a_removed_job_wait_for_the_same_reason_everywhere() {
    let mut world = World::new();
    world.ran("backup", "null", 40, 20, Outcome::Failure, Some("exit code 1"));
    world.ago(10);
    world.trigger("sync_wallet", r#"{"wallet":"SP2X0"}"#);
    world.load(vec![("strict", Policy::new(false, None))]);
    let why = "no configuration names it since ";
    for list in ["runs", "ls", "next"] {
        let out = world.run(&[list]).out();
        assert!(line_of(&out, "backup").contains(why), "{list}: {out}");
    }
    for list in ["runs", "ls"] {
        let out = world.run(&[list]).out();
        assert!(line_of(&out, "sync_wallet").contains(why), "{list}: {out}");
    }
    let runs = world.run(&["runs", "-o", "json"]).json();
    for run in ["1", "2"] {
        assert_eq!(run_of(&runs["runs"], run)["waits"]["kind"], "no_configuration", "{runs:#}");
    }
    let next = world.run(&["next", "-o", "json"]).json();
    assert_eq!(run_of(&next["next"], "1")["waits"]["kind"], "no_configuration", "{next:#}");
}

#[test]
fn a_run_whose_node_is_gone_is_running_nowhere() {
    let mut world = World::new();
    world.ago(1_000);
    world.trigger("sync_wallet", r#"{"wallet":"SP2X0"}"#);
    world.claim();
    world.leave();
    for list in ["runs", "keys", "ls"] {
        let out = world.run(&[list]).out();
        let line = line_of(&out, "sync_wallet");
        assert!(line.contains("was running"), "{list}: {out}");
    }
    for list in ["runs", "keys"] {
        let all = world.run(&[list, "-o", "json"]).json();
        assert_eq!(all[list][0]["state"], "was_running", "{all:#}");
    }
    let jobs = world.run(&["ls", "-o", "json"]).json();
    let job = jobs["jobs"].as_array().unwrap().iter().find(|job| job["job"] == "sync_wallet").unwrap();
    assert_eq!((&job["runs"]["running"], &job["runs"]["was_running"]), (&0.into(), &1.into()), "{jobs:#}");
}

#[test]
fn a_run_took_what_its_attempt_took() {
    let mut world = World::new();
    world.ago(500);
    world.trigger("strict", "null");
    let claimed = world.claim();
    world.ago(400);
    let settle = settled(&claimed[0], Outcome::Success, None, b"");
    world.op(Op::Settle(Settle { took: Some(Duration::from_millis(12_400)), ..settle }));
    let out = world.run(&["runs"]).out();
    assert!(line_of(&out, "strict").contains(" 12s"), "{out}");
    let runs = world.run(&["runs", "-o", "json"]).json();
    assert_eq!(runs["runs"][0]["took_s"], 12.4, "{runs:#}");
    let explained = world.run(&["explain", "1"]).out();
    assert!(explained.contains("succeeded after 12s"), "{explained}");
}

#[test]
fn rules_that_let_one_wait_behind_several_are_in_words() {
    let mut world = World::new();
    let dedup =
        Dedup { key: KeyRule::Fields(vec!["wallet".into()]), until: Until::Start, on_duplicate: OnDuplicate::Skip };
    let policy = Policy { dedup: Some(dedup), max_concurrent: Concurrency::Limited(2), ..Policy::new(false, None) };
    world.load(vec![("sync", policy)]);
    let out = world.run(&["show", "sync"]).out();
    let words = line_of(&out, "in words");
    let says = "one with the same wallet may wait, whatever runs; others are skipped";
    assert!(words.contains("2 at a time, ") && words.contains(says), "{out}");
    let explained = world.run(&["explain", "sync"]).out();
    // It breaks its lines.
    let explained = explained.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(explained.contains(says), "{explained}");
}

#[test]
fn runs_for_later_are_in_every_list() {
    let mut world = World::new();
    world.ago(10);
    let at = world.now.plus(Duration::from_secs(3_000));
    world.op(Op::Trigger(Trigger {
        job: "strict".into(),
        args: Args::parse(b"null"),
        priority: None,
        when: When::At(at),
        id: None,
        source: Source::Cli,
        by: "anna@web1".into(),
    }));
    assert!(line_of(&world.run(&["ls"]).out(), "strict").contains("1 for later"));
    assert!(line_of(&world.run(&["next"]).out(), "strict").ends_with("run 1"));
    assert!(line_of(&world.run(&["runs"]).out(), "strict").contains("due in 49m"));
    assert!(world.run(&["show", "strict"]).out().contains("run 1 is due in 49m"));
}

#[test]
fn decisions_that_say_the_same_are_one_line() {
    let mut world = World::new();
    world.ago(3_000);
    for _ in 0..2 {
        world.trigger("tail", "null");
    }
    for ago in [2_900, 2_800, 2_700, 2_600] {
        world.ago(ago);
        world.trigger("tail", "null");
        // What another job did stands between no two of them.
        world.trigger("strict", "null");
    }
    let out = world.run(&["decisions", "--refused"]).out();
    let lines: Vec<&str> = out.lines().filter(|line| line.contains("tail")).collect();
    assert_eq!(lines.len(), 1, "{out}");
    assert!(lines[0].contains(" 4  "), "{out}");
    // Programs get every row.
    let rows = world.run(&["decisions", "tail", "--refused", "-o", "json"]).json();
    assert_eq!(rows["decisions"].as_array().unwrap().len(), 4, "{rows:#}");
}

#[test]
fn a_clock_behind_the_last_tick_is_said_with_the_instant_that_comes() {
    let mut world = World::new();
    world.ago(0);
    world.now = world.now.plus(Duration::from_secs(3_100));
    world.op(Op::Ticks(Ticks { jobs: None, by: "web1".into() }));
    let ran = world.run(&["next", "backup"]);
    assert!(ran.err().contains("backup does not tick yet: the clock is behind its last tick of "), "{}", ran.err());
    let next = world.run(&["next", "backup", "-o", "json"]).json();
    let at = world.client().job("backup").unwrap().unwrap().next_at.unwrap();
    let said: jiff::Timestamp =
        next["next"].as_array().unwrap().iter().find(|one| one["what"] == "tick").unwrap()["at"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap();
    assert_eq!(said.as_microsecond(), at.0, "{next:#}");
}
