//! What a store remembers between batches: what it read or wrote last, until somebody else writes.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use jobstile_core::decide::{By, Tally};
use jobstile_core::id::{JobId, RunId, Version};
use jobstile_core::policy::{Policy, Rules, Switches};
use jobstile_core::time::Time;

use crate::error::{Error, Result};
use crate::fact::Fact;
use crate::store::numbers::Numbers;
use crate::store::{Counters, JobRow, RunRow, Tables, wire};

/// What a store remembers between batches. A batch that fails leaves it empty.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// The version of the data that this is of; another one: somebody else has written since.
    data_version: i64,
    /// Policies that were read once, by job and version: these do not grow old.
    policies: Numbered<JobId, (Version, Option<Arc<Policy>>)>,
    pub(super) switches: Option<(Version, Switches)>,
    pub(super) counters: Option<Counters>,
    pub(super) names: HashMap<Arc<str>, JobId>,
    pub(super) jobs: Numbered<JobId, Job>,
    /// Running runs that were claimed here: their attempts come back.
    pub(super) running: Numbered<RunId, RunRow>,
    pub(super) looked: Looked,
}

impl Memory {
    /// Forgets what is of another version of the data.
    pub(super) fn keep_if_of(&mut self, data_version: i64) {
        if std::mem::replace(&mut self.data_version, data_version) != data_version {
            self.counters = None;
            self.forget_rows();
        }
    }

    fn forget_rows(&mut self) {
        self.names.clear();
        self.jobs.clear();
        self.running.clear();
    }

    /// Forgets what was read of the policies: they have changed in this batch.
    pub(super) fn forget_policies(&mut self) {
        self.forget_rows();
        self.policies.clear();
        (self.switches, self.looked) = (None, Looked::default());
    }

    /// The policy of a job, which is read once a version; an error if it is damaged.
    pub(super) fn policy(&mut self, row: &JobRow) -> Result<Option<Arc<Policy>>> {
        if let Some((version, policy)) = self.policies.get(&row.id)
            && *version == row.version
        {
            return Ok(policy.clone());
        }
        let policy = row.policy.as_deref().map(|text| wire::read(&row.name, text).map(Arc::new)).transpose()?;
        self.policies.insert(row.id, (row.version, policy.clone()));
        Ok(policy)
    }
}

/// What the clock showed at the last looks. A look that was never taken may follow any step of the clock.
#[derive(Debug, Default)]
pub(super) struct Looked {
    /// At the schedules.
    pub(super) schedules: Option<Time>,
    /// At what is due.
    pub(super) due: Option<Time>,
}

/// A job with what holds for it now.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) row: JobRow,
    /// `None` while it is out of the policy, or its policy is damaged: nothing of it is claimed.
    pub(crate) policy: Option<Arc<Policy>>,
    pub(crate) rules: Arc<Rules>,
    pub(crate) tally: Tally,
    /// The tally as it stands in the store.
    pub(super) written: Tally,
    pub(super) oldest: Option<(By, Option<RunId>)>,
    pub(super) last_slot: Option<Option<u32>>,
    pub(super) numbers: Option<Counted>,
    /// Something of it is to be written at the end of the batch.
    pub(super) changed: bool,
}

impl Job {
    pub(super) fn new(row: JobRow, policy: Option<Arc<Policy>>, rules: Rules, tally: Tally) -> Self {
        let rules = Arc::new(rules);
        Self { row, policy, rules, tally, written: tally, oldest: None, last_slot: None, numbers: None, changed: false }
    }

    /// Somebody wrote a policy for it that cannot be read.
    pub(crate) fn is_damaged(&self) -> bool {
        self.policy.is_none() && self.row.policy.is_some()
    }

    /// It is paused at this moment.
    pub(crate) fn paused(&self, now: Time) -> bool {
        self.row.paused_at.is_some() && self.row.paused_until.is_none_or(|until| now < until)
    }

    /// The limit that its runs wait on.
    pub(crate) fn limit(&self) -> String {
        format!("limit:{}", self.row.id)
    }

    /// Writes what has changed.
    pub(super) fn write(&mut self, tables: &mut dyn Tables) -> Result<()> {
        self.changed = false;
        if self.tally != self.written {
            tables.set_tally(self.row.id, self.tally)?;
            self.written = self.tally;
        }
        self.numbers.as_mut().map_or(Ok(()), |counted| counted.write(self.row.id, tables))
    }
}

/// The numbers of a job in one hour.
#[derive(Debug)]
pub(super) struct Counted {
    pub(super) hour: i64,
    numbers: Numbers,
    changed: bool,
}

impl Counted {
    pub(super) fn read(job: JobId, hour: i64, tables: &mut dyn Tables) -> Result<Self> {
        let numbers = tables.numbers(job, hour)?.map(|text| Numbers::read(&text)).transpose();
        // No trigger is refused for the sake of its numbers.
        let numbers = numbers.unwrap_or_else(|error| {
            tracing::error!(job = job.0, hour, %error, "The numbers of a job are damaged, its hour is counted anew");
            None
        });
        Ok(Self { hour, numbers: numbers.unwrap_or_default(), changed: false })
    }

    pub(super) fn fold(&mut self, fact: &Fact) {
        self.changed |= self.numbers.fold(fact);
    }

    fn write(&mut self, job: JobId, tables: &mut dyn Tables) -> Result<()> {
        if !std::mem::take(&mut self.changed) {
            return Ok(());
        }
        let text = serde_json::to_string(&self.numbers).map_err(|e| Error::invariant("numbers are JSON").because(e))?;
        tables.set_numbers(job, self.hour, &text)
    }
}

/// By the numbers that a store gives out: nobody chooses them, so any spread will do.
pub(super) type Numbered<Id, T> = HashMap<Id, T, BuildHasherDefault<Spread>>;

#[derive(Debug, Default)]
pub(super) struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64((*byte).into()));
    }

    fn write_u64(&mut self, n: u64) {
        // Fibonacci hashing: 2⁶⁴ divided by the golden ratio.
        self.0 = (self.0 ^ n).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write_i64(&mut self, n: i64) {
        self.write_u64(n.cast_unsigned());
    }
}
