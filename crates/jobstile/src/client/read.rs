//! Questions. Each is answered by one state of the store; [`Client::at_once`] answers several by the same one.

use std::collections::BTreeSet;
use std::sync::Arc;

use jobstile_core::id::{JobId, NodeId, RunId, TriggerId, Version};
use jobstile_core::key::Key;
use jobstile_core::policy::Switches;
use jobstile_core::run::State;
use jobstile_core::time::Time;

use super::Client;
use super::node::look_at;
use crate::engine::node_dir;
use crate::error::{Error, Kind, Result};
use crate::store::numbers::Numbers;
use crate::store::read::{
    AttemptInfo, DeadRun, DecisionFilter, DecisionInfo, JobInfo, NodeInfo, Offer, RunFilter, RunInfo, SlotInfo,
    StoreInfo, TurnedAway, VersionInfo, Violation,
};

/// Whole hours since 1970, as numbers are kept by.
#[must_use]
pub fn hour_of(time: Time) -> i64 {
    time.0.div_euclid(3_600_000_000)
}

impl Client {
    /// Answers several questions by one state of the store.
    ///
    /// # Errors
    /// Those of the questions, and if the store cannot be read.
    pub fn at_once<T>(&self, ask: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        self.reader.at_once(|_| ask(self))
    }

    /// The store itself.
    ///
    /// # Errors
    /// If the store cannot be read; so for all of these.
    pub fn store(&self) -> Result<StoreInfo> {
        self.reader.store()
    }

    /// Every job that has a policy or a history, by name.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn jobs(&self) -> Result<Vec<JobInfo>> {
        self.reader.jobs()
    }

    /// A job by its exact name.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn job(&self, name: &str) -> Result<Option<JobInfo>> {
        self.reader.job(name)
    }

    /// The names of all jobs, for suggestions.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn names(&self) -> Result<Vec<Arc<str>>> {
        self.reader.names()
    }

    /// What a run gave back, as JSON; `None` means nothing.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn result(&self, id: RunId) -> Result<Option<String>> {
        self.reader.result(id)
    }

    /// The switches in force.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn switches(&self) -> Result<Switches> {
        Ok(self.switches_from()?.and_then(|version| version.switches).unwrap_or_default())
    }

    /// The version whose switches are in force; `None` means that nobody has said anything about them.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn switches_from(&self) -> Result<Option<VersionInfo>> {
        self.reader.switches()
    }

    /// Versions of the policy, newest first.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn versions(&self, before: Option<Version>, limit: usize) -> Result<Vec<VersionInfo>> {
        self.reader.versions(before, limit)
    }

    /// The numbers of a job since an hour, hour by hour.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn numbers_by_hour(&self, job: JobId, since_hour: i64) -> Result<Vec<(i64, Numbers)>> {
        self.reader.numbers(job, since_hour)
    }

    /// The numbers of a job since an hour, as one.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn numbers(&self, job: JobId, since_hour: i64) -> Result<Numbers> {
        let mut all = Numbers::default();
        for (_, numbers) in self.reader.numbers(job, since_hour)? {
            all.merge(&numbers);
        }
        Ok(all)
    }

    /// A run.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn run(&self, id: RunId) -> Result<Option<RunInfo>> {
        self.reader.run(id)
    }

    /// Runs: live ones first, the one due last before the others; then ended ones, the latest end first.
    ///
    /// # Errors
    /// If the run that the page follows is gone.
    pub fn runs(&self, filter: &RunFilter) -> Result<Vec<RunInfo>> {
        self.at_once(|client| client.reader.runs(filter))
    }

    /// Dead runs, the latest first, and whether a later run made good for them. The filter's states are not looked at.
    ///
    /// # Errors
    /// As [`Client::runs`].
    pub fn dead(&self, filter: &RunFilter) -> Result<Vec<DeadRun>> {
        self.at_once(|client| client.reader.dead(filter))
    }

    /// Runs of a job that were triggered again since: the newest rerun stands for them, however it ended. Reads what
    /// was admitted since.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn rerun(&self, job: JobId, since: Time) -> Result<BTreeSet<RunId>> {
        self.reader.rerun(job, since)
    }

    /// Everything that runs, by node and claim.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn running(&self, limit: usize) -> Result<Vec<RunInfo>> {
        self.reader.running(limit)
    }

    /// Scheduled and retrying runs, by the time they are due.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn upcoming(&self, limit: usize) -> Result<Vec<RunInfo>> {
        self.reader.upcoming(limit)
    }

    /// The runs that wait for something, first in line first: `limit:<job's number>` waits for a slot of that job.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn waiters(&self, waits_on: &str, limit: usize) -> Result<Vec<RunInfo>> {
        self.reader.waiters(waits_on, limit)
    }

    /// The run that makes a trigger of this job and key a duplicate.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn holder(&self, job: JobId, key: &Key) -> Result<Option<RunInfo>> {
        self.reader.holder(job, key)
    }

    /// Live runs of a key whose rule lets one wait behind another (`until = "start"`), oldest first.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn live_of_key(&self, job: JobId, key: &Key, limit: usize) -> Result<Vec<RunInfo>> {
        self.reader.live_of_key(job, key, limit)
    }

    /// The run that a trigger of this id became. A tick's id is `@` and its instant in microseconds.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn run_of_trigger(&self, job: JobId, trigger_id: &TriggerId) -> Result<Option<RunInfo>> {
        self.reader.run_of_trigger(job, trigger_id)
    }

    /// The decision of the trigger of this id.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn decision_of_trigger(&self, job: JobId, trigger_id: &TriggerId) -> Result<Option<DecisionInfo>> {
        self.reader.decision_of_trigger(job, trigger_id)
    }

    /// Decisions, newest first.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn decisions(&self, filter: &DecisionFilter) -> Result<Vec<DecisionInfo>> {
        self.at_once(|client| client.reader.decisions(filter))
    }

    /// The triggers that a run turned away.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn refusals_by(&self, run: RunId) -> Result<TurnedAway> {
        self.reader.turned_away(run)
    }

    /// The attempts of a run, the one that is being executed last.
    ///
    /// # Errors
    /// If there is no such run.
    pub fn attempts(&self, id: RunId) -> Result<Vec<AttemptInfo>> {
        self.at_once(|client| {
            let run = client.reader.run(id)?.ok_or_else(|| no_run(id))?.row;
            let mut attempts = client.reader.attempts(id)?;
            if let (State::Running, Some(node), Some(claimed_at)) = (run.state, run.node, run.claimed_at) {
                let (ended_at, outcome, message, exit_code) = (None, None, None, None);
                let (n, fence) = (run.claims, run.fence);
                attempts.push(AttemptInfo { n, fence, node, claimed_at, ended_at, outcome, message, exit_code });
            }
            Ok(attempts)
        })
    }

    /// The slots of a job's limit.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn slots(&self, job: JobId) -> Result<Vec<SlotInfo>> {
        self.reader.slots(job)
    }

    /// Nodes: those that have not left, then the newest of the others.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn nodes(&self, limit: usize) -> Result<Vec<NodeInfo>> {
        let mut nodes = self.reader.nodes(limit)?;
        let dir = node_dir(&self.path);
        nodes.iter_mut().for_each(|node| look_at(node, &dir));
        Ok(nodes)
    }

    /// A node by its id.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn node(&self, id: &str) -> Result<Option<NodeInfo>> {
        let mut node = self.reader.node(&NodeId::from(id))?;
        let dir = node_dir(&self.path);
        node.iter_mut().for_each(|node| look_at(node, &dir));
        Ok(node)
    }

    /// What a node says it can run, and why not where it cannot.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn offers(&self, node: &NodeId) -> Result<Vec<Offer>> {
        self.reader.offers(node)
    }

    /// The promises that the store does not keep; a good one has none. Reads the whole history.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn verify(&self) -> Result<Vec<Violation>> {
        self.reader.verify()
    }

    /// Looks at the file itself, page by page, and says what is wrong with it, in at most `max` lines.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn quick_check(&self, max: usize) -> Result<Vec<String>> {
        self.reader.quick_check(max)
    }
}

/// The error for a run that is not there.
pub(super) fn no_run(id: RunId) -> Error {
    Error::new(Kind::NotFound, format!("there is no run {id}"))
}
