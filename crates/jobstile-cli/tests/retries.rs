//! A failing monitoring job gets every one of its attempts, whatever its duplicates do meanwhile.

use std::fmt::Write as _;
use std::process::Command;

use jobstile_child::Limited as _;

use serde_json::Value;

fn replay(scenario: &str) -> Vec<Value> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), scenario).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_jobstile"));
    command.without_ours();
    let done = command.args(["simulate", "-o", "jsonl", "--scenario"]).arg(file.path()).limited().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_hundred_duplicates_cost_a_failing_monitoring_job_none_of_its_attempts() {
    let mut scenario = String::from(
        "[jobs.chain_state_monitor]\nattempts = 3\nbackoff = { delay = \"60s\", factor = 2 }\n\
         [scenario]\nuntil = \"400s\"\ntakes = { chain_state_monitor = \"10s fail\" }\n\
         [[scenario.event]]\nat = \"0s\"\ntrigger = \"chain_state_monitor\"\n",
    );
    for n in 1..=100 {
        writeln!(scenario, "[[scenario.event]]\nat = \"{}ms\"\ntrigger = \"chain_state_monitor\"", n * 2_000 + 1)
            .unwrap();
    }
    let facts = replay(&scenario);
    let states: Vec<(f64, &str)> = facts
        .iter()
        .filter(|fact| fact["what"] == "state")
        .map(|fact| (fact["at"].as_f64().unwrap(), fact["state"].as_str().unwrap()))
        .collect();
    // 0 to 10, 60 s later 70 to 80, 120 s later 200 to 210.
    assert_eq!(
        states,
        [
            (0.0, "queued"),
            (0.0, "running"),
            (10.0, "retrying"),
            (70.0, "queued"),
            (70.0, "running"),
            (80.0, "retrying"),
            (200.0, "queued"),
            (200.0, "running"),
            (210.0, "dead"),
        ]
    );
    let skipped = facts.iter().filter(|fact| fact["what"] == "decision" && fact["decision"] == "skipped");
    let codes: Vec<&str> = skipped.map(|fact| fact["code"].as_str().unwrap()).collect();
    assert_eq!(codes.len(), 100, "every duplicate is skipped");
    assert!(codes.iter().all(|code| ["duplicate_running", "duplicate_waiting"].contains(code)), "{codes:?}");
}
