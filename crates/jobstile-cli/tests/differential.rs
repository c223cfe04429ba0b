//! Random scenarios through the model and the program: their facts are the same. And the
//! scenarios themselves are judged. `JOBSTILE_DIFF_SECONDS` (20) bounds the search,
//! `JOBSTILE_DIFF_SEED` repeats one.

mod program;
mod random;

use std::collections::BTreeSet;
use std::time::{Duration, Instant, SystemTime};

use jobstile_model::scenario::{self, Facts, Wrong};
use serde_json::Value;

fn replay(file: &toml::Table) -> Result<Vec<Value>, Wrong> {
    scenario::replay(&random::text(file), Facts::Plain)
}

#[test]
fn the_scenarios_meet_every_decision_and_state() {
    let mut seen = BTreeSet::new();
    for seed in 0..700 {
        let Ok(facts) = replay(&random::scenario(seed)) else { continue };
        assert_eq!(random::broken(&facts), None, "JOBSTILE_DIFF_SEED={seed}");
        for fact in facts {
            for key in ["decision", "state"] {
                if let Some(word) = fact[key].as_str() {
                    seen.insert(format!("{word} {}", fact["code"].as_str().unwrap_or("")));
                }
            }
        }
    }
    let expected = "
        admitted within_limits, cancelled cancelled_by_hand, cancelled superseded, dead attempts_used_up,
        dead crash_budget, missed missed, queued, refused concurrency_limit, refused concurrent_execution_detected,
        refused duplicate_running, refused duplicate_waiting, refused queue_full, rejected concurrency_limit,
        rejected duplicate_running, rejected duplicate_waiting, rejected missing_key_field, rejected queue_full,
        rejected trigger_id_reused, rejected unknown_job, retrying, running, scheduled, skipped concurrency_limit,
        skipped duplicate_running, skipped duplicate_waiting, skipped paused, skipped queue_full, succeeded";
    let expected: BTreeSet<String> = expected.split(',').map(|word| word.trim().to_owned()).collect();
    let seen: BTreeSet<String> = seen.iter().map(|word| word.trim().to_owned()).collect();
    assert_eq!(expected, seen);
}

/// The suite can fail: a program that never lets a run give way is found, and shown in few lines.
#[test]
fn a_planted_difference_is_found_and_made_small() {
    let planted =
        |file: &toml::Table| replay(file).is_ok_and(|facts| facts.iter().any(|fact| fact["code"] == "superseded"));
    let seed = (0..1000).find(|seed| planted(&random::scenario(*seed))).expect("one that differs");
    let small = random::shrink(&random::scenario(seed), planted);
    let events = small["scenario"].get("event").and_then(toml::Value::as_array).map_or(0, Vec::len);
    assert!(events <= 3, "{}", random::text(&small));
    assert_eq!(small["jobs"].as_table().map(toml::Table::len), Some(1), "{}", random::text(&small));
}

/// What the two agree upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Agreed {
    /// The facts.
    Facts,
    /// What is wrong with it.
    Wrong,
}

/// What the two say differently about a scenario, or what they agree upon.
fn judge(file: &toml::Table) -> Result<Agreed, String> {
    let text = random::text(file);
    let (expected, got) = (scenario::replay(&text, Facts::WithLog), program::simulate(&text, &["--log"]));
    match (expected, got) {
        (Ok(expected), Ok(got)) => {
            let (expected, expected_log) = random::logs::split(expected);
            let (got, got_log) = random::logs::split(got);
            let difference = program::difference(&expected, &got)
                .or_else(|| random::broken(&got))
                .or_else(|| random::logs::difference(&expected_log, &got_log));
            difference.map_or(Ok(Agreed::Facts), Err)
        }
        (Err(wrong), Err(failure)) => {
            let same = failure.exit == "exit status: 78" && wrong.names.iter().all(|name| failure.words.contains(name));
            if same { Ok(Agreed::Wrong) } else { Err(format!("expected {wrong}\ngot      {failure}\n")) }
        }
        (Err(wrong), Ok(_)) => Err(format!("expected {wrong}\ngot      facts\n")),
        (Ok(_), Err(failure)) => Err(format!("expected facts\ngot      {failure}\n")),
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "the seed is what repeats a search")]
fn the_program_agrees_with_the_model() {
    let variable = |name| std::env::var(name).ok().map(|value| value.parse::<u64>().expect("a number"));
    let fixed = variable("JOBSTILE_DIFF_SEED");
    let time = Duration::from_secs(variable("JOBSTILE_DIFF_SECONDS").unwrap_or(20));
    let clock = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    let first = fixed.unwrap_or(clock.as_millis() as u64);
    let start = Instant::now();
    let (mut facts, mut wrong) = (0, 0);
    while facts + wrong == 0 || (fixed.is_none() && start.elapsed() < time) {
        let seed = first + facts + wrong;
        let file = random::scenario(seed);
        match judge(&file) {
            Ok(Agreed::Facts) => facts += 1,
            Ok(Agreed::Wrong) => wrong += 1,
            Err(_) => {
                let small = random::shrink(&file, |smaller| judge(smaller).is_err());
                let words = judge(&small).expect_err("as it was");
                panic!("JOBSTILE_DIFF_SEED={seed} (the model is `expected`)\n\n{}\n{words}", random::text(&small));
            }
        }
    }
    println!("from seed {first}: {facts} scenarios agree in their facts, {wrong} in what is wrong with them");
    assert!(fixed.is_some() || facts > 0 && wrong > 0, "a kind of agreement was never looked for");
}
