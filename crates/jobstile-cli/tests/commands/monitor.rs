//! `monitor`: what goes on now, in a pipe and on terminals of several sizes.

use std::collections::HashMap;
use std::time::Duration;

use jobstile_child::Limited as _;

use insta::assert_snapshot;
use jobstile::op::{Due, Op, Pause, Paused, Reap};
use jobstile_core::outcome::Outcome;
use jobstile_core::policy::{Backoff, Policy, Switches};
use jobstile_core::schedule::{CatchUp, First, Schedule};
use serde_json::Value;

use crate::terminal::{Terminal, on_terminal};
use crate::world::{NODE, World, instant};

// What somebody sees, whatever day it is.
fn look(world: &World, line: &[&str]) -> String {
    without_day(&world.screen(line))
}

// `Tue 24 Nov` is DAY.
fn without_day(text: &str) -> String {
    let line = |line: &str| {
        let mut words: Vec<&str> = line.split(' ').collect();
        let is_day = |word: &&str| ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"].contains(word);
        if let Some(at) = words.iter().position(is_day) {
            words.splice(at..at + 3, ["DAY"]);
        }
        words.join(" ")
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

// The counted hours are this one and the one before it: what happened here lies less than one hour or more than three
// hours back.
fn nothing_is_well() -> World {
    let mut world = World::new();
    // Dead, after a timeout.
    world.ran("backup", "null", 3_000, 75, Outcome::Failure, Some("exit code 1, \"disk full\""));
    world.ago(2_800);
    world.op(Op::Due(Due { max: 9 }));
    let again = world.claim();
    world.ago(2_200);
    world.settle(&again[0], Outcome::Timeout, Some("timed out after 10m"), b"begin\n");
    world.ran("strict", "null", 2_100, 12, Outcome::Success, None);
    world.ran("strict", "null", 2_000, 14, Outcome::Success, None);
    // Nobody can run it.
    world.ago(1_900);
    for _ in 0..3 {
        world.trigger("tail", "null");
    }
    world.ago(1_800);
    pause(&mut world, "sync_wallet", Some("a new ledger"));
    world.trigger("sync_wallet", r#"{"wallet":"SP2X0"}"#);
    world.ago(192);
    world.trigger("chain_state_monitor", "null");
    world.claim();
    for seconds in [150, 130, 110] {
        world.ago(seconds);
        world.trigger("chain_state_monitor", "null");
    }
    world
}

fn pause(world: &mut World, job: &str, why: Option<&str>) {
    let why = why.map(ToOwned::to_owned);
    pause_of(world, Some(job.into()), why);
}

fn pause_of(world: &mut World, job: Option<String>, why: Option<String>) {
    world.op(Op::Pause(Pause { job, pause: Paused { until: None, by: "anna@web1".into(), why } }));
}

#[test]
fn all_of_it_in_a_pipe() {
    assert_snapshot!(look(&nothing_is_well(), &["monitor"]));
}

#[test]
fn nothing_wrong() {
    let mut world = World::new();
    world.load(vec![("strict", Policy::new(false, None))]);
    world.ran("strict", "null", 2_100, 12, Outcome::Success, None);
    assert_snapshot!(look(&world, &["monitor"]));
}

#[test]
fn the_last_end_of_a_job_that_retries_is_its_failed_attempt() {
    let mut world = World::new();
    let backoff = Backoff { delay: Duration::from_secs(3_600), ..Backoff::default() };
    world.load(vec![("backup", Policy { attempts: 3, backoff, ..Policy::new(false, None) })]);
    world.ran("backup", "null", 3_000, 240, Outcome::Success, None);
    world.ran("backup", "null", 40, 20, Outcome::Failure, Some("exit code 1, \"disk full\""));
    assert_snapshot!(look(&world, &["monitor", "-j", "backup"]));
    let page = world.run(&["monitor", "-o", "json"]).json();
    let backup = page["jobs"].as_array().unwrap().iter().find(|job| job["job"] == "backup").unwrap();
    assert_eq!(
        (&backup["last_end"]["state"], &backup["last_attempt"]["outcome"]),
        (&"succeeded".into(), &"failure".into())
    );
    let recent = page["recent"].as_array().unwrap();
    assert!(recent.last().unwrap()["outcome"] == "failure", "{page:#}");
}

#[test]
fn runs_refused_at_the_start_are_counted_and_told() {
    let mut world = World::new();
    world.ago(3_000);
    switch_deduplication(&mut world, false);
    for _ in 0..3 {
        world.trigger("chain_state_monitor", "null");
    }
    world.ago(2_900);
    switch_deduplication(&mut world, true);
    world.claim();
    world.claim();
    let screen = look(&world, &["monitor", "-j", "chain_state_monitor"]);
    assert_snapshot!(screen);
}

fn switch_deduplication(world: &mut World, on: bool) {
    world.apply(vec![], Switches { deduplication: on, ..Switches::default() }, false);
}

#[test]
fn the_parts_are_the_whole() {
    let world = nothing_is_well();
    let page = world.run(&["monitor", "-o", "json"]).json();
    let number = |of: &serde_json::Value, name: &str| of[name].as_u64().unwrap();
    for of in [&page["of_ticks"], &page["of_triggers"]] {
        let parts: u64 = ["runs", "skips", "taken_in", "missed", "rejected"].iter().map(|name| number(of, name)).sum();
        assert_eq!(number(of, "all"), parts, "{of}");
    }
    let of_jobs = |name: &str| page["jobs"].as_array().unwrap().iter().map(|job| number(job, name)).sum::<u64>();
    assert_eq!(number(&page, "skips"), of_jobs("skips"));
    assert_eq!(
        number(&page, "runs") + number(&page, "skips") + number(&page, "rejected"),
        number(&page["of_triggers"], "all")
    );
}

#[test]
fn paused_is_not_well() {
    let mut world = World::new();
    world.ago(600);
    pause(&mut world, "strict", None);
    pause(&mut world, "backup", None);
    pause(&mut world, "report", Some("moving"));
    let screen = look(&world, &["monitor"]);
    assert!(screen.contains("3 paused"), "{screen}");
    assert!(screen.contains("backup, strict are paused by anna@web1; since "), "{screen}");
    assert!(screen.contains("report is paused by anna@web1: moving; since "), "{screen}");
    pause_of(&mut world, None, None);
    let screen = look(&world, &["monitor"]);
    assert!(screen.contains("all 6 jobs are paused by anna@web1; since "), "{screen}");
    assert!(screen.contains("jobstile resume --all"), "{screen}");
}

#[test]
fn nodes_of_one_name_are_told_apart() {
    let mut world = World::new();
    world.ago(3_030);
    let lock = world.enter_as("ffeeddccbbaa99887766554433221100", 4712);
    world.ago(1_930);
    world.trigger("strict", "null");
    world.claim();
    assert_snapshot!(look(&world, &["monitor", "-j", "strict"]));
    drop(lock);
}

#[test]
fn a_daemon_that_does_not_move() {
    let world = World::new();
    let mut command = world.command(&["monitor", "-j", "strict"]);
    let lock = jobstile::engine::node_dir(&world.file()).join(format!("{NODE}.lock"));
    let then = std::time::SystemTime::now() - Duration::from_secs(130);
    std::fs::File::options().write(true).open(lock).unwrap().set_modified(then).unwrap();
    let out = String::from_utf8(command.limited().unwrap().stdout).unwrap();
    assert!(out.contains("NOT ANSWERING: web1 (pid 4711) is there, but was last seen 2m 1"), "{out}");
    assert!(out.contains("attention: 1 not answering"), "{out}");
}

#[test]
fn the_trend_of_two_looks() {
    let world = nothing_is_well();
    let screen = on_terminal(&world, (140, 40), &["monitor", "-c", "-i", "1"], "trend=q");
    let drawn = screen.bytes.split("trend     ").nth(1).unwrap().split('\x1b').next().unwrap();
    assert!(drawn.ends_with(": active 1 to 1, pending 3 to 3, dead 1 to 1, 0 more runs, 0 more skips"), "{drawn}");
}

#[test]
fn nobody_works() {
    let mut world = World::new();
    assert!(look(&world, &["monitor"]).contains(" · live\n"));
    world.ago(1_000);
    world.trigger("strict", "null");
    world.claim();
    world.leave();
    assert_snapshot!(look(&world, &["monitor", "-j", "strict"]));
    let mut world = World::new();
    world.ran("strict", "null", 2_100, 12, Outcome::Success, None);
    world.ago(0);
    world.op(Op::Reap(Reap { node: NODE.into(), reason: "stopped".into(), printed: HashMap::new() }));
    world.leave();
    let screen = look(&world, &["monitor", "-j", "strict"]);
    assert!(screen.contains("NOT LIVE: web1 (pid 4711) has just left\n"), "{screen}");
    assert!(screen.contains("no worker: nothing starts.\n"), "{screen}");
}

#[test]
fn dead_runs_of_one_job_are_one_line_and_their_ends_one_event() {
    let mut world = World::new();
    for ago in [3_000, 2_000, 1_000] {
        world.ran("strict", "null", ago, 12, Outcome::Failure, Some("exit code 1"));
    }
    let screen = look(&world, &["monitor", "-j", "strict"]);
    let line =
        "strict has 3 dead runs, the last since 00:00:00.   jobstile logs 3 · jobstile retry --job strict --dead\n";
    assert!(screen.contains(line), "{screen}");
    assert!(screen.contains("run 3 is DEAD after 1 attempt: exit code 1, 3 times since 00:00:00\n"), "{screen}");
}

#[test]
fn on_a_terminal() {
    let world = nothing_is_well();
    for size in [(80, 24), (45, 30), (140, 40)] {
        let screen = on_terminal(&world, size, &["monitor", "-c"], "q");
        fits(&screen, &world, size);
        assert_snapshot!(format!("continuous_{}x{}", size.0, size.1), without_day(&screen.lines(&world).join("\n")));
    }
    for columns in [45, 80] {
        let screen = on_terminal(&world, (columns, 24), &["monitor"], "");
        assert_eq!(screen.code, 0);
        assert_snapshot!(format!("one_look_{columns}"), without_day(&screen.lines(&world).join("\n")));
    }
}

#[test]
fn many_jobs_on_a_small_screen() {
    let mut world = nothing_is_well();
    let jobs: Vec<String> = (1..=20).map(|n| format!("job_{n:02}")).collect();
    world.ago(1_000);
    let policies = jobs.iter().map(|name| (name.as_str(), Policy::new(false, None))).collect();
    world.apply(policies, Switches::default(), false);
    let screen = on_terminal(&world, (80, 24), &["monitor", "-c"], "q");
    fits(&screen, &world, (80, 24));
    let lines = screen.lines(&world);
    assert!(lines.iter().any(|line| line.starts_with("and ") && line.ends_with(": jobstile monitor")), "{lines:#?}");
    assert!(lines.iter().any(|line| line.starts_with("and ") && line.ends_with(": jobstile ls")), "{lines:#?}");
}

fn fits(screen: &Terminal, world: &World, (columns, rows): (u16, u16)) {
    let lines = screen.lines(world);
    let widest = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
    // The last one is how to leave.
    assert!(lines.len() <= usize::from(rows), "{lines:#?}");
    assert!(widest <= usize::from(columns), "{lines:#?}");
}

#[test]
fn the_terminal_is_as_it_was_afterwards() {
    let world = World::new();
    for act in ["q", "\x03", "SIGTERM", "SIGHUP", "SIGINT"] {
        let screen = on_terminal(&world, (80, 24), &["monitor", "-c", "-i", "60"], act);
        assert_eq!((screen.code, screen.same_modes), (0, true), "{act:?}");
        let shows = screen.bytes.rfind("\x1b[?25h").unwrap();
        let hides = screen.bytes.rfind("\x1b[?25l").unwrap();
        assert!(shows > hides, "{act:?}: the cursor");
        assert!(screen.bytes.ends_with("\x1b[?1049l"), "{act:?}: {:?}", &screen.bytes[shows..]);
    }
}

#[test]
fn it_ends_with_its_terminal() {
    let world = World::new();
    let screen = on_terminal(&world, (80, 24), &["monitor", "-c", "-i", "60"], "CLOSE");
    assert_eq!(screen.code, 0, "{}", screen.bytes);
}

// What `monitor` says of a job to a program.
fn job_of(page: &Value, job: &str) -> Value {
    page["jobs"].as_array().unwrap().iter().find(|one| one["job"] == job).unwrap().clone()
}

// What needs somebody, of one kind.
fn attention_of(page: &Value, kind: &str) -> Vec<Value> {
    page["attention"].as_array().unwrap().iter().filter(|one| one["kind"] == kind).cloned().collect()
}

#[test]
fn a_rejected_trigger_is_no_skip() {
    let mut world = World::new();
    world.ago(1_000);
    for _ in 0..3 {
        world.trigger("strict", "null");
    }
    let page = world.run(&["monitor", "-o", "json"]).json();
    for of in [&page, &job_of(&page, "strict")] {
        assert_eq!((&of["runs"], &of["skips"], &of["rejected"]), (&1.into(), &0.into(), &2.into()), "{of:#}");
    }
    let screen = look(&world, &["monitor"]);
    assert!(screen.contains("3 triggers, 1 run, 0 skips, 2 rejected"), "{screen}");
}

#[test]
fn a_dead_run_that_was_made_up_for_needs_nobody() {
    let mut world = World::new();
    world.ran("strict", "null", 3_000, 12, Outcome::Failure, Some("exit code 1"));
    let page = world.run(&["monitor", "-o", "json"]).json();
    assert_eq!((&page["dead"], attention_of(&page, "dead").len()), (&1.into(), 1), "{page:#}");
    world.ran("strict", "null", 2_000, 12, Outcome::Success, None);
    let page = world.run(&["monitor", "-o", "json"]).json();
    assert_eq!((&page["dead"], attention_of(&page, "dead").len()), (&0.into(), 0), "{page:#}");
    assert_eq!(job_of(&page, "strict")["recovered"], 1, "{page:#}");
    let screen = look(&world, &["monitor"]);
    assert!(!screen.contains("dead run") && screen.contains(" · dead 0 · "), "{screen}");
}

#[test]
fn timeouts_count_against_successes() {
    let mut world = World::new();
    for (ago, outcome) in [(3_000, Outcome::Success), (2_000, Outcome::Timeout), (1_000, Outcome::Success)] {
        world.ran("strict", "null", ago, 12, outcome, None);
    }
    world.ran("strict", "null", 900, 12, Outcome::Cancelled, None);
    let page = world.run(&["monitor", "-o", "json"]).json();
    let percent = job_of(&page, "strict")["success_percent"].as_f64().unwrap();
    assert!((percent - 200.0 / 3.0).abs() < 0.001, "{page:#}");
    assert!(look(&world, &["monitor"]).contains(" 66.7 % "), "{percent}");
}

#[test]
fn runs_of_a_job_taken_out_need_somebody() {
    let mut world = World::new();
    world.ago(1_000);
    for wallet in [r#"{"wallet":"A"}"#, r#"{"wallet":"B"}"#] {
        world.trigger("sync_wallet", wallet);
    }
    world.ago(900);
    world.load(vec![("sync_purse", Policy::new(false, None))]);
    let page = world.run(&["monitor", "-o", "json"]).json();
    let removed = attention_of(&page, "no_configuration");
    assert_eq!(removed.len(), 1, "{page:#}");
    assert_eq!((&removed[0]["job"], &removed[0]["runs"]), (&"sync_wallet".into(), &2.into()));
    assert_eq!(instant(&removed[0]["since"]), world.now);
    let says = removed[0]["says"].as_str().unwrap();
    assert!(says.starts_with("2 runs of sync_wallet wait: no configuration names it since "), "{says}");
    let explained = world.run(&["explain", "sync_wallet", "-o", "json"]).json();
    assert_eq!((&explained["in_the_way"]["kind"], &explained["next_tick"]), (&"no_configuration".into(), &Value::Null));
    assert_eq!(instant(&explained["in_the_way"]["since"]), world.now);
    let run = world.run(&["explain", "2", "-o", "json"]).json();
    assert_eq!(run["waits"]["kind"], "no_configuration", "{run:#}");
}

#[test]
fn a_run_that_hangs_is_not_well() {
    let mut world = World::new();
    let every = Schedule { every: Duration::from_secs(20), first: First::AfterInterval, catch_up: CatchUp::None };
    world.ago(3_000);
    world.load(vec![("strict", Policy { timeout: None, ..Policy::new(false, Some(every)) })]);
    for ago in [2_900, 2_800, 2_700] {
        world.ran("strict", "null", ago, 2, Outcome::Success, None);
    }
    world.ago(600);
    world.trigger("strict", "null");
    world.claim();
    for ago in [500, 400] {
        world.ago(ago);
        world.trigger("strict", "null");
    }
    let page = world.run(&["monitor", "-o", "json"]).json();
    let unusual = attention_of(&page, "unusually_long");
    assert_eq!(unusual.len(), 1, "{page:#}");
    assert_eq!((&unusual[0]["run"], &unusual[0]["turned_away"]), (&"4".into(), &2.into()), "{page:#}");
    let says = unusual[0]["says"].as_str().unwrap();
    let whole = ", usually 2s, at most 2s; it turned away 2 triggers.";
    assert!(says.starts_with("run 4 of strict is unusually long: 10m") && says.ends_with(whole), "{says}");
    assert_eq!(unusual[0]["try"], serde_json::json!(["jobstile logs 4", "jobstile cancel 4"]));
    let explained = world.run(&["explain", "strict", "-o", "json"]).json();
    assert_eq!(explained["standing"]["unusual"], true, "{explained:#}");
    let advice: Vec<&Value> = explained["advice"].as_array().unwrap().iter().map(|one| &one["kind"]).collect();
    assert!(advice.contains(&&"logs".into()) && advice.contains(&&"cancel".into()), "{explained:#}");
    let screen = look(&world, &["explain", "strict"]);
    assert!(screen.contains("unusually long") && screen.contains("jobstile cancel 4"), "{screen}");
}

#[test]
fn there_is_one_window_and_it_begins_with_the_store() {
    let mut world = World::new();
    world.ran("strict", "null", 2_100, 12, Outcome::Success, None);
    let page = world.run(&["monitor", "-o", "json"]).json();
    let explained = world.run(&["explain", "strict", "-o", "json"]).json();
    let pattern = &explained["pattern"];
    assert_eq!((&page["since"], &page["all_there_is"]), (&pattern["since"], &pattern["all_there_is"]));
    assert_eq!(page["all_there_is"], true, "{page:#}");
    let age = instant(&page["at"]).since(instant(&page["since"])).as_secs();
    assert!((11_400..11_600).contains(&age), "{age} s: {page:#}");
    assert_eq!(pattern["of_triggers"], job_of(&page, "strict")["of_triggers"]);
}

#[test]
fn a_killed_run_was_running() {
    let mut world = World::new();
    world.ago(1_000);
    world.trigger("strict", "null");
    world.claim();
    let of = |world: &World| {
        let page = world.run(&["monitor", "-o", "json"]).json();
        let run = world.run(&["explain", "1", "-o", "json"]).json();
        let job = world.run(&["explain", "strict", "-o", "json"]).json();
        let states =
            [&job_of(&page, "strict")["running"][0]["state"], &run["run"]["state"], &job["running"][0]["state"]];
        for state in states {
            assert_eq!(state, states[0]);
        }
        assert_eq!(job["standing"]["kind"], *states[0]);
        (page["active"].as_u64().unwrap(), page["was_running"].as_u64().unwrap(), states[0].clone())
    };
    assert_eq!(of(&world), (1, 0, "running".into()));
    world.leave();
    assert_eq!(of(&world), (0, 1, "was_running".into()));
    let screen = look(&world, &["explain", "1"]);
    assert!(screen.contains("was running") && !screen.contains("is running"), "{screen}");
}

#[test]
fn the_exit_code_says_how_it_is() {
    let mut world = World::new();
    world.load(vec![("strict", Policy::new(false, None))]);
    let code = |world: &World| world.run(&["monitor", "--exit-code"]).code();
    world.ran("strict", "null", 3_000, 12, Outcome::Success, None);
    assert_eq!(code(&world), 0, "well");
    world.ran("strict", "null", 2_000, 12, Outcome::Failure, Some("exit code 1"));
    assert_eq!(code(&world), 1, "something needs somebody");
    assert_eq!(world.run(&["monitor"]).code(), 0, "nobody asked for it");
    world.leave();
    assert_eq!(code(&world), 3, "nobody works on the store");
}
