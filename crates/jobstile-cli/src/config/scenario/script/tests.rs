use super::*;

use jobstile::scenario::Happening;
use jobstile_core::policy::{Concurrency, Switches};

fn script(text: &str) -> Result<Script, Failed> {
    read(&Source::new("s.toml", text))
}

/// What is wrong: line, column, sentence, what would be right.
fn wrong(text: &str) -> String {
    let found = match script(text) {
        Ok(script) => script.warnings,
        Err(failed) => failed.found,
    };
    let line = |diagnostic: &Diagnostic| {
        let json = diagnostic.to_json();
        let at = |key: &str| json[key].as_u64().unwrap_or(0);
        let words = |key: &str| json[key].as_str().unwrap_or("").to_owned();
        format!("{}:{} {}: {} ({})", at("line"), at("column"), words("severity"), words("message"), words("right"))
    };
    found.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn event(event: &str) -> String {
    format!("[jobs.j]\n[scenario]\nuntil = \"1m\"\n[[scenario.event]]\n{event}\n")
}

#[test]
fn the_example_of_the_documentation_is_read() {
    let script = script(
        r#"
        [jobs.chain_state_monitor]
        every = "90s"
        [jobs.sync]
        attempts = 3
        backoff = { delay = "30s", factor = 1 }
        [scenario]
        until = "10m"
        start = 2026-11-23T00:00:00+01:00
        env = { AIBTC_JOB_STACKING_PREVENTION_ENABLED = "false" }
        workers = 16
        takes = { chain_state_monitor = "240s", sync = ["10s fail", "10s", "hang"] }
        dies = { sync = "2s" }
        [[scenario.event]]
        at = "2m"
        pause = "sync"
        [[scenario.event]]
        at = "45s"
        trigger = "sync"
        args = { wallet = "SP2X0" }
        priority = "high"
        in = "1h"
        id = "a"
        [[scenario.event]]
        at = "45s"
        jobs = { sync = { max_concurrent = 1 }, late = {} }
        [[scenario.event]]
        at = "3m"
        crash = "0s"
        "#,
    )
    .expect("a script");
    let scenario = script.scenario;
    assert_eq!(scenario.until, Duration::from_secs(600));
    assert_eq!(scenario.start.0, 1_795_388_400_000_000);
    assert_eq!(scenario.workers, 16);
    let ten = Duration::from_secs(10);
    assert_eq!(scenario.takes["sync"], [Take::Fails(ten), Take::Well(ten), Take::Hangs]);
    assert_eq!(scenario.dies["sync"], Duration::from_secs(2));
    let off = Switches { stacking_prevention: false, ..Switches::default() };
    assert_eq!(scenario.policy.switches, off);
    let times: Vec<u64> = scenario.events.iter().map(|(at, _)| at.as_secs()).collect();
    assert_eq!(times, [45, 45, 120, 180], "by time, and those of one instant in their order");
    let Happening::Trigger { job, priority, later, id, .. } = &scenario.events[0].1 else { panic!("a trigger") };
    assert_eq!(
        (job.as_str(), *priority, *later, id.as_deref()),
        ("sync", Some(Priority::High), Some(Duration::from_secs(3600)), Some("a"))
    );
    let Happening::Policy(policy) = &scenario.events[1].1 else { panic!("a policy") };
    assert_eq!(policy.jobs["sync"].max_concurrent, Concurrency::Limited(1));
    assert_eq!(policy.jobs["sync"].attempts, 3, "merged into what was written before");
    assert_eq!(policy.switches, off);
    assert!(policy.jobs.contains_key("late"));
    assert!(!scenario.policy.jobs.contains_key("late"));
}

#[test]
fn every_mistake_of_a_script_has_its_place() {
    for (text, said) in [
        ("[jobs.j]\n", "2:1 error: s.toml has no script ([scenario] with `until`, how long it lasts)"),
        ("[jobs.j]\n[scenario]\n", "2:2 error: the scenario has no end (until = \"10m\")"),
        ("[scenario]\nuntil = 10", "2:9 error: a duration needs its unit (\"10s\", \"10m\"?)"),
        (
            "[scenario]\nuntil = true",
            "2:9 error: `until` takes a duration, not true or false (as \"90s\", \"5m\" or \"1h 30m\")",
        ),
        (
            "[scenario]\nuntil = \"1m\"\nutnil = 1",
            "3:1 error: unknown key `utnil` in [scenario] (did you mean `until`?)",
        ),
        ("[scenario]\nuntil = \"1m\"\nworkers = 0", "3:11 error: `workers` is out of range (1 to 100000)"),
        (
            "[scenario]\nuntil = \"1m\"\nstart = 2026-01-01",
            "3:9 error: `start` is not a point in time (date, time and offset, as 2026-01-01T00:00:00Z)",
        ),
        (
            "[scenario]\nuntil = \"1m\"\ntakes = { j = \"5s slow\" }",
            "3:15 error: `slow` is not a way for an attempt to end (ok, fail or hang)",
        ),
        (
            "[scenario]\nuntil = \"1m\"\ntakes = { j = 5 }",
            "3:15 error: `j` takes a duration and an end, not a whole number (as \"10s\", \"10s fail\", \"hang\", or a list of such)",
        ),
        (
            "[jobs.sync]\n[scenario]\nuntil = \"1m\"\ntakes = { snyc = \"5s\" }",
            "4:11 warning: there is no job `snyc` (did you mean `sync`?)",
        ),
        (
            "[scenario]\nuntil = \"1m\"\nevent = 5",
            "3:9 error: `event` takes a list of tables, not a whole number ([[scenario.event]])",
        ),
        (
            "[jobs.j]\nevry = \"5s\"\n[scenario]\nuntil = \"1m\"",
            "2:1 error: unknown key `evry` in job `j` (did you mean `every`?)",
        ),
    ] {
        assert_eq!(wrong(text), said, "{text}");
    }
}

#[test]
fn every_mistake_of_an_event_has_its_place() {
    for (text, said) in [
        ("trigger = \"j\"", "5:1 error: this event has no time (at = \"30s\", from the start)"),
        (
            "at = \"1s\"",
            "5:1 error: this event does nothing (one of trigger, pause, resume, cancel, retry, env, jobs, crash)",
        ),
        (
            "at = \"1s\"\ntrigger = \"j\"\npause = \"j\"",
            "7:1 error: an event does one thing, this one `trigger` and `pause` (another [[scenario.event]])",
        ),
        (
            "at = \"1s\"\npause = \"j\"\nargs = {}",
            "7:1 error: `args` belongs to a trigger, not to `pause` (take it out)",
        ),
        (
            "at = \"1s\"\ntirgger = \"j\"",
            "6:1 error: unknown key `tirgger` in an event (did you mean `trigger`?)\n5:1 error: this event does nothing (one of trigger, pause, resume, cancel, retry, env, jobs, crash)",
        ),
        ("at = \"1s\"\npause = \"i\"", "6:9 error: there is no job `i` at this time (did you mean `j`?)"),
        ("at = \"1s\"\ncancel = 0", "6:10 error: `cancel` is out of range (1 to 4294967295)"),
        (
            "at = \"1s\"\ntrigger = \"j\"\npriority = \"urgent\"",
            "7:12 error: `priority` cannot be \"urgent\" (\"low\", \"normal\", \"medium\", \"high\" or \"critical\")",
        ),
        (
            "at = \"1s\"\ntrigger = \"j\"\nid = \"@1\"",
            "7:6 error: not a valid trigger id (1 to 200 bytes, no control characters, no `@` first)",
        ),
        (
            "at = \"1s\"\njobs = { j = { max_concurrent = 0 } }",
            "6:33 error: `max_concurrent` is out of range (1 to 10000, or \"unlimited\")",
        ),
        (
            "at = \"1s\"\nenv = { JOBSTILE_K_ENABLED = \"1\" }",
            "6:30 error: JOBSTILE_K_ENABLED belongs to no job (did you mean JOBSTILE_J_ENABLED?)",
        ),
        (
            "at = \"2m\"\ntrigger = \"j\"",
            "6:1 warning: this event comes after the end of the scenario: it never happens (after `until`)",
        ),
    ] {
        assert_eq!(wrong(&event(text)), said, "{text}");
    }
}

#[test]
fn no_text_panics() {
    use proptest::prelude::*;
    let pieces =
        ["[scenario]", "\n", "until", "=", "\"1s\"", "[[scenario.event]]", "at", "{", "}", "trigger", "[jobs.j]"];
    proptest!(|(words in prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..20))| {
        let _ = script(&words.join(" "));
    });
}
