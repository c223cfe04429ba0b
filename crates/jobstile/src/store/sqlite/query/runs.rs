//! Runs, their attempts and output. A list of runs is merged from one ordered stream for each job and state, so that it
//! costs what it shows and not what the history holds.

use std::collections::BTreeSet;

use jobstile_core::decide::Tally;
use jobstile_core::id::{Fence, JobId, RunId, TriggerId};
use jobstile_core::key::Key;
use jobstile_core::run::State;
use jobstile_core::time::Time;
use rusqlite::{Row, params};

use super::merge::greatest;
use super::{Reader, ask};
use crate::error::{Error, Kind, Result};
use crate::store::Printed;
use crate::store::read::{AttemptInfo, DeadRun, JobInfo, MAX_PAGE, RunFilter, RunInfo};
use crate::store::sqlite::row;

/// The place of a run in a list: live ones first, the one due last before the others; then ended ones, the one that
/// ended last before the others.
type Place = (bool, Time, RunId);

const FIRST: Place = (true, Time::MAX, RunId(i64::MAX));

fn place(run: &RunInfo) -> Place {
    let row = &run.row;
    (!row.state.is_terminal(), row.ended_at.unwrap_or(row.first_due), row.id)
}

/// What is asked of one stream.
struct Stream {
    job: JobId,
    state: State,
    from: (Time, RunId),
}

impl Reader {
    pub(crate) fn run(&self, id: RunId) -> Result<Option<RunInfo>> {
        self.maybe(ask!("run"), [id.0], run)
    }

    pub(crate) fn result(&self, id: RunId) -> Result<Option<String>> {
        self.maybe(ask!("result"), [id.0], |row| row.get(0))
    }

    pub(crate) fn runs(&self, filter: &RunFilter) -> Result<Vec<RunInfo>> {
        let limit = filter.limit.min(MAX_PAGE);
        let after = match filter.after {
            None => FIRST,
            Some(id) => place(&self.run(id)?.ok_or_else(|| no_run(id))?),
        };
        let jobs = match &filter.job {
            None => self.jobs()?,
            Some(name) => self.job(name)?.into_iter().collect(),
        };
        let wanted = |state: State| filter.states.is_empty() || filter.states.contains(&state);
        let mut streams = Vec::new();
        for job in &jobs {
            for &state in State::ALL.iter().filter(|state| wanted(**state) && has_any(job, **state)) {
                // The page begins among the live ones, or among the ended ones.
                match (after.0, state.is_terminal()) {
                    (true, true) => streams.push(Stream { job: job.id, state, from: (FIRST.1, FIRST.2) }),
                    (false, false) => {}
                    _ => streams.push(Stream { job: job.id, state, from: (after.1, after.2) }),
                }
            }
        }
        greatest(&streams, limit, place, |stream, last, piece| {
            let from = last.map_or(stream.from, |(_, at, id)| (at, id));
            self.of_state(stream, from, filter.since, piece)
        })
    }

    fn of_state(
        &self,
        stream: &Stream,
        (at, id): (Time, RunId),
        since: Option<Time>,
        piece: usize,
    ) -> Result<Vec<RunInfo>> {
        let (job, state) = (stream.job, stream.state.as_str());
        match stream.state {
            State::Scheduled => self.all(ask!("runs_scheduled"), params![job.0, at.0, id.0, piece], run),
            State::Running => self.all(ask!("runs_running"), params![job.0, at.0, id.0, piece], run),
            State::Queued | State::Retrying => {
                self.all(ask!("runs_waiting"), params![job.0, state, at.0, id.0, piece], run)
            }
            State::Succeeded | State::Dead | State::Cancelled | State::Refused | State::Expired => {
                let since = since.map_or(i64::MIN, |since| since.0);
                self.all(ask!("runs_ended"), params![job.0, state, at.0, id.0, since, piece], run)
            }
        }
    }

    pub(crate) fn running(&self, limit: usize) -> Result<Vec<RunInfo>> {
        self.all(ask!("running"), [limit.min(MAX_PAGE)], run)
    }

    pub(crate) fn upcoming(&self, limit: usize) -> Result<Vec<RunInfo>> {
        self.all(ask!("upcoming"), [limit.min(MAX_PAGE)], run)
    }

    pub(crate) fn waiters(&self, waits_on: &str, limit: usize) -> Result<Vec<RunInfo>> {
        self.all(ask!("waiters"), params![waits_on, limit.min(MAX_PAGE)], run)
    }

    pub(crate) fn holder(&self, job: JobId, key: &Key) -> Result<Option<RunInfo>> {
        self.maybe(ask!("holder"), params![job.0, key.as_str()], run)
    }

    pub(crate) fn live_of_key(&self, job: JobId, key: &Key, limit: usize) -> Result<Vec<RunInfo>> {
        self.all(ask!("live_of_key"), params![job.0, key.as_str(), limit.min(MAX_PAGE)], run)
    }

    pub(crate) fn run_of_trigger(&self, job: JobId, trigger_id: &TriggerId) -> Result<Option<RunInfo>> {
        self.maybe(ask!("of_trigger"), params![job.0, trigger_id.as_str()], run)
    }

    pub(crate) fn dead(&self, filter: &RunFilter) -> Result<Vec<DeadRun>> {
        let filter = RunFilter { states: vec![State::Dead], ..filter.clone() };
        self.runs(&filter)?
            .into_iter()
            .map(|run| {
                let row = &run.row;
                let died = row.ended_at.map_or(i64::MIN, |at| at.0);
                let recovered_by = self
                    .one(ask!("recovered_by"), params![row.job.0, died, row.id.0, row.key.as_str()], |row| {
                        row.get::<_, Option<i64>>(0)
                    })?
                    .map(RunId);
                Ok(DeadRun { run, recovered_by })
            })
            .collect()
    }

    pub(crate) fn rerun(&self, job: JobId, since: Time) -> Result<BTreeSet<RunId>> {
        let all = self.all(ask!("reruns"), params![job.0, since.0], |row| row.get(0).map(RunId))?;
        Ok(all.into_iter().collect())
    }

    pub(crate) fn attempts(&self, id: RunId) -> Result<Vec<AttemptInfo>> {
        self.all(ask!("attempts"), [id.0], |row| attempt(row, 0))
    }

    pub(crate) fn output(&self, id: RunId, n: u32) -> Result<Option<Printed>> {
        self.maybe(ask!("output"), params![id.0, n], |row| {
            Ok(Printed { head: row.get(0)?, tail: row.get(1)?, dropped: row.get(2)? })
        })
    }
}

pub(super) fn no_run(id: RunId) -> Error {
    Error::new(Kind::NotFound, format!("there is no run {id}"))
}

// A stream that is known to be empty is not asked.
fn has_any(job: &JobInfo, state: State) -> bool {
    let Tally { scheduled, queued, running, retrying } = job.tally;
    match state {
        State::Scheduled => scheduled > 0,
        State::Queued => queued > 0,
        State::Running => running > 0,
        State::Retrying => retrying > 0,
        State::Succeeded | State::Dead | State::Cancelled | State::Refused | State::Expired => true,
    }
}

/// An ended attempt, from this column on.
pub(super) fn attempt(row: &Row<'_>, at: usize) -> rusqlite::Result<AttemptInfo> {
    Ok(AttemptInfo {
        n: row.get(at)?,
        fence: Fence(row.get(at + 1)?),
        node: row::text(row, at + 2)?,
        claimed_at: Time(row.get(at + 3)?),
        ended_at: row::maybe_time(row, at + 4)?,
        outcome: row::maybe_parsed(row, at + 5)?,
        message: row.get(at + 6)?,
        exit_code: row.get(at + 7)?,
    })
}

pub(super) fn run(row: &Row<'_>) -> rusqlite::Result<RunInfo> {
    Ok(RunInfo { job: row.get(33)?, row: row::run(row)? })
}
