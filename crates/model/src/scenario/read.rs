//! Reads a scenario file. Times are whole microseconds from the start of the scenario.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use toml::{Table, Value};

use crate::{Args, S};

#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) defaults: Table,
    pub(crate) jobs: BTreeMap<String, Table>,
    pub(crate) until: i64,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) workers: usize,
    pub(crate) takes: BTreeMap<String, Vec<Take>>,
    pub(crate) dies: BTreeMap<String, i64>,
    pub(crate) events: Vec<Event>,
}

/// How an attempt goes if nobody ends it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Take {
    Ok(i64),
    Fail(i64),
    Hang,
}

#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) at: i64,
    pub(crate) what: What,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    Trigger { job: String, args: Args, priority: Option<usize>, later: i64, id: Option<String> },
    Pause(String),
    Resume(String),
    Cancel(i64),
    Retry(i64),
    Env(BTreeMap<String, String>),
    Jobs(BTreeMap<String, Table>),
    Crash(i64),
}

pub(crate) fn script(text: &str) -> Result<Script, String> {
    let file: Table = text.parse().map_err(|e| format!("not TOML: {e}"))?;
    let script = table(file.get("scenario").ok_or("no [scenario]")?)?;
    known(&file, &["defaults", "jobs", "scenario"])?;
    known(&script, &["until", "start", "env", "workers", "takes", "dies", "event", "jobs"])?;
    let mut events = Vec::new();
    if let Some(list) = script.get("event") {
        for one in list.as_array().ok_or("event is a list")? {
            events.push(event(&table(one)?)?);
        }
    }
    // A stable sort: events of one instant stay in their order.
    events.sort_by_key(|e| e.at);
    let mut takes = BTreeMap::new();
    for (job, value) in table_or_empty(script.get("takes"))? {
        takes.insert(job, take_list(&value)?);
    }
    let mut dies = BTreeMap::new();
    for (job, value) in table_or_empty(script.get("dies"))? {
        dies.insert(job, duration(text_of(&value)?)?);
    }
    Ok(Script {
        defaults: table_or_empty(file.get("defaults"))?,
        jobs: tables(file.get("jobs"))?,
        until: duration(text_of(script.get("until").ok_or("no until")?)?)?,
        env: strings(script.get("env"))?,
        workers: match script.get("workers") {
            Some(n) => number(n)? as usize,
            None => 1000,
        },
        takes,
        dies,
        events,
    })
}

fn event(e: &Table) -> Result<Event, String> {
    let at = duration(text_of(e.get("at").ok_or("an event without at")?)?)?;
    let kinds = ["trigger", "pause", "resume", "cancel", "retry", "env", "jobs", "crash"];
    let given: Vec<&str> = kinds.into_iter().filter(|k| e.contains_key(*k)).collect();
    let [kind] = given[..] else {
        return Err(format!("an event does one thing, this one {given:?}"));
    };
    let value = &e[kind];
    let what = match kind {
        "trigger" => {
            known(e, &["at", "trigger", "args", "priority", "in", "id"])?;
            What::Trigger {
                job: text_of(value)?.to_owned(),
                args: match e.get("args") {
                    Some(args) => Args::of(json(args)),
                    None => Args::None,
                },
                priority: optional_text(e.get("priority"))?.map(|word| priority(&word)).transpose()?,
                later: match e.get("in") {
                    Some(d) => duration(text_of(d)?)?,
                    None => 0,
                },
                id: optional_text(e.get("id"))?,
            }
        }
        "pause" => What::Pause(text_of(value)?.to_owned()),
        "resume" => What::Resume(text_of(value)?.to_owned()),
        "cancel" => What::Cancel(number(value)?),
        "retry" => What::Retry(number(value)?),
        "env" => What::Env(strings(Some(value))?),
        "jobs" => What::Jobs(tables(Some(value))?),
        _ => What::Crash(duration(text_of(value)?)?),
    };
    if kind != "trigger" {
        known(e, &["at", kind])?;
    }
    Ok(Event { at, what })
}

fn take_list(value: &Value) -> Result<Vec<Take>, String> {
    match value {
        Value::String(one) => Ok(vec![take(one)?]),
        Value::Array(list) => list.iter().map(|one| take(text_of(one)?)).collect(),
        other => Err(format!("takes is a text or a list, not {other}")),
    }
}

fn take(text: &str) -> Result<Take, String> {
    let text = text.trim();
    if text == "hang" {
        return Ok(Take::Hang);
    }
    if let Some(time) = text.strip_suffix("fail") {
        return Ok(Take::Fail(duration(time)?));
    }
    if let Some(time) = text.strip_suffix("ok") {
        return Ok(Take::Ok(duration(time)?));
    }
    Ok(Take::Ok(duration(text)?))
}

/// `"1m 30s"` and the like, in microseconds.
pub(crate) fn duration(text: &str) -> Result<i64, String> {
    let letters: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
    let mut sum = 0_i64;
    let mut i = 0;
    while i < letters.len() {
        let mut digits = String::new();
        while i < letters.len() && letters[i].is_ascii_digit() {
            digits.push(letters[i]);
            i += 1;
        }
        let mut unit = String::new();
        while i < letters.len() && letters[i].is_ascii_alphabetic() {
            unit.push(letters[i]);
            i += 1;
        }
        let n: i64 = digits.parse().map_err(|_| format!("duration {text:?}"))?;
        sum += n * match unit.as_str() {
            "ms" => S / 1000,
            "s" => S,
            "m" => 60 * S,
            "h" => 3600 * S,
            "d" => 24 * 3600 * S,
            _ => return Err(format!("duration {text:?}")),
        };
    }
    if letters.is_empty() {
        return Err("an empty duration".to_owned());
    }
    Ok(sum)
}

pub(crate) fn known(table: &Table, keys: &[&str]) -> Result<(), String> {
    match table.keys().find(|key| !keys.contains(&key.as_str())) {
        Some(key) => Err(format!("unknown key {key}")),
        None => Ok(()),
    }
}

pub(crate) fn text_of(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| format!("{value} is not a text"))
}

fn optional_text(value: Option<&Value>) -> Result<Option<String>, String> {
    value.map(|v| text_of(v).map(str::to_owned)).transpose()
}

pub(crate) fn number(value: &Value) -> Result<i64, String> {
    match value.as_integer() {
        Some(n) if n >= 0 => Ok(n),
        _ => Err(format!("{value} is not a whole number")),
    }
}

pub(crate) fn table(value: &Value) -> Result<Table, String> {
    value.as_table().cloned().ok_or_else(|| format!("{value} is not a table"))
}

fn table_or_empty(value: Option<&Value>) -> Result<Table, String> {
    value.map_or(Ok(Table::new()), table)
}

fn tables(value: Option<&Value>) -> Result<BTreeMap<String, Table>, String> {
    let mut all = BTreeMap::new();
    for (name, one) in table_or_empty(value)? {
        all.insert(name, table(&one)?);
    }
    Ok(all)
}

fn strings(value: Option<&Value>) -> Result<BTreeMap<String, String>, String> {
    let mut all = BTreeMap::new();
    for (name, one) in table_or_empty(value)? {
        all.insert(name, text_of(&one)?.to_owned());
    }
    Ok(all)
}

pub(crate) fn json(value: &Value) -> Json {
    match value {
        Value::String(s) => Json::from(s.as_str()),
        Value::Integer(n) => Json::from(*n),
        Value::Float(f) => Json::from(*f),
        Value::Boolean(b) => Json::from(*b),
        Value::Datetime(d) => Json::from(d.to_string()),
        Value::Array(list) => Json::Array(list.iter().map(json).collect()),
        Value::Table(t) => Json::Object(t.iter().map(|(k, v)| (k.clone(), json(v))).collect()),
    }
}

/// The index of a priority.
pub(crate) fn priority(name: &str) -> Result<usize, String> {
    ["low", "normal", "medium", "high", "critical"]
        .into_iter()
        .position(|p| p == name)
        .ok_or_else(|| format!("priority {name}"))
}
