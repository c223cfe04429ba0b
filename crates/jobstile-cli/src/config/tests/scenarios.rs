use std::time::Duration;

use toml::de::DeTable;

use super::*;
use crate::config::reader::{Item, items};
use crate::config::scenario::{Jobs, State};

const FILE: &str = "[defaults]\nattempts = 2\n[jobs.sync]\nevery = \"10s\"\n[jobs.chain_state_monitor]\nevery = \"90s\"\n\
    [scenario]\nuntil = \"10m\"\nenv = { AIBTC_SYNC_INTERVAL_SECONDS = \"20\" }\n\
    a = { AIBTC_JOB_DEDUPLICATION_ENABLED = \"false\" }\n\
    b = { AIBTC_SYNC_INTERVAL_SECONDS = \"\", JOBSTILE_JOB_DEDUPLICATION_ENABLED = \"true\" }\n\
    c = { sync = { max_concurrent = 3, attempts = 9 }, new = {} }\n\
    d = { sync = { overlap = \"queue\" } }\n\
    e = { sync = { handler = 1 } }\n";

fn entry<'a>(file: &'a DeTable<'a>, key: &str) -> Item<'a> {
    let script = file.get("scenario").and_then(|script| script.get_ref().as_table()).expect("[scenario]");
    items(script).into_iter().find(|item| item.name() == key).expect("a key of the script")
}

fn state(jobs: &Jobs) -> State {
    jobs.state().unwrap_or_else(|failed| panic!("{}", failed.render(false)))
}

#[test]
fn a_script_changes_variables_and_jobs() {
    let source = source(FILE);
    let file = crate::config::parse(&source).expect("TOML");
    let mut jobs = Jobs::read(&source, &file).expect("good");
    let sync = |state: &State| {
        let policy = &state.jobs["sync"].policy;
        (policy.schedule.map(|s| s.every).unwrap_or_default(), policy.slots(), policy.max_waiting, policy.attempts)
    };
    let seconds = Duration::from_secs;

    assert_eq!(sync(&state(&jobs)), (seconds(10), Some(1), 0, 2));
    assert!(state(&jobs).jobs["chain_state_monitor"].policy.monitoring);
    assert!(state(&jobs).jobs["sync"].definition.is_none());

    jobs.merge_env(entry(&file, "env")).expect("good");
    assert_eq!(sync(&state(&jobs)), (seconds(20), Some(1), 0, 2));
    jobs.merge_env(entry(&file, "a")).expect("good");
    assert!(!state(&jobs).switches.deduplication);
    // Both spellings, and they differ.
    jobs.merge_env(entry(&file, "b")).expect("good");
    assert!(jobs.state().is_err());

    let mut jobs = Jobs::read(&source, &file).expect("good");
    jobs.merge_jobs(entry(&file, "c")).expect("good");
    assert_eq!(sync(&state(&jobs)), (seconds(10), Some(3), 0, 9));
    assert_eq!(state(&jobs).jobs.len(), 3);
    let mut other = Jobs::read(&source, &file).expect("good");
    other.merge_jobs(entry(&file, "d")).expect("good");
    assert_eq!(sync(&state(&other)), (seconds(10), Some(1), 100_000, 2));
    let failed = jobs.merge_jobs(entry(&file, "e")).expect_err("an unknown key");
    assert!(failed.render(false).contains("unknown key `handler` in job `sync`"));
}

/// Whichever came first, a script cannot make of a job what no file could say.
#[test]
fn a_script_makes_no_contradictory_job() {
    for (first, then) in [
        ("dedup = { key = [] }", "monitoring = true"),
        ("monitoring = true", "dedup = { key = [] }"),
        ("monitoring = true", "overlap = \"queue\""),
        ("overlap = \"queue\"", "monitoring = true"),
        ("overlap = \"queue\"", "max_concurrent = 2"),
        ("max_concurrent = 2", "overlap = \"queue\""),
    ] {
        let text = format!("[jobs.j]\n{first}\n[scenario]\nuntil = \"1m\"\na = {{ j = {{ {then} }} }}\n");
        let source = source(&text);
        let file = crate::config::parse(&source).expect("TOML");
        let mut jobs = Jobs::read(&source, &file).expect("good");
        jobs.merge_jobs(entry(&file, "a")).expect("good by itself");
        assert!(jobs.state().is_err(), "{first}, then {then}");
    }
}

/// The scenario files of the project, as this program reads them.
#[test]
fn the_scenario_files_are_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios");
    let mut read = 0;
    for entry in std::fs::read_dir(folder).expect("the scenarios") {
        let path = entry.expect("a file").path();
        if path.extension().is_some_and(|kind| kind == "toml") {
            let source = crate::config::file::source(&path).expect("a file");
            let file = crate::config::parse(&source).expect("TOML");
            let jobs = Jobs::read(&source, &file).unwrap_or_else(|failed| panic!("{}", failed.render(false)));
            state(&jobs);
            read += 1;
        }
    }
    assert!(read > 10, "{read}");
}
