//! What a job's tables, the environment and the three switches come to.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use toml::{Table, Value};

use crate::model::read;

const MONITORING: [&str; 4] =
    ["chain_state_monitor", "chainhook_monitor", "agent_wallet_balance_monitor", "dao_token_holders_monitor"];

const SECOND: i64 = 1_000_000;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Switches {
    pub(crate) dedup: bool,
    pub(crate) aggressive: bool,
    pub(crate) stacking: bool,
}

/// The identity rule of a job.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rule {
    /// `None`: all arguments.
    pub(crate) key: Option<Vec<String>>,
    pub(crate) until_start: bool,
    pub(crate) fail: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Policy {
    pub(crate) every: Option<i64>,
    /// Whether the schedule is on.
    pub(crate) ticks: bool,
    pub(crate) first_after_interval: bool,
    pub(crate) tick_args: Json,
    pub(crate) catch_up_latest: bool,
    /// Monitoring, and aggressive deduplication is on.
    pub(crate) monitoring: bool,
    pub(crate) rule: Option<Rule>,
    /// `None`: unlimited. Bounds what runs.
    pub(crate) max_concurrent: Option<usize>,
    /// Both as the fifth rule sees them: one place for a monitoring job.
    pub(crate) place_concurrent: Option<usize>,
    pub(crate) place_waiting: usize,
    pub(crate) full_fails: bool,
    pub(crate) priority: u8,
    pub(crate) timeout: Option<i64>,
    pub(crate) attempts: u32,
    pub(crate) delay: i64,
    pub(crate) factor: f64,
    pub(crate) max_delay: i64,
}

impl Policy {
    /// The wait after the `failures`-th failure.
    pub(crate) fn backoff(&self, failures: u32) -> i64 {
        let mut wait = self.delay as f64;
        for _ in 1..failures {
            wait *= self.factor;
        }
        (wait.round() as i64).min(self.max_delay)
    }
}

pub(crate) fn switches(env: &BTreeMap<String, String>) -> Result<Switches, String> {
    Ok(Switches {
        dedup: switch(env, "JOB_DEDUPLICATION_ENABLED")?.unwrap_or(true),
        aggressive: switch(env, "AGGRESSIVE_DEDUPLICATION_ENABLED")?.unwrap_or(true),
        stacking: switch(env, "JOB_STACKING_PREVENTION_ENABLED")?.unwrap_or(true),
    })
}

/// An unknown `JOBSTILE_…` is an error; other `AIBTC_…` belong to somebody else.
pub(crate) fn all_known<'a>(
    env: &BTreeMap<String, String>,
    jobs: impl Iterator<Item = &'a String>,
) -> Result<(), String> {
    let mut names: Vec<String> =
        ["JOB_DEDUPLICATION_ENABLED", "AGGRESSIVE_DEDUPLICATION_ENABLED", "JOB_STACKING_PREVENTION_ENABLED"]
            .map(str::to_owned)
            .to_vec();
    for job in jobs {
        names.push(format!("{}_INTERVAL_SECONDS", spelled(job)));
        names.push(format!("{}_ENABLED", spelled(job)));
    }
    let unknown = |name: &&String| name.strip_prefix("JOBSTILE_").is_some_and(|rest| !names.iter().any(|n| n == rest));
    env.keys().find(unknown).map_or(Ok(()), |name| Err(format!("unknown {name}")))
}

/// A job's name as variables spell it.
fn spelled(job: &str) -> String {
    job.to_uppercase().replace(['-', '.'], "_")
}

/// One variable in either spelling; empty is unset.
fn variable(env: &BTreeMap<String, String>, name: &str) -> Option<String> {
    ["JOBSTILE_", "AIBTC_"]
        .into_iter()
        .filter_map(|prefix| env.get(&format!("{prefix}{name}")))
        .find(|value| !value.is_empty())
        .cloned()
}

fn switch(env: &BTreeMap<String, String>, name: &str) -> Result<Option<bool>, String> {
    match variable(env, name) {
        None => Ok(None),
        Some(value) => match value.to_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok(Some(true)),
            "false" | "0" | "no" | "off" => Ok(Some(false)),
            _ => Err(format!("{name}={value}")),
        },
    }
}

pub(crate) fn priority(name: &str) -> Result<u8, String> {
    ["low", "normal", "medium", "high", "critical"]
        .into_iter()
        .position(|p| p == name)
        .map(|p| p as u8)
        .ok_or_else(|| format!("priority {name}"))
}

/// The head start of a priority.
pub(crate) fn head_start(priority: u8) -> i64 {
    [0, 30, 60, 300, 3600][priority as usize] * SECOND
}

pub(crate) fn policy(
    name: &str,
    defaults: &Table,
    job: &Table,
    env: &BTreeMap<String, String>,
) -> Result<Policy, String> {
    let mut all = defaults.clone();
    for (key, value) in job {
        all.insert(key.clone(), value.clone());
    }
    read::known(
        &all,
        &[
            "every",
            "first",
            "args",
            "enabled",
            "monitoring",
            "dedup",
            "overlap",
            "max_concurrent",
            "max_waiting",
            "on_full",
            "priority",
            "timeout",
            "attempts",
            "backoff",
            "catch_up",
        ],
    )?;
    let spelled = spelled(name);
    let every = match variable(env, &format!("{spelled}_INTERVAL_SECONDS")) {
        Some(seconds) => {
            let n: i64 = seconds.parse().map_err(|_| format!("{name} {seconds}"))?;
            Some(n * SECOND)
        }
        None => span(&all, "every")?,
    };
    let ticks = every.is_some()
        && switch(env, &format!("{spelled}_ENABLED"))?.unwrap_or(flag(&all, "enabled")?.unwrap_or(true));

    let named = flag(&all, "monitoring")?.unwrap_or(MONITORING.contains(&name));
    let clash = |keys: &[&str]| keys.iter().any(|key| all.contains_key(*key));
    if named && clash(&["dedup", "overlap"]) {
        return Err(format!("{name} is a monitoring job: no dedup, no overlap"));
    }
    let monitoring = named && switches(env)?.aggressive;

    let mut rule = all.get("dedup").map(dedup).transpose()?;
    let mut written = concurrency(&all)?;
    let mut waiting = match all.get("max_waiting") {
        Some(n) => Some(read::number(n)? as usize),
        None => None,
    };
    if let Some(word) = word(&all, "overlap")? {
        if clash(&["dedup", "max_concurrent", "max_waiting"]) {
            return Err(format!("{name}: overlap beside what it writes"));
        }
        match word {
            "skip" => (written, waiting) = (Some(Some(1)), Some(0)),
            "queue-one" => {
                written = Some(Some(1));
                rule = Some(Rule { key: None, until_start: true, fail: false });
            }
            "queue" => (written, waiting) = (Some(Some(1)), Some(100_000)),
            "allow" => written = Some(None),
            other => return Err(format!("overlap {other}")),
        }
    }
    let bound = every.is_some() || named;
    let max_concurrent = written.unwrap_or(if bound { Some(1) } else { None });
    if max_concurrent.is_none() && waiting == Some(0) {
        return Err(format!("{name}: unlimited with max_waiting 0"));
    }
    let seed_level_1 = bound && max_concurrent.is_some() && rule.is_none();
    let max_waiting = waiting.unwrap_or(if seed_level_1 { 0 } else { 100_000 });

    // A monitoring job has one place, and is its own key until its run ends.
    let (place_concurrent, place_waiting) = if monitoring {
        rule = Some(Rule { key: Some(Vec::new()), until_start: false, fail: false });
        (Some(1), 0)
    } else {
        (max_concurrent, max_waiting)
    };

    let tick_args = all.get("args").map_or(Json::Object(serde_json::Map::new()), read::json);
    if let (Some(_), Some(rule)) = (every, &rule)
        && key_of(rule, &tick_args).is_none()
    {
        return Err(format!("{name}: args of the schedule lack a key field"));
    }

    let backoff = all.get("backoff").map(read::table).transpose()?;
    let backoff = backoff.unwrap_or_default();
    read::known(&backoff, &["delay", "factor", "max"])?;
    let delay = span(&backoff, "delay")?.unwrap_or(30 * SECOND);
    let max_delay = span(&backoff, "max")?.unwrap_or(3600 * SECOND);
    if delay > max_delay {
        return Err(format!("{name}: delay above its max"));
    }
    Ok(Policy {
        every,
        ticks,
        first_after_interval: match word(&all, "first")? {
            None => false,
            Some("after_interval") => true,
            Some(other) => return Err(format!("first {other}")),
        },
        tick_args,
        catch_up_latest: match word(&all, "catch_up")? {
            None | Some("latest") => true,
            Some("none") => false,
            Some(other) => return Err(format!("catch_up {other}")),
        },
        monitoring,
        rule,
        max_concurrent,
        place_concurrent,
        place_waiting,
        full_fails: match word(&all, "on_full")? {
            None => place_waiting != 0,
            Some("skip") => false,
            Some("fail") => true,
            Some(other) => return Err(format!("on_full {other}")),
        },
        priority: priority(word(&all, "priority")?.unwrap_or("normal"))?,
        timeout: match word(&all, "timeout")? {
            None => Some(3600 * SECOND),
            Some("none") => None,
            Some(time) => Some(read::duration(time)?),
        },
        attempts: match all.get("attempts") {
            Some(n) => read::number(n)? as u32,
            None => 1,
        },
        delay,
        factor: match backoff.get("factor") {
            None => 2.0,
            Some(Value::Integer(n)) => *n as f64,
            Some(Value::Float(f)) => *f,
            Some(other) => return Err(format!("factor {other}")),
        },
        max_delay,
    })
}

/// The key of these arguments under a rule, by the names of its fields; `None` if one is missing.
pub(crate) fn key_of(rule: &Rule, args: &Json) -> Option<Json> {
    let Some(fields) = &rule.key else {
        return Some(args.clone());
    };
    let mut key = serde_json::Map::new();
    for field in fields {
        match args.get(field) {
            None | Some(Json::Null) => return None,
            Some(value) => key.insert(field.clone(), value.clone()),
        };
    }
    Some(Json::Object(key))
}

fn dedup(value: &Value) -> Result<Rule, String> {
    let table = read::table(value)?;
    read::known(&table, &["key", "until", "on_duplicate"])?;
    let key = match table.get("key") {
        None => None,
        Some(list) => {
            let mut fields = Vec::new();
            for field in list.as_array().ok_or("key is a list")? {
                fields.push(read::text_of(field)?.to_owned());
            }
            Some(fields)
        }
    };
    Ok(Rule {
        key,
        until_start: match word(&table, "until")? {
            None | Some("finish") => false,
            Some("start") => true,
            Some(other) => return Err(format!("until {other}")),
        },
        fail: match word(&table, "on_duplicate")? {
            None | Some("skip") => false,
            Some("fail") => true,
            Some(other) => return Err(format!("on_duplicate {other}")),
        },
    })
}

/// `max_concurrent` as written: nothing, a number, or unlimited.
fn concurrency(all: &Table) -> Result<Option<Option<usize>>, String> {
    match all.get("max_concurrent") {
        None => Ok(None),
        Some(Value::String(s)) if s == "unlimited" => Ok(Some(None)),
        Some(n) => match read::number(n)? {
            0 => Err("max_concurrent 0".to_owned()),
            n => Ok(Some(Some(n as usize))),
        },
    }
}

fn span(table: &Table, key: &str) -> Result<Option<i64>, String> {
    match word(table, key)? {
        None => Ok(None),
        Some(text) => match read::duration(text)? {
            0 => Err(format!("{key} of zero")),
            span => Ok(Some(span)),
        },
    }
}

fn word<'a>(table: &'a Table, key: &str) -> Result<Option<&'a str>, String> {
    table.get(key).map(read::text_of).transpose()
}

fn flag(table: &Table, key: &str) -> Result<Option<bool>, String> {
    match table.get(key) {
        None => Ok(None),
        Some(value) => match value.as_bool() {
            Some(on) => Ok(Some(on)),
            None => Err(format!("{key} is true or false")),
        },
    }
}
