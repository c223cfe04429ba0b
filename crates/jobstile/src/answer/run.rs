//! One run: what it waits for, what became of it, and what it turned away.

use jobstile_core::decide::Code;
use jobstile_core::id::{JobId, RunId};
use jobstile_core::run::State;
use jobstile_core::time::Time;

use super::events::{self, Event, Told, What};
use super::job::{InTheWay, blocked};
use super::overview::Overview;
use super::{Asker, Questions};
use crate::error::Result;
use crate::store::read::{RunInfo, TurnedAway};

/// Runs that are named as holders of slots.
const HOLDERS: usize = 5;

/// What a live run waits for.
#[derive(Debug, Clone, PartialEq)]
pub enum Waits {
    /// Something is in the way of the whole job.
    Job(InTheWay),
    /// The time of its retry.
    Retry(Time),
    /// Its time.
    Later(Time),
    /// A slot of its job: the runs that hold them.
    Slot(Vec<RunId>),
    /// Something else that its row names.
    Other(String),
    /// A worker: so many of so many are busy.
    Worker {
        /// Busy ones on live nodes.
        busy: u64,
        /// All of them.
        workers: u64,
    },
    /// Nothing: it is about to start.
    Nothing,
}

impl Overview {
    /// What a run waits for; `None` if it does not wait. There is one reason, whoever asks.
    #[must_use]
    pub fn waits(&self, run: &RunInfo) -> Option<Waits> {
        let row = &run.row;
        match row.state {
            State::Queued | State::Retrying | State::Scheduled => {}
            State::Running | State::Succeeded | State::Dead | State::Cancelled | State::Refused | State::Expired => {
                return None;
            }
        }
        let job = self.job(&run.job);
        let blocked = job.and_then(|job| blocked(self, job));
        let for_long = |way: &InTheWay| matches!(way, InTheWay::NoConfiguration { .. });
        Some(match (row.state, blocked) {
            // Nobody will look at it when its time comes.
            (_, Some(way)) if for_long(&way) => Waits::Job(way),
            (State::Retrying, _) if row.due > self.at => Waits::Retry(row.due),
            (State::Scheduled, _) if row.due > self.at => Waits::Later(row.due),
            (_, Some(way)) => Waits::Job(way),
            _ => match &row.waits_on {
                Some(on) if on.starts_with("limit:") => {
                    let running = job.map_or(&[][..], |job| &job.running);
                    Waits::Slot(running.iter().map(|run| run.run.row.id).take(HOLDERS).collect())
                }
                Some(on) => Waits::Other(on.clone()),
                None => self.for_a_worker(),
            },
        })
    }

    fn for_a_worker(&self) -> Waits {
        let alive = self.nodes.iter().filter(|node| node.alive());
        let (busy, workers) =
            alive.fold((0, 0), |(busy, workers), node| (busy + node.busy, workers + u64::from(node.info.row.workers)));
        if busy >= workers { Waits::Worker { busy, workers } } else { Waits::Nothing }
    }

    /// Whether a run whose row says that it runs went away with its node: nothing of it lives, and it starts again.
    #[must_use]
    pub fn was_running(&self, run: &RunInfo) -> bool {
        let known = self.job(&run.job).and_then(|job| job.running.iter().find(|one| one.run.row.id == run.row.id));
        let lives = known.is_some_and(|one| !one.is_orphan());
        run.row.state == State::Running && self.is_gone(run.row.node.as_ref()) && !lives
    }
}

/// The newer run that a superseded one gave way to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replacement {
    /// It has newer arguments.
    Newer {
        /// The run.
        run: RunId,
        /// Where it is in its life.
        state: State,
    },
    /// It ended before it started: nothing replaced the older one.
    NeverStarted {
        /// The run.
        run: RunId,
    },
    /// It is no longer kept.
    Gone,
}

/// Everything about one run.
#[derive(Debug, Clone, PartialEq)]
pub struct ExplainedRun {
    /// Its job, and the nodes around it.
    pub overview: Overview,
    /// The run.
    pub run: RunInfo,
    /// The readable name of its node.
    pub node: Option<String>,
    /// It went away with its node.
    pub was_running: bool,
    /// What it waits for.
    pub waits: Option<Waits>,
    /// What happened to it, the newest last.
    pub happened: Vec<Event>,
    /// What it turned away.
    pub turned_away: TurnedAway,
    /// What it gave back, as JSON; `None` means nothing.
    pub result: Option<String>,
    /// What it gave way to.
    pub replacement: Option<Replacement>,
}

impl ExplainedRun {
    /// Asks for everything about a run; `None` if there is none of that number.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn ask<Q: Questions>(asker: &Asker<'_, Q>, id: RunId) -> Result<Option<Self>> {
        asker.store.at_once(|store| {
            let asker = Asker { store, ..*asker };
            match store.run(id)? {
                None => Ok(None),
                Some(run) => explain(&asker, run).map(Some),
            }
        })
    }
}

fn explain<Q: Questions>(asker: &Asker<'_, Q>, run: RunInfo) -> Result<ExplainedRun> {
    let store = asker.store;
    let overview = Overview::ask(asker, Some(&run.job))?;
    let row = &run.row;
    let attempts = store.attempts_of(&[row.id])?;
    let of = |job: JobId| overview.attempts_in_all(job);
    let told = Told { nodes: &overview.nodes, attempts_of: &of, attempts: &attempts };
    let mut happened = vec![Event {
        job: Some(run.job.clone()),
        at: row.admitted_at,
        first_at: row.admitted_at,
        times: 1,
        run: Some(row.id),
        what: What::Admitted { source: row.source, by: row.by_whom.clone(), rerun_of: row.rerun_of },
    }];
    events::of_run(&told, &run, &mut happened);
    let turned_away = store.turned_away_by(&[row.id])?.remove(&row.id).unwrap_or_default();
    let node = row.node.as_ref();
    Ok(ExplainedRun {
        node: node.map(|node| overview.node_name(node)),
        was_running: overview.was_running(&run),
        waits: overview.waits(&run),
        replacement: replacement(store, &run)?,
        result: store.result(run.row.id)?,
        happened,
        turned_away,
        overview,
        run,
    })
}

fn replacement<Q: Questions>(store: &Q, run: &RunInfo) -> Result<Option<Replacement>> {
    let Some(newer) = run.row.by_run.filter(|_| run.row.code == Some(Code::Superseded)) else { return Ok(None) };
    Ok(Some(match store.run(newer)? {
        None => Replacement::Gone,
        Some(newer) if !newer.row.started() && newer.row.state.is_terminal() => {
            Replacement::NeverStarted { run: newer.row.id }
        }
        Some(newer) => Replacement::Newer { run: newer.row.id, state: newer.row.state },
    }))
}
