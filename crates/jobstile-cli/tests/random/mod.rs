//! Random scenarios that mostly mean something: a few jobs whose runs overlap, times that meet,
//! events that concern runs which exist.

mod job;
pub(crate) mod logs;
mod promises;
mod rng;
mod shrink;

use jobstile_model::scenario::{self, Facts, Wrong};
use serde_json::Value as Json;
use toml::{Table, Value};

pub(crate) use promises::broken;
use rng::Rng;
pub(crate) use shrink::shrink;

const SWITCHES: [&str; 3] =
    ["JOB_DEDUPLICATION_ENABLED", "AGGRESSIVE_DEDUPLICATION_ENABLED", "JOB_STACKING_PREVENTION_ENABLED"];

/// What a scenario is mostly about.
#[derive(Clone, Copy)]
struct Mood {
    /// In hundredths: cancel, retry, pause, resume, crash, env, jobs; the rest are triggers.
    events: [usize; 7],
    /// Triggers for later, in hundredths.
    later: usize,
}

const MOODS: [Mood; 8] = [
    Mood { events: [12, 7, 4, 5, 5, 4, 5], later: 15 },
    Mood { events: [12, 7, 4, 5, 5, 4, 5], later: 15 },
    Mood { events: [8, 4, 2, 3, 3, 3, 3], later: 50 },
    Mood { events: [30, 10, 2, 3, 3, 3, 3], later: 5 },
    Mood { events: [5, 5, 2, 3, 35, 2, 3], later: 10 },
    Mood { events: [5, 5, 2, 3, 3, 30, 5], later: 25 },
    Mood { events: [5, 5, 2, 3, 3, 10, 30], later: 25 },
    Mood { events: [5, 5, 15, 15, 12, 10, 15], later: 10 },
];

/// Steps of time in milliseconds: mostly such that head starts and delays matter.
const STEPS: [usize; 10] = [500, 1_000, 2_000, 5_000, 5_000, 5_000, 10_000, 10_000, 20_000, 5_400_000];

/// Scenarios that may contradict themselves, in hundredths.
const CONTRADICTIONS: usize = 12;

/// What an event has to know.
#[derive(Clone, Copy)]
struct Moment<'a> {
    at: usize,
    step: usize,
    prefix: &'a str,
    mood: Mood,
}

/// The scenario of a seed, as the table of its file. Most can be played; a few contradict themselves, at their beginning or
/// by an event.
pub(crate) fn scenario(seed: u64) -> Table {
    let mut rng = Rng::new(seed);
    let contradicts = rng.chance(CONTRADICTIONS);
    loop {
        let file = once(&mut rng, contradicts);
        if contradicts || replay(&file).is_ok() {
            return file;
        }
    }
}

/// With `contradicts`, what makes no sense is left as it is.
fn once(rng: &mut Rng, contradicts: bool) -> Table {
    // Most times are multiples of a step, so that much falls on one instant.
    let step = rng.pick(&STEPS);
    let until = step * rng.range(12, 40);
    let mut jobs = Table::new();
    let mut takes = Table::new();
    let mut dies = Table::new();
    for _ in 0..rng.pick(&[1, 1, 2, 2, 3]) {
        let (name, table) = job::job(rng, step, &jobs);
        if rng.chance(92) {
            takes.insert(name.clone(), job::takes(rng, step));
        }
        if rng.chance(40) {
            dies.insert(name.clone(), span(step * rng.range(1, 5)));
        }
        jobs.insert(name, Value::Table(table));
    }

    let mut script = Table::new();
    script.insert("until".to_owned(), span(until));
    script.insert("takes".to_owned(), Value::Table(takes));
    if !dies.is_empty() {
        script.insert("dies".to_owned(), Value::Table(dies));
    }
    if rng.chance(10) {
        script.insert("start".to_owned(), Value::from("2026-03-29T00:30:00Z"));
    }
    if rng.chance(25) {
        script.insert("workers".to_owned(), Value::Integer(rng.range(1, 4) as i64));
    }
    // One spelling a scenario: two of one variable that differ are an error.
    let prefix = rng.pick(&["JOBSTILE_", "AIBTC_"]);
    if rng.chance(30) {
        let env = switches(rng, prefix);
        script.insert("env".to_owned(), Value::Table(env));
    }
    let mut file = Table::new();
    file.insert("jobs".to_owned(), Value::Table(jobs));
    file.insert("scenario".to_owned(), Value::Table(script));
    if rng.chance(10) {
        let mut defaults = Table::new();
        defaults.insert("attempts".to_owned(), Value::Integer(rng.range(1, 3) as i64));
        defaults.insert("priority".to_owned(), Value::from(priority(rng)));
        file.insert("defaults".to_owned(), Value::Table(defaults));
    }

    let mut times: Vec<usize> = (0..rng.range(5, 25)).map(|_| step * rng.range(0, until / step)).collect();
    times.sort();
    let mood = rng.pick(&MOODS);
    for at in times {
        let event = event(rng, &file, Moment { at, step, prefix, mood });
        let mut with_it = file.clone();
        let script = with_it["scenario"].as_table_mut().expect("made above");
        let list = script.entry("event").or_insert_with(|| Value::Array(Vec::new()));
        list.as_array_mut().expect("made here").push(Value::Table(event));
        match replay(&with_it) {
            Ok(_) => file = with_it,
            Err(_) if contradicts => return with_it,
            // It would say nothing about the rules.
            Err(_) => {}
        }
    }
    file
}

pub(crate) fn text(file: &Table) -> String {
    toml::to_string(file).expect("a table is TOML")
}

fn replay(file: &Table) -> Result<Vec<Json>, Wrong> {
    scenario::replay(&text(file), Facts::Plain)
}

fn span(ms: usize) -> Value {
    Value::from(words(ms))
}

/// A duration as people write it.
fn words(ms: usize) -> String {
    let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
    let mut rest = ms;
    let mut parts = Vec::new();
    for (unit, length) in units {
        if rest >= length && (unit != "m" || rest >= 120_000) {
            parts.push(format!("{}{unit}", rest / length));
            rest %= length;
        }
    }
    if parts.is_empty() { "0s".to_owned() } else { parts.join(" ") }
}

fn priority(rng: &mut Rng) -> &'static str {
    rng.pick(&["low", "normal", "medium", "high", "critical"])
}

fn boolean(rng: &mut Rng, on: usize) -> &'static str {
    if rng.chance(on) { rng.pick(&["true", "1", "yes", ""]) } else { rng.pick(&["false", "0", "Off"]) }
}

fn switches(rng: &mut Rng, prefix: &str) -> Table {
    let mut env = Table::new();
    for switch in SWITCHES {
        if rng.chance(50) {
            env.insert(format!("{prefix}{switch}"), Value::from(boolean(rng, 35)));
        }
    }
    env
}

fn event(rng: &mut Rng, file: &Table, moment: Moment<'_>) -> Table {
    let Moment { at, step, prefix, mood } = moment;
    let names: Vec<String> = file["jobs"].as_table().expect("jobs").keys().cloned().collect();
    let name = rng.pick(&names);
    let mut event = Table::new();
    event.insert("at".to_owned(), span(at));
    let mut dice = rng.range(0, 99);
    let kind = mood.events.into_iter().position(|weight| {
        let hit = dice < weight;
        dice = dice.saturating_sub(weight);
        hit
    });
    let some = |rng: &mut Rng, states: &[&str]| some_run(rng, file, at, states).map(Value::Integer);
    let (kind, value) = match kind {
        Some(0) => ("cancel", some(rng, &["running", "queued", "retrying", "scheduled"])),
        Some(1) => ("retry", some(rng, &["retrying", "dead", "cancelled"])),
        Some(2) => ("pause", Some(Value::from(name.as_str()))),
        Some(3) => ("resume", Some(Value::from(name.as_str()))),
        Some(4) => ("crash", Some(span(step * rng.pick(&[0, 1, 1, 2, 3, 5, 8])))),
        Some(5) => ("env", Some(Value::Table(environment(rng, file, &name, prefix, step)))),
        Some(6) => {
            let table = file["jobs"][&name].as_table().expect("a job");
            let mut jobs = Table::new();
            jobs.insert(name.clone(), Value::Table(job::change(rng, table, step)));
            ("jobs", Some(Value::Table(jobs)))
        }
        _ => ("trigger", None),
    };
    if let Some(value) = value {
        event.insert(kind.to_owned(), value);
        return event;
    }
    trigger(rng, &mut event, step, mood.later);
    let known = rng.chance(99);
    event.insert("trigger".to_owned(), Value::from(if known { name.as_str() } else { "nobody" }));
    event
}

fn trigger(rng: &mut Rng, event: &mut Table, step: usize, later: usize) {
    if rng.chance(70) {
        let mut args = Table::new();
        args.insert("w".to_owned(), Value::Integer(rng.pick(&[1, 1, 2])));
        if rng.chance(25) {
            args.insert("n".to_owned(), Value::Integer(rng.pick(&[1, 2])));
        }
        event.insert("args".to_owned(), Value::Table(args));
    }
    if rng.chance(20) {
        event.insert("priority".to_owned(), Value::from(priority(rng)));
    }
    if rng.chance(later) {
        event.insert("in".to_owned(), span(step * rng.range(1, 8)));
    }
    if rng.chance(10) {
        event.insert("id".to_owned(), Value::from(rng.pick(&["a", "b"])));
    }
}

/// A run that exists at that time, mostly one in such a state.
fn some_run(rng: &mut Rng, file: &Table, at: usize, states: &[&str]) -> Option<i64> {
    let facts = replay(file).ok()?;
    let mut last: Vec<(i64, String)> = Vec::new();
    for fact in facts.iter().filter(|f| f["at"].as_f64().is_some_and(|t| t * 1e3 <= at as f64)) {
        if let (Some(run), Some(state)) = (fact["run"].as_i64(), fact["state"].as_str()) {
            last.retain(|(id, _)| *id != run);
            last.push((run, state.to_owned()));
        }
    }
    let fitting: Vec<i64> = last.iter().filter(|(_, s)| states.contains(&s.as_str())).map(|(id, _)| *id).collect();
    if !fitting.is_empty() && rng.chance(80) {
        return Some(rng.pick(&fitting));
    }
    let all: Vec<i64> = last.iter().map(|(id, _)| *id).collect();
    (!all.is_empty()).then(|| rng.pick(&all))
}

fn environment(rng: &mut Rng, file: &Table, name: &str, prefix: &str, step: usize) -> Table {
    let scheduled = file["jobs"][name].as_table().expect("a job").contains_key("every");
    let spelled = name.to_uppercase().replace('-', "_");
    if !scheduled || rng.chance(70) {
        return switches(rng, prefix);
    }
    let mut env = Table::new();
    if rng.chance(50) {
        env.insert(format!("{prefix}{spelled}_ENABLED"), Value::from(boolean(rng, 50)));
    } else {
        let every = format!("{}", (step * rng.range(2, 10)).div_ceil(1000));
        env.insert(format!("{prefix}{spelled}_INTERVAL_SECONDS"), Value::from(every));
    }
    env
}
