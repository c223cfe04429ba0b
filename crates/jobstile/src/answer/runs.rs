//! Runs as they are listed: each with what it waits for, how long it took, and what it turned away.

use std::time::Duration;

use jobstile_core::id::RunId;
use jobstile_core::run::State;
use jobstile_core::time::Time;

use super::overview::Overview;
use super::run::Waits;
use super::{Asker, Questions};
use crate::error::Result;
use crate::store::read::{AttemptInfo, RunFilter, RunInfo, TurnedAway};

/// Runs, and what goes on around them. Beside the page itself the number of questions is always the same.
#[derive(Debug, Clone, PartialEq)]
pub struct Runs {
    /// The jobs and the nodes.
    pub overview: Overview,
    /// Live runs first, the one due last before the others; then ended ones, the latest end first.
    pub runs: Vec<ListedRun>,
}

/// A run in a list.
#[derive(Debug, Clone, PartialEq)]
pub struct ListedRun {
    /// The run.
    pub run: RunInfo,
    /// Its node is gone: it runs no more, whatever its state says.
    pub was_running: bool,
    /// What it waits for; `None` if it does not wait.
    pub waits: Option<Waits>,
    /// The last of its attempts that ended.
    pub last: Option<AttemptInfo>,
    /// What it turned away.
    pub turned_away: TurnedAway,
    /// The readable name of its node.
    pub node: Option<String>,
}

impl ListedRun {
    /// How long its last attempt took, or has taken so far; `None` if it waits, or never started.
    #[must_use]
    pub fn took(&self, now: Time) -> Option<Duration> {
        match self.run.row.state {
            State::Running if self.was_running => None,
            State::Running => self.run.row.claimed_at.map(|at| now.since(at)),
            State::Queued | State::Retrying | State::Scheduled => None,
            State::Succeeded | State::Dead | State::Cancelled | State::Refused | State::Expired => {
                self.last.as_ref().and_then(AttemptInfo::took)
            }
        }
    }
}

impl Runs {
    /// Asks for the runs that a filter lets through.
    ///
    /// # Errors
    /// If the store cannot be read, or the run that the page follows is gone.
    pub fn ask<Q: Questions>(asker: &Asker<'_, Q>, filter: &RunFilter) -> Result<Self> {
        asker.store.at_once(|store| {
            let overview = Overview::ask(&Asker { store, ..*asker }, filter.job.as_deref())?;
            let runs = store.runs(filter)?;
            let ids: Vec<RunId> = runs.iter().map(|run| run.row.id).collect();
            let mut attempts = store.attempts_of(&ids)?;
            let turned_away = store.turned_away_by(&ids)?;
            let runs = runs.into_iter().map(|run| ListedRun {
                was_running: overview.was_running(&run),
                waits: overview.waits(&run),
                last: attempts.remove(&run.row.id).and_then(|mut ended| ended.pop()),
                turned_away: turned_away.get(&run.row.id).copied().unwrap_or_default(),
                node: run.row.node.as_ref().map(|node| overview.node_name(node)),
                run,
            });
            Ok(Self { runs: runs.collect(), overview })
        })
    }
}
