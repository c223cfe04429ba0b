//! What answers ask: each question about all jobs is one statement.

use std::collections::BTreeMap;

use jobstile_core::id::{JobId, NodeId, RunId, Version};
use jobstile_core::key::Key;
use jobstile_core::time::Time;
use rusqlite::{Row, params};

use super::runs::run;
use super::{Reader, ask};
use crate::error::{Error, Kind, Result};
use crate::store::numbers::Numbers;
use crate::store::read::{
    AttemptInfo, DeadRun, DecisionFilter, DecisionInfo, JobInfo, MAX_PAGE, NodeInfo, Offer, Questions, RunFilter,
    RunInfo, StoreInfo, TurnedAway, VersionInfo,
};
use crate::store::sqlite::row;

// One job, or all.
fn range(job: Option<JobId>) -> (i64, i64) {
    job.map_or((i64::MIN, i64::MAX), |job| (job.0, job.0))
}

// A list for a statement.
fn list(runs: &[RunId]) -> String {
    let numbers: Vec<String> = runs.iter().map(ToString::to_string).collect();
    format!("[{}]", numbers.join(","))
}

impl Questions for Reader {
    fn at_once<T>(&self, ask: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        Self::at_once(self, ask)
    }

    fn store(&self) -> Result<StoreInfo> {
        Self::store(self)
    }

    fn began(&self) -> Result<Time> {
        self.one(ask!("began"), [], |row| row.get(0).map(Time))
    }

    fn jobs(&self) -> Result<Vec<JobInfo>> {
        Self::jobs(self)
    }

    fn job(&self, name: &str) -> Result<Option<JobInfo>> {
        Self::job(self, name)
    }

    fn removed(&self) -> Result<BTreeMap<JobId, Time>> {
        Ok(self.all(ask!("removed"), [], |row| Ok((JobId(row.get(0)?), Time(row.get(1)?))))?.into_iter().collect())
    }

    fn switches(&self) -> Result<Option<VersionInfo>> {
        Self::switches(self)
    }

    fn versions(&self, before: Option<Version>, limit: usize) -> Result<Vec<VersionInfo>> {
        Self::versions(self, before, limit)
    }

    fn numbers_of(&self, job: Option<JobId>, since_hour: i64) -> Result<Vec<(JobId, i64, Numbers)>> {
        let (from, to) = range(job);
        let read = |row: &Row<'_>| {
            let text = row.get_ref(2)?.as_str()?;
            Ok((JobId(row.get(0)?), row.get(1)?, serde_json::from_str(text)))
        };
        let rows = self.all(ask!("numbers_of_all"), params![from, to, since_hour], read)?;
        rows.into_iter()
            .map(|(job, hour, numbers)| {
                let what = "the numbers of a job cannot be read";
                Ok((job, hour, numbers.map_err(|e| Error::new(Kind::Store, what).because(e))?))
            })
            .collect()
    }

    fn running(&self, limit: usize) -> Result<Vec<RunInfo>> {
        Self::running(self, limit)
    }

    fn upcoming(&self, limit: usize) -> Result<Vec<RunInfo>> {
        Self::upcoming(self, limit)
    }

    fn waiting(&self, job: JobId, limit: usize) -> Result<Vec<RunInfo>> {
        self.all(ask!("waiting"), params![job.0, limit.min(MAX_PAGE)], run)
    }

    fn ready(&self) -> Result<BTreeMap<JobId, u64>> {
        Ok(self.all(ask!("ready"), [], |row| Ok((JobId(row.get(0)?), row.get(1)?)))?.into_iter().collect())
    }

    fn last_ended_of(&self, job: Option<JobId>) -> Result<BTreeMap<JobId, RunInfo>> {
        let (from, to) = range(job);
        let mut last = BTreeMap::<JobId, RunInfo>::new();
        for run in self.all(ask!("last_ended"), [from, to], run)? {
            let newer = |known: &RunInfo| (known.row.ended_at, known.row.id) < (run.row.ended_at, run.row.id);
            if last.get(&run.row.job).is_none_or(newer) {
                last.insert(run.row.job, run);
            }
        }
        Ok(last)
    }

    fn ended_of(&self, job: Option<JobId>, from: RunId) -> Result<Vec<RunInfo>> {
        let (first, last) = range(job);
        self.all(ask!("ended_lately"), [from.0, first, last], run)
    }

    fn dead_of(&self, job: Option<JobId>, limit: usize) -> Result<Vec<DeadRun>> {
        let (from, to) = range(job);
        self.all(ask!("dead"), params![from, to, limit.min(MAX_PAGE)], |row| {
            Ok(DeadRun { run: run(row)?, recovered_by: row.get::<_, Option<i64>>(34)?.map(RunId) })
        })
    }

    fn attempts_of(&self, runs: &[RunId]) -> Result<BTreeMap<RunId, Vec<AttemptInfo>>> {
        let mut all = BTreeMap::<RunId, Vec<AttemptInfo>>::new();
        let read = |row: &Row<'_>| Ok((RunId(row.get(0)?), super::runs::attempt(row, 1)?));
        for (run, attempt) in self.all(ask!("attempts_of"), [list(runs)], read)? {
            all.entry(run).or_default().push(attempt);
        }
        Ok(all)
    }

    fn turned_away_by(&self, runs: &[RunId]) -> Result<BTreeMap<RunId, TurnedAway>> {
        let read = |row: &Row<'_>| {
            let (first_at, last_at) = (row::maybe_time(row, 2)?, row::maybe_time(row, 3)?);
            Ok((RunId(row.get(0)?), TurnedAway { count: row.get(1)?, first_at, last_at }))
        };
        Ok(self.all(ask!("turned_away_by"), [list(runs)], read)?.into_iter().collect())
    }

    fn decisions(&self, filter: &DecisionFilter) -> Result<Vec<DecisionInfo>> {
        Self::decisions(self, filter)
    }

    fn run(&self, id: RunId) -> Result<Option<RunInfo>> {
        Self::run(self, id)
    }

    fn result(&self, id: RunId) -> Result<Option<String>> {
        Self::result(self, id)
    }

    fn runs(&self, filter: &RunFilter) -> Result<Vec<RunInfo>> {
        Self::runs(self, filter)
    }

    fn holder(&self, job: JobId, key: &Key) -> Result<Option<RunInfo>> {
        Self::holder(self, job, key)
    }

    fn live_of_key(&self, job: JobId, key: &Key, limit: usize) -> Result<Vec<RunInfo>> {
        Self::live_of_key(self, job, key, limit)
    }

    fn nodes(&self, limit: usize) -> Result<Vec<NodeInfo>> {
        Self::nodes(self, limit)
    }

    fn offers(&self) -> Result<BTreeMap<NodeId, Vec<Offer>>> {
        let mut all = BTreeMap::<NodeId, Vec<Offer>>::new();
        let read = |row: &Row<'_>| Ok((row::text(row, 0)?, Offer { job: row.get(1)?, reason: row.get(2)? }));
        for (node, offer) in self.all(ask!("offers_of_all"), [], read)? {
            all.entry(node).or_default().push(offer);
        }
        Ok(all)
    }
}
