//! What happened to a job, by time: what was turned away, what its runs did, and when nobody was there.

use std::collections::BTreeMap;

use jobstile::client::{DecisionFilter, DecisionInfo, Liveness, NodeInfo, RunInfo};
use jobstile_core::decide::{Code as Why, Decision};
use jobstile_core::run::State;
use jobstile_core::time::Time;

use super::page::Page;
use super::run::{ended, said};
use crate::cmd::open::Opened;
use crate::error::Error;
use crate::text::time::Times;
use crate::text::words::count;

/// Events that are shown.
const SHOWN: usize = 5;
/// Decisions that are looked at for them: many of them become one line.
const DECISIONS: usize = 50;
/// Live runs whose attempts are shown.
const RUNS: usize = 4;
/// Nodes that are looked at.
const NODES: usize = 50;

struct Event {
    at: Time,
    text: String,
    code: &'static str,
    /// What was turned away like the one before becomes one line with it: how often, and since when.
    turned_away: Option<(u64, Time)>,
}

/// Puts the latest events of a job on the page.
pub(super) fn of_job(
    opened: &Opened,
    page: &mut Page,
    times: &Times,
    name: &str,
    live: &[RunInfo],
    last: Option<&RunInfo>,
    attempts: u32,
) -> Result<(), Error> {
    let filter = DecisionFilter {
        job: Some(name.to_owned()),
        refused_only: true,
        limit: DECISIONS,
        ..DecisionFilter::default()
    };
    let decisions = opened.client.decisions(&filter)?;
    let mut events: Vec<Event> = decisions.iter().map(refused).collect();
    absences(opened, &decisions, &mut events)?;
    if let Some(run) = last {
        let row = &run.row;
        let code = row.code.map_or("", Why::as_str);
        let at = row.ended_at.unwrap_or(row.due);
        events.push(Event { at, text: format!("run {} {}", row.id, said(row.state)), code, turned_away: None });
    }
    for run in live.iter().take(RUNS).chain(last.filter(|run| run.row.state == State::Dead)) {
        let id = run.row.id;
        for attempt in opened.client.attempts(id)? {
            let node = opened.node_name(&attempt.node);
            let (at, text) = match attempt.ended_at.zip(attempt.outcome) {
                Some((end, outcome)) => (end, format!("run {id}, {}", ended(&attempt, end, outcome, &node))),
                None => (attempt.claimed_at, format!("run {id} started on {node}, {}", which(attempt.n, attempts))),
            };
            events.push(Event { at, text, code: "", turned_away: None });
        }
    }
    events.sort_by_key(|event| event.at);
    let events = together(events);
    for event in &events[events.len().saturating_sub(SHOWN)..] {
        let many = match event.turned_away {
            Some((n, since)) if n > 1 => format!(", {} since {}", count(n, "time"), times.at(since)),
            _ => String::new(),
        };
        page.event(event.at, format!("{}{many}", event.text), event.code);
    }
    if let Some(run) = live.iter().filter(|run| run.row.state == State::Retrying).min_by_key(|run| run.row.due) {
        let (next, due) = (run.row.failures + 1, run.row.due);
        let when = format!("{}, {}", times.at(due), times.ago(due));
        page.now(format!("{} starts at {when}", which(next, attempts)));
    }
    Ok(())
}

/// What became of the last tick that nobody could fire in time.
pub(super) fn catch_up(run: &RunInfo, times: &Times) -> Option<String> {
    let row = &run.row;
    let tick = row.nominal.filter(|tick| row.admitted_at.since(*tick).as_secs() > 0)?;
    let (at, ran) = (times.at(tick), times.at(row.claimed_at.unwrap_or(row.admitted_at)));
    let how = said(row.state);
    Some(format!("latest: the missed {at} ran at {ran} as run {}, {how}", row.id))
}

fn refused(decision: &DecisionInfo) -> Event {
    let what = if decision.source.as_str() == "schedule" { "tick" } else { "trigger" };
    let by = decision.by.map_or(String::new(), |by| format!(" by run {by}"));
    let (text, turned_away) = match decision.decision {
        Decision::Missed => (format!("{} missed: nobody was there", count(decision.count, what)), None),
        verdict => (format!("{what} {verdict}{by}"), Some((decision.count, decision.first_at))),
    };
    Event { at: decision.last_at, text, code: decision.code.as_str(), turned_away }
}

// What was lost or interrupted counts against nothing: there may be more attempts than the policy has.
fn which(n: u32, attempts: u32) -> String {
    if n <= attempts { format!("attempt {n} of {attempts}") } else { format!("attempt {n}") }
}

// Neighbours that say the same become one.
fn together(events: Vec<Event>) -> Vec<Event> {
    let mut all: Vec<Event> = vec![];
    for event in events {
        match (all.last_mut(), event.turned_away) {
            (Some(last), Some((n, _))) if last.text == event.text && last.code == event.code => {
                last.turned_away = last.turned_away.map(|(m, since)| (m + n, since));
                last.at = event.at;
            }
            _ => all.push(event),
        }
    }
    all
}

// Ticks were missed because no daemon was there: when did the last one go, and when did the next one come? And who was
// the last one here, when there is none now?
fn absences(opened: &Opened, decisions: &[DecisionInfo], events: &mut Vec<Event>) -> Result<(), Error> {
    let missed = decisions.iter().find(|decision| decision.decision == Decision::Missed);
    if missed.is_none() && !opened.alive.is_empty() {
        return Ok(());
    }
    let nodes = opened.client.nodes(NODES)?;
    let ends: BTreeMap<Time, String> = nodes.iter().filter_map(end).collect();
    let mut told = BTreeMap::new();
    if let Some(missed) = missed {
        let came = nodes.iter().filter(|node| node.started_at <= missed.last_at).max_by_key(|node| node.started_at);
        told.extend(came.map(|node| (node.started_at, format!("{} started", node.row.name))));
        told.extend(ends.range(..missed.last_at).next_back().map(|(at, text)| (*at, text.clone())));
    }
    if opened.alive.is_empty() {
        told.extend(ends.into_iter().next_back());
    }
    events.extend(told.into_iter().map(|(at, text)| Event { at, text, code: "", turned_away: None }));
    Ok(())
}

// When a node went, as far as anybody knows.
fn end(node: &NodeInfo) -> Option<(Time, String)> {
    let name = &node.row.name;
    match (node.liveness, &node.end_reason) {
        (Liveness::Ended, Some(reason)) if reason == "stopped" => Some((node.ended_at?, format!("{name} stopped"))),
        (Liveness::Ended, _) => Some((node.ended_at?, format!("the {name} before was found dead"))),
        (Liveness::Gone, _) => Some((node.seen_at, format!("{name} was last seen"))),
        _ => None,
    }
}
