//! What happened, by time: what was turned away, what runs did, and when nobody was there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jobstile_core::decide::{Code, Decision};
use jobstile_core::id::{JobId, NodeId, RunId};
use jobstile_core::outcome::Outcome;
use jobstile_core::run::State;
use jobstile_core::time::Time;
use jobstile_core::trigger::Source;

use super::changes::Changes;
use super::nodes::Node;
use crate::store::read::{AttemptInfo, DecisionInfo, Liveness, RunInfo};

/// Configurations read again that become events.
const RELOADS: usize = 20;

/// One thing that happened, or several alike.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The job; `None` for what happened to all of them.
    pub job: Option<Arc<str>>,
    /// When; of several the last time.
    pub at: Time,
    /// Of several the first time.
    pub first_at: Time,
    /// How often.
    pub times: u64,
    /// The run that it happened to, or that was in the way.
    pub run: Option<RunId>,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// A run was admitted.
    Admitted {
        /// Where its trigger came from.
        source: Source,
        /// Who asked.
        by: Arc<str>,
        /// The run that it repeats.
        rerun_of: Option<RunId>,
    },
    /// A trigger was turned away.
    TurnedAway {
        /// It was a tick.
        tick: bool,
        /// What became of it.
        decision: Decision,
        /// Why.
        code: Code,
        /// The run in its way.
        by: Option<RunId>,
    },
    /// Instants of a schedule that nobody could fire in time.
    Missed {
        /// How many.
        count: u64,
        /// A daemon lived at the last of them, so that something held it up.
        somebody_was_there: bool,
    },
    /// An attempt started and is still at work.
    Started {
        /// Its number.
        attempt: u32,
        /// Attempts in all, as the policy has it.
        of: u32,
        /// The node's name.
        node: String,
    },
    /// An attempt was started by a node that is gone.
    WasRunning {
        /// Its number.
        attempt: u32,
        /// The node's name.
        node: String,
    },
    /// An attempt ended.
    Ended {
        /// The attempt.
        attempt: AttemptInfo,
        /// Attempts in all, as the policy has it.
        of: u32,
        /// The node's name.
        node: String,
        /// Where that left its run: its state, if this was its latest attempt.
        left: Option<State>,
        /// Why the run ended, if it did.
        code: Option<Code>,
        /// When the run starts again.
        again: Option<Time>,
        /// Failed attempts of the run so far.
        failures: u32,
    },
    /// A run ended without an attempt having done it.
    Closed {
        /// Its state.
        state: State,
        /// Why.
        code: Option<Code>,
        /// The run in its way.
        by: Option<RunId>,
        /// Who ended it.
        who: Option<String>,
    },
    /// A node read its configuration again and took it.
    Reloaded {
        /// Its name.
        node: String,
        /// What that changed.
        changes: Changes,
    },
    /// A node read its configuration again and did not take it.
    ReloadRefused {
        /// Its name.
        node: String,
        /// Why, in one sentence.
        why: String,
    },
    /// A node came.
    NodeStarted {
        /// Its name.
        node: String,
    },
    /// A node went, as far as anybody knows.
    NodeWent {
        /// Its name.
        node: String,
        /// It stopped by itself.
        stopped: bool,
        /// Somebody found it dead; if neither, this is when it was last seen.
        found_dead: bool,
    },
}

/// What becomes one event with the one of its job before it.
#[derive(PartialEq)]
enum Alike<'a> {
    Refusal(Decision, Code, Option<RunId>),
    Success,
    Dead(Option<&'a str>),
    Refused(Option<RunId>),
}

impl Event {
    fn alike(&self) -> Option<Alike<'_>> {
        match &self.what {
            What::TurnedAway { decision, code, by, .. } => Some(Alike::Refusal(*decision, *code, *by)),
            What::Ended { attempt, left, .. } => match (attempt.outcome, left) {
                (Some(Outcome::Success), _) => Some(Alike::Success),
                (_, Some(State::Dead)) => Some(Alike::Dead(attempt.message.as_deref())),
                _ => None,
            },
            What::Closed { state: State::Refused, by, .. } => Some(Alike::Refused(*by)),
            _ => None,
        }
    }
}

/// What events are told from.
pub(super) struct Told<'a> {
    pub(super) nodes: &'a [Node],
    /// Attempts in all, by the policy of a job.
    pub(super) attempts_of: &'a dyn Fn(JobId) -> u32,
    pub(super) attempts: &'a BTreeMap<RunId, Vec<AttemptInfo>>,
}

/// What became of the configurations that nodes read again, each node's last; of one job what concerns it.
pub(super) fn reloads(nodes: &[Node], only: Option<&str>) -> Vec<Event> {
    let reload = |node: &Node| {
        let (at, name) = (node.info.reloaded_at?, node.name.clone());
        let what = match node.refused() {
            Some((_, why)) => What::ReloadRefused { node: name, why: why.to_owned() },
            None => {
                let changes = Changes::read(node.info.changes.as_deref()?);
                if only.is_some_and(|job| !changes.concern(job)) {
                    return None;
                }
                What::Reloaded { node: name, changes }
            }
        };
        Some(Event { job: None, at, first_at: at, times: 1, run: None, what })
    };
    let mut events: Vec<Event> = nodes.iter().filter_map(reload).collect();
    events.sort_by_key(|event| std::cmp::Reverse(event.at));
    events.truncate(RELOADS);
    events
}

/// In the order of time, the newest last; neighbours of one job that say the same are one.
pub(super) fn of(told: &Told<'_>, refusals: &[DecisionInfo], runs: &[RunInfo]) -> Vec<Event> {
    let mut events: Vec<Event> = refusals.iter().map(|one| refused(one, told.nodes)).collect();
    let mut seen = BTreeSet::new();
    for run in runs {
        if seen.insert(run.row.id) {
            of_run(told, run, &mut events);
        }
    }
    events.sort_by_key(|event| event.at);
    together(events)
}

fn together(events: Vec<Event>) -> Vec<Event> {
    let mut all: Vec<Event> = vec![];
    for mut event in events {
        // The start of a run that goes on stands between no others.
        let before =
            all.iter().rposition(|other| other.job == event.job && !matches!(other.what, What::Started { .. }));
        if let Some(at) = before.filter(|at| event.alike().is_some() && all[*at].alike() == event.alike()) {
            let before = all.remove(at);
            event.times += before.times;
            event.first_at = before.first_at;
        }
        all.push(event);
    }
    all
}

fn refused(decision: &DecisionInfo, nodes: &[Node]) -> Event {
    let tick = decision.source == Source::Schedule;
    let (times, what) = match decision.decision {
        Decision::Missed => {
            let at = decision.nominal.unwrap_or(decision.last_at);
            let there = |node: &Node| {
                let until = node.until(decision.last_at.max(at));
                node.info.started_at <= at && at <= until.max(if node.alive() { at } else { until })
            };
            (1, What::Missed { count: decision.count, somebody_was_there: nodes.iter().any(there) })
        }
        verdict => (decision.count, What::TurnedAway { tick, decision: verdict, code: decision.code, by: decision.by }),
    };
    let (at, first_at) = (decision.last_at, decision.first_at);
    Event { job: Some(decision.job.clone()), at, first_at, times, run: decision.by, what }
}

pub(super) fn name_of(nodes: &[Node], id: &NodeId) -> String {
    let known = nodes.iter().find(|node| node.info.row.id == *id);
    known.map_or_else(|| id.chars().take(8).collect(), |node| node.name.clone())
}

/// What a run did.
pub(super) fn of_run(told: &Told<'_>, run: &RunInfo, events: &mut Vec<Event>) {
    let row = &run.row;
    let of = (told.attempts_of)(row.job);
    let mut event = |at: Time, what: What| {
        let (job, run) = (Some(run.job.clone()), Some(row.id));
        events.push(Event { job, at, first_at: at, times: 1, run, what });
    };
    let ended = told.attempts.get(&row.id).map_or(&[][..], Vec::as_slice);
    let mut dead = false;
    for attempt in ended {
        let last = attempt.n == row.claims && row.state != State::Running;
        let again = (last && matches!(row.state, State::Retrying | State::Queued)).then_some(row.due);
        dead |= last && row.state == State::Dead;
        event(
            attempt.ended_at.unwrap_or(attempt.claimed_at),
            What::Ended {
                attempt: attempt.clone(),
                of,
                node: name_of(told.nodes, &attempt.node),
                left: last.then_some(row.state),
                code: row.code.filter(|_| last),
                again,
                failures: row.failures,
            },
        );
    }
    if let (State::Running, Some(at), Some(node)) = (row.state, row.claimed_at, row.node.as_ref()) {
        let name = name_of(told.nodes, node);
        let gone = told.nodes.iter().any(|known| known.info.row.id == *node && known.info.liveness == Liveness::Gone);
        let attempt = row.claims;
        let what = match gone {
            true => What::WasRunning { attempt, node: name },
            false => What::Started { attempt, of, node: name },
        };
        event(at, what);
    }
    let Some(end) = row.ended_at else { return };
    let closed = match row.state {
        State::Refused | State::Cancelled | State::Expired => true,
        State::Dead => !dead,
        State::Scheduled | State::Queued | State::Running | State::Retrying | State::Succeeded => false,
    };
    if closed {
        let (state, code, by, who) = (row.state, row.code, row.by_run, row.cancel_by.clone());
        event(end, What::Closed { state, code, by, who });
    }
}

/// When somebody was there last, and came again: around missed ticks, or if nobody is there now.
pub(super) fn absences(nodes: &[Node], missed_until: Option<Time>) -> Vec<Event> {
    let alive = nodes.iter().any(Node::alive);
    let ends: BTreeMap<Time, What> = nodes.iter().filter_map(end).collect();
    let mut told = BTreeMap::new();
    if let Some(missed) = missed_until {
        let came = nodes.iter().filter(|node| node.info.started_at <= missed).max_by_key(|node| node.info.started_at);
        told.extend(came.map(|node| (node.info.started_at, What::NodeStarted { node: node.name.clone() })));
        told.extend(ends.range(..missed).next_back().map(|(at, what)| (*at, what.clone())));
    }
    if !alive {
        told.extend(ends.into_iter().next_back());
    }
    told.into_iter().map(|(at, what)| Event { job: None, at, first_at: at, times: 1, run: None, what }).collect()
}

fn end(node: &Node) -> Option<(Time, What)> {
    let went = |stopped, found_dead| What::NodeWent { node: node.name.clone(), stopped, found_dead };
    match node.info.liveness {
        Liveness::Ended => Some((node.info.ended_at?, went(node.left(), !node.left()))),
        Liveness::Gone => Some((node.info.seen_at, went(false, false))),
        Liveness::Alive | Liveness::Unknown => None,
    }
}
