//! What happened lately: refusals, and what runs did, from their rows and attempts.

use std::sync::Arc;

use jobstile::client::{AttemptInfo, DecisionInfo, RunFilter, RunInfo};
use jobstile_core::decide::{Code as Why, Decision};
use jobstile_core::id::RunId;
use jobstile_core::outcome::Outcome;
use jobstile_core::run;
use jobstile_core::time::Time;
use jobstile_core::trigger::Source;

use super::state::State;
use crate::cmd::explain::ended;
use crate::cmd::open::Opened;
use crate::error::Error;
use crate::text::duration::spoken;
use crate::text::table::Paint;
use crate::text::words::count;

/// Ended runs that are looked at.
const ENDED: usize = 40;
/// Running and retrying runs that are looked at, of each.
const LIVE: usize = 20;

/// One thing that happened, or several alike.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) job: Arc<str>,
    /// The last time, and the first.
    pub(super) at: Time,
    pub(super) first_at: Time,
    pub(super) times: u64,
    pub(super) run: Option<RunId>,
    /// After the job's name.
    pub(super) text: String,
    /// Why; empty where the text says it all.
    pub(super) code: &'static str,
    pub(super) paint: Paint,
    alike: Alike,
}

/// What becomes one event with the one of its job before it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Alike {
    /// Nothing.
    Alone,
    /// Nothing, and it does not stand between others: the start of a run that goes on.
    Start,
    /// Those that share this.
    To(String),
}

/// The latest events, the newest last.
pub(super) fn of(opened: &Opened, state: &State, only: Option<&str>) -> Result<Vec<Event>, Error> {
    let client = &opened.client;
    let runs = |states: Vec<run::State>, limit: usize| {
        client.runs(&RunFilter { job: only.map(str::to_owned), states, limit, ..RunFilter::default() })
    };
    let mut events: Vec<Event> = state.refusals.iter().map(refused).collect();
    let mut running: Vec<&RunInfo> = state.running.iter().collect();
    running.sort_by_key(|run| std::cmp::Reverse(run.row.claimed_at));
    let retrying = runs(vec![run::State::Retrying], LIVE)?;
    let terminal = run::State::ALL.iter().copied().filter(|state| state.is_terminal()).collect();
    let done = runs(terminal, ENDED)?;
    for run in running.into_iter().take(LIVE).chain(&retrying).chain(&done) {
        of_run(opened, state, run, &mut events)?;
    }
    events.sort_by_key(|event| event.at);
    Ok(together(events))
}

// Those of one job that say the same become one, at the place of the last.
fn together(events: Vec<Event>) -> Vec<Event> {
    let mut all: Vec<Event> = vec![];
    for mut event in events {
        let before = all.iter().rposition(|other| other.job == event.job && other.alike != Alike::Start);
        let same = |at: &usize| matches!(event.alike, Alike::To(_)) && all[*at].alike == event.alike;
        if let Some(at) = before.filter(same) {
            let before = all.remove(at);
            event.times += before.times;
            event.first_at = before.first_at;
        }
        all.push(event);
    }
    all
}

fn refused(decision: &DecisionInfo) -> Event {
    let what = if decision.source == Source::Schedule { "tick" } else { "trigger" };
    let by = decision.by.map_or(String::new(), |by| format!(" by run {by}"));
    let missed = decision.decision == Decision::Missed;
    let text = match missed {
        true => format!("{} missed: nobody was there", count(decision.count, what)),
        false => format!("{what} {}{by}", decision.decision),
    };
    Event {
        job: decision.job.clone(),
        at: decision.last_at,
        first_at: decision.first_at,
        times: if missed { 1 } else { decision.count },
        run: decision.by,
        alike: if missed { Alike::Alone } else { Alike::To(format!("{text} {}", decision.code)) },
        text,
        code: decision.code.as_str(),
        paint: if missed { Paint::Attention } else { Paint::Plain },
    }
}

fn of_run(opened: &Opened, state: &State, run: &RunInfo, events: &mut Vec<Event>) -> Result<(), Error> {
    let row = &run.row;
    let id = row.id;
    let job = state.jobs.iter().find(|job| job.info.name == run.job);
    let of = job.and_then(|job| job.info.policy.as_ref()).map_or(1, |policy| policy.attempts);
    let mut event = |at: Time, text: String, code: &'static str, paint: Paint, alike: Alike| {
        let (job, run) = (run.job.clone(), Some(id));
        events.push(Event { job, at, first_at: at, times: 1, run, text, code, paint, alike });
    };
    let attempts = if row.started() { opened.client.attempts(id)? } else { vec![] };
    for attempt in &attempts {
        let node = opened.node_name(&attempt.node);
        let nth = match attempt.n {
            1 => String::new(),
            n if n <= of => format!(", attempt {n} of {of}"),
            n => format!(", attempt {n}"),
        };
        let Some((end, outcome)) = attempt.ended_at.zip(attempt.outcome) else {
            event(attempt.claimed_at, format!("run {id} started on {node}{nth}"), "", Paint::Plain, Alike::Start);
            continue;
        };
        let last = attempts.last().is_some_and(|last| last.n == attempt.n);
        let (text, paint) = match (outcome, row.state) {
            (Outcome::Success, _) => {
                let text = format!("run {id} ok after {}{nth}", spoken(end.since(attempt.claimed_at)));
                event(end, text, "", Paint::Good, Alike::To(outcome.to_string()));
                continue;
            }
            (_, run::State::Dead) if last => {
                let text = dead(run, attempt);
                let alike = Alike::To(format!("dead: {}", attempt.message.as_deref().unwrap_or_default()));
                event(end, text, "", Paint::Bad, alike);
                continue;
            }
            (_, run::State::Retrying) if last => {
                let again = match row.due.since(state.now) {
                    left if left.is_zero() => "; again now".to_owned(),
                    left => format!("; again in {}", spoken(left)),
                };
                (format!("run {id}, {}{again}", ended(attempt, end, outcome, &node)), Paint::Attention)
            }
            _ => (format!("run {id}, {}", ended(attempt, end, outcome, &node)), Paint::Attention),
        };
        event(end, text, "", paint, Alike::Alone);
    }
    let Some(end) = row.ended_at else { return Ok(()) };
    let by = row.by_run.map_or(String::new(), |by| format!(" by run {by}"));
    let code = row.code.map_or("", Why::as_str);
    match row.state {
        run::State::Refused => {
            let alike = Alike::To(format!("refused{by}"));
            event(end, format!("run {id} refused at the start{by}"), code, Paint::Attention, alike);
        }
        run::State::Cancelled => {
            let who = row.cancel_by.as_ref().map_or(by, |who| format!(" by {who}"));
            event(end, format!("run {id} cancelled{who}"), code, Paint::Plain, Alike::Alone);
        }
        run::State::Expired => event(end, format!("run {id} expired"), code, Paint::Attention, Alike::Alone),
        run::State::Dead if attempts.is_empty() => event(end, format!("run {id} is DEAD"), code, Paint::Bad, Alike::Alone),
        _ => {}
    }
    Ok(())
}

fn dead(run: &RunInfo, last: &AttemptInfo) -> String {
    let message = last.message.as_ref().map_or(String::new(), |message| format!(": {message}"));
    let after = match run.row.code {
        Some(Why::CrashBudget) => "its node went away too often".to_owned(),
        _ => format!("after {}", count(run.row.failures.max(1).into(), "attempt")),
    };
    format!("run {} is DEAD {after}{message}", run.row.id)
}
