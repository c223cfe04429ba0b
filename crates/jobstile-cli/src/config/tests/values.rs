use std::collections::BTreeMap;
use std::time::Duration;

use insta::assert_snapshot;
use jobstile::runner::Definition;
use jobstile_core::policy::{Concurrency, KeyRule, OnDuplicate, OnFull, Policy, Priority, Until};
use jobstile_core::schedule::{CatchUp, First, Schedule};

use super::*;

fn policy(keys: &str) -> Policy {
    good(&format!("[jobs.a]\ncommand = [\"df\"]\n{keys}\n")).jobs["a"].policy.clone()
}

/// `max_concurrent + max_waiting on_full dedup` of a job.
fn rules(policy: &Policy) -> String {
    let concurrent = policy.slots().map_or("unlimited".into(), |n| n.to_string());
    let on_full = policy.rules(jobstile_core::policy::Switches { aggressive: false, ..Default::default() }).on_full;
    let dedup = policy.dedup.as_ref().map_or(String::new(), |dedup| {
        let key = match &dedup.key {
            KeyRule::AllArguments => "all".into(),
            KeyRule::Fields(fields) => format!("[{}]", fields.join(",")),
        };
        format!(" {key} {} {}", dedup.until, dedup.on_duplicate)
    });
    format!("{concurrent}+{} {on_full}{dedup}", policy.max_waiting)
}

#[test]
fn the_two_rules_and_their_defaults() {
    for (keys, expected) in [
        // A job never stacks up by default.
        ("", "1+100000 fail all start skip"),
        ("attempts = 3", "1+100000 fail all start skip"),
        ("every = \"1h\"", "1+0 skip"),
        ("monitoring = true", "1+0 skip"),
        ("max_concurrent = 3", "3+100000 fail"),
        ("max_waiting = 3", "1+3 fail"),
        ("dedup = {}", "1+100000 fail all finish skip"),
        ("every = \"1h\"\nmax_concurrent = 3", "3+0 skip"),
        ("every = \"1h\"\nmax_concurrent = \"unlimited\"", "unlimited+100000 fail"),
        ("every = \"1h\"\nmax_waiting = 5", "1+5 fail"),
        ("every = \"1h\"\non_full = \"fail\"", "1+0 fail"),
        ("every = \"1h\"\ndedup = {}", "1+100000 fail all finish skip"),
        ("dedup = { key = [] }", "1+100000 fail [] finish skip"),
        (
            "dedup = { key = [\"w\", \"n\"], until = \"start\", on_duplicate = \"fail\" }",
            "1+100000 fail [w,n] start fail",
        ),
        ("overlap = \"skip\"", "1+0 skip"),
        ("overlap = \"queue-one\"", "1+100000 fail all start skip"),
        ("every = \"1h\"\noverlap = \"queue-one\"", "1+100000 fail all start skip"),
        ("overlap = \"queue\"", "1+100000 fail"),
        ("every = \"1h\"\noverlap = \"allow\"", "unlimited+100000 fail"),
    ] {
        assert_eq!(rules(&policy(keys)), expected, "{keys}");
    }
}

#[test]
fn every_key_of_a_job() {
    let all = policy(
        "every = \"1m 30s\"\nfirst = \"after_interval\"\ncatch_up = \"none\"\nargs = { b = 1, a = \"x\" }\nenabled = false\n\
         dedup = { key = [\"a\"], until = \"start\", on_duplicate = \"fail\" }\nmax_concurrent = 2\nmax_waiting = 7\non_full = \"skip\"\n\
         priority = \"high\"\nattempts = 4\nbackoff = { delay = \"5s\", factor = 1.5, max = \"1m\" }\ntimeout = \"none\"",
    );
    let every = Duration::from_secs(90);
    assert_eq!(all.schedule, Some(Schedule { every, first: First::AfterInterval, catch_up: CatchUp::None }));
    assert_eq!(all.args.as_deref(), Some(r#"{"a":"x","b":1}"#));
    assert!(!all.enabled && !all.monitoring);
    let dedup = all.dedup.as_ref().map(|d| (d.key.clone(), d.until, d.on_duplicate));
    assert_eq!(dedup, Some((KeyRule::Fields(vec!["a".into()]), Until::Start, OnDuplicate::Fail)));
    assert_eq!((all.max_concurrent, all.max_waiting), (Concurrency::Limited(2), 7));
    assert_eq!((all.on_full, all.priority, all.attempts), (Some(OnFull::Skip), Priority::High, 4));
    assert_eq!((all.backoff.delay.as_secs(), all.backoff.factor, all.backoff.max.as_secs()), (5, 1.5, 60));
    assert_eq!(all.timeout, None);
}

#[test]
fn a_key_of_a_job_displaces_that_of_defaults_whole() {
    let loaded = good(
        "[defaults]\nattempts = 5\nbackoff = { delay = \"1s\", factor = 3 }\nenv = { A = \"1\" }\ncommand = [\"df\"]\ncwd = \"bin\"\n\
         [jobs.a]\n[jobs.b]\nattempts = 2\nbackoff = { delay = \"2s\" }\nenv = { B = \"2\" }\nshell = \"true\"\ncwd = \"/tmp\"\n\
         [jobs.c]\nhttp = { url = \"http://h/{job}\" }\n",
    );
    let of = |job: &str| (loaded.jobs[job].policy.attempts, loaded.jobs[job].policy.backoff.factor);
    assert_eq!([of("a"), of("b"), of("c")], [(5, 3.0), (2, 2.0), (5, 3.0)]);
    let Some(Definition::Command(a)) = &loaded.jobs["a"].definition else { panic!("{:?}", loaded.jobs["a"]) };
    assert_eq!(a.argv, ["df"]);
    assert_eq!(a.place.cwd, Path::new("/srv/app/bin"));
    assert_eq!(a.place.env, BTreeMap::from([("A".into(), "1".into())]));
    let Some(Definition::Shell(b)) = &loaded.jobs["b"].definition else { panic!("{:?}", loaded.jobs["b"]) };
    assert_eq!((b.line.as_str(), b.place.cwd.as_path()), ("true", Path::new("/tmp")));
    // `env` alone is merged, by name.
    assert_eq!(b.place.env, BTreeMap::from([("A".into(), "1".into()), ("B".into(), "2".into())]));
    let Some(Definition::Http(c)) = &loaded.jobs["c"].definition else { panic!("{:?}", loaded.jobs["c"]) };
    assert_eq!((c.method.as_str(), c.url.as_str()), ("POST", "http://h/{job}"));
}

#[test]
fn overlap_displaces_what_it_writes_in_the_layers_below() {
    let rules = |text: &str| rules(&good(text).jobs["a"].policy);
    let defaults = "[defaults]\ncommand = [\"df\"]\nevery = \"1h\"\n";
    for (below, own, expected) in [
        ("overlap = \"queue-one\"", "", "1+100000 fail all start skip"),
        ("overlap = \"queue-one\"", "max_concurrent = 2", "2+100000 fail all start skip"),
        ("overlap = \"queue-one\"", "dedup = { key = [] }", "1+100000 fail [] finish skip"),
        ("overlap = \"queue-one\"", "overlap = \"skip\"", "1+0 skip"),
        ("dedup = { key = [] }\nmax_concurrent = 4\nmax_waiting = 9", "overlap = \"skip\"", "1+0 skip"),
        (
            "dedup = { key = [] }\nmax_concurrent = 4\nmax_waiting = 9",
            "overlap = \"queue-one\"",
            "1+100000 fail all start skip",
        ),
        ("overlap = \"queue-one\"", "monitoring = true", "1+0 skip"),
        ("dedup = {}", "monitoring = true", "1+0 skip"),
    ] {
        assert_eq!(rules(&format!("{defaults}{below}\n[jobs.a]\n{own}\n")), expected, "{below} / {own}");
    }
}

#[test]
fn the_seeds_names_are_monitoring_jobs_unless_told_otherwise() {
    let text = |own: &str| format!("[jobs.chainhook_monitor]\nevery = \"1h\"\ncommand = [\"df\"]\n{own}\n");
    let monitoring = |own: &str| good(&text(own)).jobs["chainhook_monitor"].policy.monitoring;
    assert!(monitoring(""));
    assert!(monitoring("monitoring = true"));
    assert!(!monitoring("monitoring = false\noverlap = \"queue\""));
    assert!(!good(&text("").replace("chainhook", "other")).jobs["other_monitor"].policy.monitoring);
}

#[test]
fn the_whole() {
    let loaded = good(
        "store = \"a.db\"\nshutdown_grace = \"1m\"\nkill_after = \"2s\"\nworkers = 3\n[jobs.a]\ncommand = [\"df\"]\n",
    );
    assert_eq!((loaded.store.as_deref(), loaded.workers), (Some("a.db"), Some(3)));
    assert_eq!((loaded.shutdown_grace.as_secs(), loaded.kill_after.as_secs()), (60, 2));
    let plain = good("[jobs.a]\ncommand = [\"df\"]\n");
    assert_eq!((plain.shutdown_grace.as_secs(), plain.kill_after.as_secs(), plain.workers), (25, 5, None));
}

/// Every key that can be written in a job is a setting of it, and its origin is its line.
#[test]
fn settings_have_their_origins() {
    let loaded = good(
        "[defaults]\npriority = \"low\"\nattempts = 3\nbackoff = { delay = \"1s\" }\n\n[jobs.a]\nevery = \"1h\"\nargs = { wallet = \"x\" }\n\
         dedup = { key = [\"wallet\"] }\nmax_concurrent = 2\ntimeout = \"1m\"\ncommand = [\"./run\", \"x\"]\nenv = { TOKEN = \"secret\" }\n\
         \n[jobs.b]\noverlap = \"queue\"\nhttp = { url = \"http://user:word@h/{job}\", headers = { Authorization = \"secret\" } }\n",
    );
    let mut text = String::new();
    for (name, job) in &loaded.jobs {
        for setting in &job.settings {
            text.push_str(&format!("{name}.{} = {} | {}\n", setting.key, setting.shown(), setting.origin));
        }
    }
    assert!(!text.contains("secret") && !text.contains("word@"), "{text}");
    assert_snapshot!(text);
    let origins: serde_json::Value = serde_json::from_str(&Loaded::origins(&loaded.jobs["a"].settings)).expect("JSON");
    let priority = serde_json::json!({ "kind": "file", "file": "jobstile.toml", "line": 2, "defaults": true });
    assert_eq!(origins["priority"], priority);
}

#[test]
fn ten_thousand_jobs_are_read_at_once() {
    let text: String =
        (0..10_000).map(|n| format!("[jobs.j{n}]\nevery = \"10s\"\ntimeout = \"1m\"\ncommand = [\"df\"]\n")).collect();
    let loaded = good(&text);
    assert_eq!(loaded.jobs.len(), 10_000);
    assert!(Loaded::origins(&loaded.jobs["j9999"].settings).contains("39998"));
}
