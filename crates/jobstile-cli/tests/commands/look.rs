//! Commands that look and change nothing.

use jobstile_child::Limited as _;

use insta::assert_snapshot;
use jobstile::op::{Due, Op};
use jobstile_core::outcome::Outcome;
use serde_json::Value;

use crate::world::{World, settled};

/// A store in which everything is to be seen: runs in every state, skips, a dead run that a later one made good for.
fn full() -> World {
    let mut world = World::new();
    world.ran("backup", "null", 9_000, 240, Outcome::Success, None);
    world.ran("strict", "null", 8_000, 12, Outcome::Success, None);
    // Twice, and then dead.
    world.ran("backup", "null", 4_000, 75, Outcome::Failure, Some("exit code 1, \"disk full\""));
    world.ago(3_800);
    world.op(jobstile::op::Op::Due(Due { max: 9 }));
    let again = world.claim();
    world.ago(3_700);
    world.settle(&again[0], Outcome::Timeout, Some("timed out after 1h"), b"begin\n");
    world.ran("backup", "null", 3_560, 100, Outcome::Failure, Some("exit code 7, \"again\""));
    world.ago(3_000);
    world.trigger("tail", "null");
    world.trigger("tail", "null");
    world.trigger("tail", "null");
    world.ago(192);
    world.trigger("sync_wallet", r#"{"wallet":"SP2X0"}"#);
    world.claim();
    world.ago(130);
    for _ in 0..3 {
        world.trigger("sync_wallet", r#"{"wallet":"SP2X0"}"#);
    }
    world
}

#[test]
fn ls_show_and_next() {
    let world = full();
    assert_snapshot!(world.screen(&["ls"]));
    assert_snapshot!(world.screen(&["show", "sync_wallet"]));
    assert_snapshot!(world.screen(&["show", "chain_state_monitor"]));
    assert_snapshot!(world.screen(&["next", "-l", "6"]));
}

#[test]
fn runs_and_logs() {
    let world = full();
    assert_snapshot!(world.screen(&["runs"]));
    assert_snapshot!(world.screen(&["runs", "--failed", "--since", "2h"]));
    assert_snapshot!(world.screen(&["runs", "backup", "-l", "1"]));
    assert_snapshot!(world.screen(&["logs", "1"]));
    assert_snapshot!(world.screen(&["logs", "backup", "--failed"]));
}

#[test]
fn runs_go_on_page_by_page() {
    let world = full();
    let all = world.run(&["runs", "-o", "jsonl"]).out();
    let ids: Vec<String> = all.lines().map(|line| run_of(&serde_json::from_str(line).unwrap())).collect();
    assert!(ids.len() > 5, "{ids:?}");
    let (mut paged, mut after) = (vec![], None::<String>);
    loop {
        let mut line = vec!["runs", "-o", "json", "-l", "2"];
        if let Some(after) = &after {
            line.extend(["--after", after]);
        }
        let page = world.run(&line).json();
        paged.extend(page["runs"].as_array().unwrap().iter().map(run_of));
        match page["after"].as_str() {
            Some(next) => after = Some(next.to_owned()),
            None => break,
        }
    }
    assert_eq!(paged, ids);
}

fn run_of(run: &Value) -> String {
    run["run"].as_str().unwrap().to_owned()
}

#[test]
fn nodes_keys_and_decisions() {
    let world = full();
    assert_snapshot!(world.screen(&["nodes"]));
    assert_snapshot!(world.screen(&["keys"]));
    assert_snapshot!(world.screen(&["decisions"]));
    assert_snapshot!(world.screen(&["decisions", "tail", "--refused"]));
}

#[test]
fn decisions_go_on_page_by_page() {
    let world = full();
    let all = world.run(&["decisions", "-o", "json"]).json();
    let all = all["decisions"].as_array().unwrap().clone();
    let (mut paged, mut after) = (vec![], None::<String>);
    loop {
        let mut line = vec!["decisions", "-o", "json", "-l", "3"];
        if let Some(after) = &after {
            line.extend(["--after", after]);
        }
        let page = world.run(&line).json();
        paged.extend(page["decisions"].as_array().unwrap().iter().cloned());
        match page["after"].as_str() {
            Some(next) => after = Some(next.to_owned()),
            None => break,
        }
    }
    assert_eq!(paged, all);
    assert!(paged.len() > 8);
}

#[test]
fn doctor_and_verify() {
    let world = full();
    assert_snapshot!(world.screen(&["verify"]));
    let ran = world.run(&["doctor", "-o", "jsonl"]);
    // The file system and the versions are those of the person who runs the tests.
    let looked: Vec<String> = ran
        .out()
        .lines()
        .map(|line| {
            let one: Value = serde_json::from_str(line).unwrap();
            format!("{} {}", one["what"].as_str().unwrap(), one["verdict"].as_str().unwrap())
        })
        .filter(|line| !line.starts_with("file system"))
        .collect();
    let expected = "file good, folder good, write-ahead log good, SQLite good, schema good, contents good, promises good, node good, job bad, \
         configuration note";
    assert_eq!(looked.join(", "), expected);
    assert_eq!(ran.code(), 1, "a job cannot be run");
}

#[test]
fn a_broken_promise_is_found() {
    let world = full();
    let file = world.file();
    drop(world.client());
    break_a_promise(&file);
    let ran = world.run(&["verify"]);
    assert_eq!(ran.code(), 1);
    assert!(ran.out().contains("the tally of a job is the count of its live runs"), "{}", ran.out());
    let ran = world.run(&["verify", "-o", "json"]);
    assert_eq!((ran.code(), ran.json()["violations"][0]["check"].as_str()), (1, Some("tally_counts_the_runs")));
    let doctor = world.run(&["doctor"]).out();
    assert!(doctor.contains("broken: jobstile verify"), "{doctor}");
}

// With the system's own sqlite3, as somebody's hand might.
fn break_a_promise(file: &std::path::Path) {
    let script = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('update tally set queued = queued + 1'); c.commit()";
    let done = std::process::Command::new("python3").args(["-c", script]).arg(file).limited().unwrap().status;
    assert!(done.success());
}

#[test]
fn json_says_the_same_with_whole_times_and_ids_as_strings() {
    let world = full();
    let run = &world.run(&["runs", "sync_wallet", "-o", "json"]).json()["runs"][0];
    assert_eq!(run["state"], "running");
    assert_eq!(run["args"]["wallet"], "SP2X0");
    assert!(run["run"].is_string() && run["fence"].is_string() && run["version"].is_string());
    let at: jiff::Timestamp = run["claimed_at"].as_str().unwrap().parse().unwrap();
    assert!(run["claimed_at"].as_str().unwrap().ends_with('Z'));
    assert_eq!(
        at.as_microsecond(),
        world.client().run(jobstile_core::id::RunId(7)).unwrap().unwrap().row.claimed_at.unwrap().0
    );
    let job = &world.run(&["show", "backup", "-o", "json"]).json();
    assert_eq!(job["policy"]["every"], "2h");
    assert_eq!(job["in_force"]["on_full"], "skip");
    assert_eq!(job["slots"].as_array().unwrap().len(), 1);
    assert_eq!(job["switches"]["deduplication"], true);
    for line in [
        &["ls"][..],
        &["runs"],
        &["next"],
        &["decisions"],
        &["keys"],
        &["nodes"],
        &["doctor"],
        &["show", "tail"],
        &["logs", "1"],
    ] {
        let one = world.run(&[line, &["-o", "json"]].concat());
        assert!(one.json().is_object(), "{line:?}");
        let lines = world.run(&[line, &["-o", "jsonl"]].concat());
        assert!(lines.out().lines().count() > 0, "{line:?}");
        for line in lines.out().lines() {
            serde_json::from_str::<Value>(line).unwrap();
        }
    }
}

#[test]
fn a_run_that_runs_is_shown_from_its_file() {
    use jobstile_core::id::RunId;
    let world = full();
    let run = world.client().run(RunId(7)).unwrap().unwrap().row;
    let file = jobstile::runner::output::path(&jobstile::engine::node_dir(&world.file()), RunId(7), run.fence);
    // As its keeper writes it: the mark, how much there is, then the bytes.
    let mut bytes = vec![0; 64];
    bytes[..8].copy_from_slice(b"JBSTOUT1");
    bytes[16..24].copy_from_slice(&9u64.to_le_bytes());
    bytes.extend(b"so far \x1b\n");
    std::fs::write(file, bytes).unwrap();
    let ran = world.run(&["logs", "7"]);
    assert_eq!((ran.out().as_str(), ran.code()), ("so far \\x1b\n", 0));
    assert!(ran.err().contains("run 7 of sync_wallet, attempt 1; running for 3m 1"), "{}", ran.err());
    assert_eq!(world.run(&["logs", "7", "--raw"]).0.stdout, b"so far \x1b\n");
}

#[test]
fn what_is_not_kept_of_an_output_is_said_in_its_place() {
    let mut world = World::new();
    world.ago(60);
    world.trigger("strict", "null");
    let claimed = world.claim();
    let mut settle = settled(&claimed[0], Outcome::Success, None, b"one\ntw");
    if let Some(printed) = &mut settle.printed {
        (printed.tail, printed.dropped) = (b"ree\n".to_vec(), 7);
    }
    world.op(Op::Settle(settle));
    assert_eq!(world.run(&["logs", "1"]).out(), "one\ntw\n… 7 bytes not kept …\nree\n");
    assert_eq!(world.run(&["logs", "1", "--raw"]).out(), "one\ntwree\n");
    world.trigger("tail", "null");
    assert!(world.run(&["logs", "2"]).err().ends_with("nothing was started that could print\n"));
}
