//! What the environment of a scenario says: the three switches, and a job's interval and its schedule's own switch.

use std::collections::BTreeMap;

use crate::Switches;

const SWITCHES: [&str; 3] =
    ["JOB_DEDUPLICATION_ENABLED", "AGGRESSIVE_DEDUPLICATION_ENABLED", "JOB_STACKING_PREVENTION_ENABLED"];

/// Names and values.
pub(crate) type Env = BTreeMap<String, String>;

pub(crate) fn switches(env: &Env) -> Result<Switches, String> {
    let [dedup, aggressive, stacking] = SWITCHES;
    Ok(Switches {
        dedup: switch(env, dedup)?.unwrap_or(true),
        aggressive: switch(env, aggressive)?.unwrap_or(true),
        stacking: switch(env, stacking)?.unwrap_or(true),
    })
}

/// An unknown `JOBSTILE_…` is an error; other `AIBTC_…` belong to somebody else.
pub(crate) fn all_known<'a>(env: &Env, jobs: impl Iterator<Item = &'a String>) -> Result<(), String> {
    let mut names: Vec<String> = SWITCHES.map(str::to_owned).to_vec();
    for job in jobs {
        names.push(format!("{}_INTERVAL_SECONDS", spelled(job)));
        names.push(format!("{}_ENABLED", spelled(job)));
    }
    let unknown = |name: &&String| name.strip_prefix("JOBSTILE_").is_some_and(|rest| !names.iter().any(|n| n == rest));
    env.keys().find(unknown).map_or(Ok(()), |name| Err(format!("unknown {name}")))
}

/// A job's interval in seconds, as text.
pub(crate) fn interval(env: &Env, job: &str) -> Option<String> {
    variable(env, &format!("{}_INTERVAL_SECONDS", spelled(job)))
}

/// Whether a job's schedule is on.
pub(crate) fn enabled(env: &Env, job: &str) -> Result<Option<bool>, String> {
    switch(env, &format!("{}_ENABLED", spelled(job)))
}

/// A job's name as variables spell it.
fn spelled(job: &str) -> String {
    job.to_uppercase().replace(['-', '.'], "_")
}

/// One variable in either spelling; empty is unset.
fn variable(env: &Env, name: &str) -> Option<String> {
    ["JOBSTILE_", "AIBTC_"]
        .into_iter()
        .filter_map(|prefix| env.get(&format!("{prefix}{name}")))
        .find(|value| !value.is_empty())
        .cloned()
}

fn switch(env: &Env, name: &str) -> Result<Option<bool>, String> {
    match variable(env, name) {
        None => Ok(None),
        Some(value) => match value.to_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok(Some(true)),
            "false" | "0" | "no" | "off" => Ok(Some(false)),
            _ => Err(format!("{name}={value}")),
        },
    }
}
