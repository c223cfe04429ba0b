//! What a job's tables and the environment come to.

use toml::{Table, Value};

use super::environment::{self, Env};
use super::{Wrong, read};
use crate::{Args, HOUR, S, Same, Spec};

const MONITORING: [&str; 4] =
    ["chain_state_monitor", "chainhook_monitor", "agent_wallet_balance_monitor", "dao_token_holders_monitor"];

const KEYS: [&str; 15] = [
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
];

/// What bounds the runs of a job.
struct Limits {
    same: Option<Same>,
    /// `None`: nothing is written. Inside, `None`: unlimited.
    slots: Option<Option<u32>>,
    max_waiting: Option<u32>,
}

pub(crate) fn spec(name: &str, defaults: &Table, job: &Table, env: &Env) -> Result<Spec, Wrong> {
    let mut all = defaults.clone();
    for (key, value) in job {
        all.insert(key.clone(), value.clone());
    }
    read::known(&all, &KEYS)?;
    let every = match environment::interval(env, name) {
        Some(seconds) => Some(S * seconds.parse::<i64>().map_err(|_| format!("{name} {seconds}"))?),
        None => span(&all, "every")?,
    };
    let monitoring = flag(&all, "monitoring")?.unwrap_or(MONITORING.contains(&name));
    for key in ["dedup", "overlap"] {
        if monitoring && all.contains_key(key) {
            return Err(Wrong::naming("a monitoring job has its rule", &[name, "monitoring", key]));
        }
    }
    let bound = every.is_some() || monitoring;
    let Limits { same, slots, max_waiting } = limits(name, &all, bound)?;
    let slots = slots.unwrap_or(Some(1));
    if slots.is_none() && max_waiting == Some(0) {
        return Err(Wrong::naming("unlimited, and none may wait", &[name, "max_waiting"]));
    }
    let seed_level_1 = bound && slots.is_some() && same.is_none();
    let tick_args = all.get("args").map_or(Args::None, |args| Args::of(read::json(args)));
    if let (Some(_), Some(same)) = (every, &same)
        && same.key(&tick_args).is_err()
    {
        return Err(Wrong::naming("the arguments of the schedule lack a field of the key", &[name, "args"]));
    }
    let backoff = all.get("backoff").map(read::table).transpose()?.unwrap_or_default();
    read::known(&backoff, &["delay", "factor", "max"])?;
    let delay = span(&backoff, "delay")?.unwrap_or(30 * S);
    let longest_delay = span(&backoff, "max")?.unwrap_or(HOUR);
    if delay > longest_delay {
        return Err(Wrong::naming("the delay is above its maximum", &[name, "delay", "max"]));
    }
    Ok(Spec {
        monitoring,
        same,
        slots,
        max_waiting: max_waiting.unwrap_or(if seed_level_1 { 0 } else { 100_000 }),
        full_fails: choice(&all, "on_full", &["skip", "fail"])?.map(|n| n == 1),
        priority: word(&all, "priority")?.map_or(Ok(1), read::priority)?,
        attempts: all.get("attempts").map_or(Ok(1), read::number)? as u32,
        delay,
        factor: match backoff.get("factor") {
            None => 2.0,
            Some(Value::Integer(n)) => *n as f64,
            Some(Value::Float(f)) => *f,
            Some(other) => return Err(format!("factor {other}").into()),
        },
        longest_delay,
        timeout: match word(&all, "timeout")? {
            None => Some(HOUR),
            Some("none") => None,
            Some(time) => Some(read::duration(time)?),
        },
        every,
        first_later: choice(&all, "first", &["now", "after_interval"])? == Some(1),
        catches_up: choice(&all, "catch_up", &["latest", "none"])? != Some(1),
        enabled: environment::enabled(env, name)?.or(flag(&all, "enabled")?).unwrap_or(true),
        tick_args,
    })
}

fn limits(name: &str, all: &Table, bound: bool) -> Result<Limits, Wrong> {
    let unwritten = ["dedup", "max_concurrent", "max_waiting"].iter().all(|key| !all.contains_key(*key));
    let default = (!bound && unwritten).then_some("queue-one");
    let Some(overlap) = word(all, "overlap")?.or(default) else {
        return Ok(Limits {
            same: all.get("dedup").map(dedup).transpose()?,
            slots: max_concurrent(all)?,
            max_waiting: all.get("max_waiting").map(read::number).transpose()?.map(|n| n as u32),
        });
    };
    for key in ["dedup", "max_concurrent", "max_waiting"] {
        if all.contains_key(key) {
            return Err(Wrong::naming("overlap beside what it writes", &[name, "overlap", key]));
        }
    }
    let limits = |same, slots, max_waiting| Limits { same, slots: Some(slots), max_waiting };
    Ok(match overlap {
        "skip" => limits(None, Some(1), Some(0)),
        "queue-one" => limits(Some(Same { fields: None, until_start: true, fails: false }), Some(1), None),
        "queue" => limits(None, Some(1), Some(100_000)),
        "allow" => limits(None, None, None),
        other => return Err(format!("overlap {other}").into()),
    })
}

fn dedup(value: &Value) -> Result<Same, String> {
    let table = read::table(value)?;
    read::known(&table, &["key", "until", "on_duplicate"])?;
    let fields = match table.get("key") {
        None => None,
        Some(list) => {
            let list = list.as_array().ok_or("key is a list")?;
            Some(list.iter().map(|one| read::text_of(one).map(str::to_owned)).collect::<Result<Vec<_>, _>>()?)
        }
    };
    Ok(Same {
        fields,
        until_start: choice(&table, "until", &["finish", "start"])? == Some(1),
        fails: choice(&table, "on_duplicate", &["skip", "fail"])? == Some(1),
    })
}

/// As written: nothing, a number, or unlimited.
fn max_concurrent(all: &Table) -> Result<Option<Option<u32>>, String> {
    match all.get("max_concurrent") {
        None => Ok(None),
        Some(Value::String(s)) if s == "unlimited" => Ok(Some(None)),
        Some(n) => match read::number(n)? {
            0 => Err("max_concurrent 0".to_owned()),
            n => Ok(Some(Some(n as u32))),
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

/// Which of these words is written.
fn choice(table: &Table, key: &str, of: &[&str]) -> Result<Option<usize>, String> {
    let Some(word) = word(table, key)? else { return Ok(None) };
    of.iter().position(|one| *one == word).map(Some).ok_or_else(|| format!("{key} {word}"))
}

fn flag(table: &Table, key: &str) -> Result<Option<bool>, String> {
    match table.get(key) {
        None => Ok(None),
        Some(value) => value.as_bool().map(Some).ok_or_else(|| format!("{key} is true or false")),
    }
}
