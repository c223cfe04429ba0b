//! Whatever somebody puts into arguments, names, reasons, messages and output: none of it acts on a terminal.

use jobstile::args::Args;
use jobstile::op::{Answer, Cancel, Op, Pause, Paused, Trigger};
use jobstile_core::outcome::Outcome;
use jobstile_core::trigger::{Source, When};

use crate::world::{Ran, World};

/// Colours, a new title, a cleared screen, a forged line, and text that runs the other way.
const EVIL: &str = "\u{1b}[31m\u{1b}]0;owned\u{7}\u{1b}[2J\r\nroot: ok\u{8}\u{9b}31m\u{202e}txt\u{2028}\u{feff}";

fn world() -> World {
    let mut world = World::new();
    let args = serde_json::json!({ "wallet": EVIL, (EVIL): 1 }).to_string();
    world.ran("sync_wallet", &args, 500, 10, Outcome::Failure, Some(EVIL));
    world.ago(100);
    world.trigger("sync_wallet", &args);
    world.claim();
    world.ran("strict", "null", 90, 10, Outcome::Failure, Some(EVIL));
    world.ago(60);
    let trigger = Trigger {
        job: EVIL.into(),
        args: Ok(Args::none()),
        priority: None,
        when: When::Now,
        id: None,
        source: Source::Cli,
        by: EVIL.into(),
    };
    assert!(matches!(world.op(Op::Trigger(trigger)), Answer::Decided(_)));
    let pause = Paused { until: None, by: EVIL.into(), why: Some(EVIL.into()) };
    world.op(Op::Pause(Pause { job: Some("backup".into()), pause }));
    world.op(Op::Cancel(Cancel { run: jobstile_core::id::RunId(2), by: EVIL.into() }));
    world
}

fn harmless(line: &[&str], ran: &Ran) {
    for text in [ran.out(), ran.err()] {
        let acts = |c: char| {
            c.is_control() && c != '\n' || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
        };
        assert!(!text.contains(acts), "{line:?}: {text:?}");
        assert!(!text.lines().any(|line| line.starts_with("root: ok")), "{line:?}: {text}");
    }
}

#[test]
fn no_command_lets_it_through() {
    let world = world();
    let lines: &[&[&str]] = &[
        &["ls"],
        &["show", "backup"],
        &["show", "sync_wallet"],
        &["runs"],
        &["runs", "--failed"],
        &["next"],
        &["logs", "1"],
        &["nodes", "--all"],
        &["keys"],
        &["decisions"],
        &["doctor"],
        &["verify"],
        &["explain", "sync_wallet"],
        &["explain", "2"],
        &["cancel", "2"],
        &["retry", "1"],
        &["trigger", "backup"],
        &["trigger", EVIL],
        &["trigger", "sync_wallet", "--args", EVIL],
        &["trigger", "strict", "--id", EVIL],
        &["trigger", "backup", "--at", EVIL],
        &["show", EVIL],
        &["logs", EVIL],
        &["runs", EVIL],
        &["pause", EVIL],
        &["ls", "--store", EVIL],
        &["backup", EVIL],
        &["backup", EVIL],
        &["ls", "--config", EVIL],
        &[EVIL],
    ];
    for line in lines {
        harmless(line, &world.run(line));
    }
    let args = serde_json::json!({ "wallet": EVIL, (EVIL): 1 }).to_string();
    harmless(&["trigger"], &world.run(&["trigger", "sync_wallet", "--args", &args]));
    harmless(
        &["trigger"],
        &world.run(&["trigger", "sync_wallet", "--args", &serde_json::json!({ (EVIL): 1 }).to_string()]),
    );
}

#[test]
fn no_json_lets_it_through_either() {
    let world = world();
    let args = serde_json::json!({ "wallet": EVIL, (EVIL): 1 }).to_string();
    let lines: &[&[&str]] = &[
        &["ls"],
        &["show", "backup"],
        &["runs"],
        &["next"],
        &["logs", "1"],
        &["nodes", "--all"],
        &["keys"],
        &["decisions"],
        &["doctor"],
        &["verify"],
        &["monitor"],
        &["explain", "sync_wallet"],
        &["explain", "2"],
        &["cancel", "2"],
        &["retry", "1"],
        &["trigger", "sync_wallet", "--args", &args],
        &["trigger", EVIL],
        &["backup", EVIL],
        &["backup", EVIL],
        &["runs", EVIL],
        &["ls", "--store", EVIL],
        &["test-dedup", EVIL],
        &[EVIL],
    ];
    for form in ["json", "jsonl"] {
        for line in lines {
            let ran = world.run(&[line, &["-o", form][..]].concat());
            harmless(line, &ran);
            for text in ran.err().lines() {
                serde_json::from_str::<serde_json::Value>(text).unwrap_or_else(|e| panic!("{line:?}: {e}: {text}"));
            }
        }
    }
}

#[test]
fn output_is_shown_line_by_line_and_raw_where_it_is_asked_for() {
    let mut world = World::new();
    world.ago(100);
    world.trigger("strict", "null");
    let claimed = world.claim();
    world.settle(&claimed[0], Outcome::Success, None, format!("one\ttab\n{EVIL}\n\u{e9}\n").as_bytes());
    let ran = world.run(&["logs", "1"]);
    assert!(ran.out().starts_with("one\ttab\n\\x1b[31m\\x1b]0;owned\\x07"), "{}", ran.out());
    assert!(ran.out().ends_with("\u{e9}\n"));
    assert!(!ran.out().contains('\u{1b}'));
    assert_eq!(world.run(&["logs", "1", "--raw"]).out(), format!("one\ttab\n{EVIL}\n\u{e9}\n"));
}

#[test]
fn json_keeps_it_as_it_is_and_is_one_line_an_object() {
    let world = world();
    let lines = world.run(&["runs", "-o", "jsonl"]);
    let first: serde_json::Value = serde_json::from_str(lines.out().lines().next().unwrap()).unwrap();
    assert_eq!(first["args"]["wallet"], EVIL);
    assert_eq!(lines.out().lines().count(), 3);
}
