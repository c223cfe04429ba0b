//! What the store knows, as JSON: states and codes spelled as everywhere, ids as strings, times in RFC 3339.

pub(crate) mod answer;

use jobstile::client::{
    AttemptInfo, DecisionInfo, JobInfo, NodeInfo, Offer, PauseInfo, RunInfo, SlotInfo, VersionInfo, Violation,
};
use jobstile_core::decide::Tally;
use jobstile_core::id::RunId;
use jobstile_core::policy::{Dedup, KeyRule, Policy, Switches, keys};
use jobstile_core::time::Time;
use serde_json::{Map, Value, json};

use super::duration::short;
use super::time::rfc3339;

/// An instant.
pub(crate) fn time(at: Time) -> Value {
    rfc3339(at).into()
}

/// An instant, or null.
pub(crate) fn maybe_time(at: Option<Time>) -> Value {
    at.map_or(Value::Null, time)
}

/// A number that names something.
pub(crate) fn id(id: impl std::fmt::Display) -> Value {
    id.to_string().into()
}

fn maybe_run(run: Option<RunId>) -> Value {
    run.map_or(Value::Null, id)
}

/// JSON that the store keeps as text.
pub(crate) fn kept(text: Option<&str>) -> Value {
    text.map_or(Value::Null, |text| serde_json::from_str(text).unwrap_or_else(|_| text.into()))
}

pub(crate) fn run(run: &RunInfo) -> Value {
    let row = &run.row;
    json!({
        "run": id(row.id),
        "job": &*run.job,
        "state": row.state.as_str(),
        "code": row.code.map(|code| code.as_str()),
        "by": maybe_run(row.by_run),
        "key": &*row.key,
        "args": kept(row.args.as_deref()),
        "source": row.source.as_str(),
        "by_whom": &*row.by_whom,
        "trigger_id": row.trigger_id.as_deref(),
        "nominal_at": maybe_time(row.nominal),
        "rerun_of": maybe_run(row.rerun_of),
        "priority": row.priority.as_str(),
        "admitted_at": time(row.admitted_at),
        "first_due_at": time(row.first_due),
        "due_at": time(row.due),
        "waits_on": row.waits_on.as_ref().filter(|_| !row.state.is_terminal()),
        "attempt": row.claims,
        "failures": row.failures,
        "lost": row.lost,
        "fence": id(row.fence),
        "node": row.node.as_deref(),
        "claimed_at": maybe_time(row.claimed_at),
        "cancel_requested_at": maybe_time(row.cancel_at),
        "cancel_requested_by": row.cancel_by,
        "ended_at": maybe_time(row.ended_at),
        "version": id(row.version),
    })
}

pub(crate) fn attempt(attempt: &AttemptInfo) -> Value {
    json!({
        "attempt": attempt.n,
        "fence": id(attempt.fence),
        "node": &*attempt.node,
        "claimed_at": time(attempt.claimed_at),
        "ended_at": maybe_time(attempt.ended_at),
        "outcome": attempt.outcome.map(|outcome| outcome.as_str()),
        "exit_code": attempt.exit_code,
        "message": attempt.message,
    })
}

pub(crate) fn decision(decision: &DecisionInfo) -> Value {
    json!({
        "id": if decision.place.refusal { id(decision.place.id) } else { Value::Null },
        "job": &*decision.job,
        "source": decision.source.as_str(),
        "decision": decision.decision.as_str(),
        "code": decision.code.as_str(),
        "run": maybe_run(decision.run),
        "by": maybe_run(decision.by),
        "count": decision.count,
        "first_at": time(decision.first_at),
        "last_at": time(decision.last_at),
        "nominal_at": maybe_time(decision.nominal),
        "trigger_id": decision.trigger_id.as_deref(),
        "key": &*decision.key,
        "by_whom": decision.by_whom,
        "version": id(decision.version),
    })
}

pub(crate) fn job(job: &JobInfo, now: Time, next: usize) -> Value {
    let fires: Vec<Value> = job.fires(now, next).into_iter().map(time).collect();
    json!({
        "job": &*job.name,
        "in_policy": job.policy.is_some(),
        "owner": job.owner,
        "version": id(job.version),
        "every": job.policy.as_ref().and_then(|p| p.schedule).map(|schedule| short(schedule.every)),
        "enabled": job.policy.as_ref().map(|policy| policy.enabled),
        "monitoring": job.policy.as_ref().map(|policy| policy.monitoring),
        "paused": job.paused(now).map(pause),
        "next": fires,
        "last_instant_at": maybe_time(job.last_at),
        "runs": tally(job.tally),
    })
}

pub(crate) fn pause(pause: &PauseInfo) -> Value {
    json!({ "at": time(pause.at), "until": maybe_time(pause.until), "by": pause.by, "reason": pause.why })
}

pub(crate) fn tally(tally: Tally) -> Value {
    json!({
        "scheduled": tally.scheduled, "queued": tally.queued, "running": tally.running, "retrying": tally.retrying,
    })
}

pub(crate) fn switches(switches: Switches) -> Value {
    json!({
        "deduplication": switches.deduplication,
        "aggressive_deduplication": switches.aggressive,
        "stacking_prevention": switches.stacking_prevention,
    })
}

/// A policy with the keys of a configuration file, tables as objects.
pub(crate) fn policy(policy: &Policy) -> Map<String, Value> {
    let mut all = Map::new();
    for (path, value) in keys::values(policy) {
        match path.split_once('.') {
            None => drop(all.insert(path.to_owned(), plain(&value))),
            Some((table, key)) => {
                let table = all.entry(table).or_insert_with(|| Map::new().into());
                table[key] = plain(&value);
            }
        }
    }
    all
}

/// The value of a key; durations as they are written: `90s`.
pub(crate) fn plain(value: &keys::Value) -> Value {
    match value {
        keys::Value::Flag(flag) => (*flag).into(),
        keys::Value::Whole(whole) => (*whole).into(),
        keys::Value::Fraction(fraction) => number(*fraction),
        keys::Value::Span(span) => short(*span).into(),
        keys::Value::Word(word) => word.clone().into(),
        keys::Value::List(list) => list.clone().into(),
        keys::Value::Args(args) => kept(args.canonical.as_deref()),
        keys::Value::Table => Map::new().into(),
        keys::Value::Nothing => Value::Null,
    }
}

/// A whole number without its fraction.
fn number(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < 1e15 { (value as i64).into() } else { value.into() }
}

/// The identity rule as it is written in a file.
pub(crate) fn dedup(dedup: &Dedup) -> Value {
    let mut all = Map::new();
    if let KeyRule::Fields(fields) = &dedup.key {
        all.insert("key".into(), fields.clone().into());
    }
    all.insert("until".into(), dedup.until.as_str().into());
    all.insert("on_duplicate".into(), dedup.on_duplicate.as_str().into());
    all.into()
}

pub(crate) fn node(node: &NodeInfo, offers: &[Offer]) -> Value {
    let row = &node.row;
    let jobs = offers.iter().map(|offer| json!({ "job": offer.job, "cannot_run": offer.reason }));
    json!({
        "node": &*row.id,
        "name": row.name,
        "kind": row.kind,
        "liveness": node.liveness.as_str(),
        "host": row.host,
        "pid": row.pid,
        "user": row.user,
        "program": row.program,
        "workers": row.workers,
        "busy": node.busy,
        "started_at": time(node.started_at),
        "seen_at": time(node.seen_at),
        "ended_at": maybe_time(node.ended_at),
        "end_reason": node.end_reason,
        "jobs": jobs.collect::<Vec<_>>(),
    })
}

pub(crate) fn slot(slot: &SlotInfo) -> Value {
    json!({
        "slot": slot.n,
        "run": maybe_run(slot.holder.map(|(run, _)| run)),
        "fence": slot.holder.map_or(Value::Null, |(_, fence)| id(fence)),
    })
}

pub(crate) fn version(version: &VersionInfo) -> Value {
    json!({
        "version": id(version.id),
        "owner": version.owner,
        "applied_at": time(version.at),
        "applied_by": version.by,
    })
}

pub(crate) fn violation(violation: &Violation) -> Value {
    json!({ "check": violation.check, "demands": violation.demands, "found": violation.found })
}

/// One line, without its end.
pub(crate) fn line(one: &impl serde::Serialize) -> String {
    inert(serde_json::to_string(one).unwrap_or_default())
}

/// One document, in the form that was asked for.
pub(crate) fn document(one: &Value, lines: bool) -> String {
    inert(if lines { format!("{one}\n") } else { format!("{one:#}\n") })
}

/// What a command found, in the form that was asked for: `name` is that of its list in one document.
pub(crate) fn list(name: &str, all: Vec<Value>, more: Value, lines: bool) -> String {
    if lines {
        return inert(all.iter().map(|one| format!("{one}\n")).collect());
    }
    let mut document = Map::new();
    document.insert(name.to_owned(), all.into());
    if let Value::Object(more) = more {
        document.extend(more);
    }
    inert(format!("{:#}\n", Value::Object(document)))
}

/// JSON whose text cannot act on a terminal: control characters beyond ASCII and marks of writing direction are escaped,
/// as JSON itself escapes those of ASCII. Outside strings there are none.
fn inert(json: String) -> String {
    let acts = |c: char| matches!(c, '\u{7f}'..='\u{9f}' | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    if !json.contains(acts) {
        return json;
    }
    json.chars().fold(String::with_capacity(json.len()), |mut text, c| {
        match acts(c) {
            true => text.push_str(&format!("\\u{:04x}", u32::from(c))),
            false => text.push(c),
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_on_a_terminal_is_escaped_and_means_the_same() {
        let value = Value::from("a\u{9b}31m\u{202e}\u{2066}b ü€\u{1f600}\u{7f}");
        let text = document(&value, true);
        assert_eq!(text, "\"a\\u009b31m\\u202e\\u2066b ü€\u{1f600}\\u007f\"\n");
        assert_eq!(serde_json::from_str::<Value>(&text).expect("JSON"), value);
    }
}
