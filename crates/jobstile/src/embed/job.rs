//! A job of a program: its name, its function, and what holds for it.

use std::marker::PhantomData;
use std::time::Duration;

use jobstile_core::job::JobName;
use jobstile_core::policy::written::{Overlap, WrittenBackoff, WrittenDedup};
use jobstile_core::policy::{Backoff, Concurrency, OnDuplicate, OnFull, Policy, Priority, Until, Written};
use jobstile_core::schedule::{CatchUp, First};
use serde::Serialize;

use crate::args::Args;
use crate::error::{Error, Kind, Result};
use crate::runner::function::erase;
use crate::runner::{Definition, Handler};

/// The identity rule of a job: which arguments make two triggers the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dedup(WrittenDedup);

impl Dedup {
    /// Triggers with the same values of these argument fields are the same. No fields mean the job itself.
    ///
    /// A duplicate is skipped until the run that it repeats has ended, retries included.
    pub fn by<N: Into<String>>(fields: impl IntoIterator<Item = N>) -> Self {
        Self(WrittenDedup { key: Some(fields.into_iter().map(Into::into).collect()), ..WrittenDedup::default() })
    }

    /// Triggers with the same arguments are the same.
    #[must_use]
    pub fn by_all() -> Self {
        Self(WrittenDedup::default())
    }

    /// A run makes later triggers duplicates only until it first starts: one may run and one may wait.
    #[must_use]
    pub fn until_start(mut self) -> Self {
        self.0.until = Some(Until::Start);
        self
    }

    /// A duplicate is rejected instead of skipped.
    #[must_use]
    pub fn or_fail(mut self) -> Self {
        self.0.on_duplicate = Some(OnDuplicate::Fail);
        self
    }
}

/// A job: a name, a function, and what holds for it.
///
/// By default it never stacks up. With a schedule, a tick that comes while it runs is skipped; without one, a trigger
/// waits behind the run that is there, and triggers with the same arguments share the one that waits. Bounds and
/// contradictions are checked when the job is added.
#[derive(Debug)]
pub struct Job<A> {
    name: String,
    definition: Definition,
    written: Written,
    /// Why the arguments of its schedule cannot be used.
    bad_args: Option<Error>,
    args: PhantomData<fn(A)>,
}

impl<A> Job<A> {
    /// A job with this name that runs this function. The function's first argument is what a trigger carries.
    pub fn new<H>(name: impl Into<String>, handler: H) -> Self
    where
        H: Handler<A>,
        A: serde::de::DeserializeOwned + Send + 'static,
    {
        let definition = Definition::Function(erase(handler));
        Self { name: name.into(), definition, written: Written::default(), bad_args: None, args: PhantomData }
    }

    /// Gives it a schedule, which fires first when it enters the store. 100 ms to ten years.
    #[must_use]
    pub fn every(mut self, interval: Duration) -> Self {
        self.written.every = Some(interval);
        self
    }

    /// Its schedule fires first one interval after it enters the store.
    #[must_use]
    pub fn first_after_interval(mut self) -> Self {
        self.written.first = Some(First::AfterInterval);
        self
    }

    /// Instants that were missed while nobody looked are not run. Default: one run for all of them.
    #[must_use]
    pub fn no_catch_up(mut self) -> Self {
        self.written.catch_up = Some(CatchUp::None);
        self
    }

    /// The arguments that its schedule triggers it with. Default none, which a function takes as `()`.
    #[must_use]
    pub fn schedule_args(mut self, args: &A) -> Self
    where
        A: Serialize,
    {
        match Args::from(args) {
            Ok(args) => self.written.args = Some(args.of_ticks()),
            Err(error) => self.bad_args = Some(error),
        }
        self
    }

    /// `false` switches its schedule off; it can still be triggered.
    #[must_use]
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.written.enabled = Some(enabled);
        self
    }

    /// What happens when it is triggered while it runs, in one word: a short way to write the two rules, and an error
    /// beside `dedup`, `max_concurrent` or `max_waiting`.
    #[must_use]
    pub fn overlap(mut self, overlap: Overlap) -> Self {
        self.written.overlap = Some(overlap);
        self
    }

    /// Which triggers are duplicates of a live run. Default: none, every trigger is distinct.
    #[must_use]
    pub fn dedup(mut self, rule: Dedup) -> Self {
        self.written.dedup = Some(rule.0);
        self
    }

    /// Attempts at once, on all machines; 1 to 10,000. Default 1.
    #[must_use]
    pub fn max_concurrent(mut self, most: u32) -> Self {
        self.written.max_concurrent = Some(Concurrency::Limited(most));
        self
    }

    /// Any number of attempts at once.
    #[must_use]
    pub fn unlimited(mut self) -> Self {
        self.written.max_concurrent = Some(Concurrency::Unlimited);
        self
    }

    /// Runs that may wait beyond that. Default 0 with a schedule and without dedup, else 100,000.
    #[must_use]
    pub fn max_waiting(mut self, most: u32) -> Self {
        self.written.max_waiting = Some(most);
        self
    }

    /// A trigger that finds no place is rejected instead of skipped.
    #[must_use]
    pub fn fail_when_full(mut self) -> Self {
        self.written.on_full = Some(OnFull::Fail);
        self
    }

    /// The head start of its triggers. Default normal.
    #[must_use]
    pub fn priority(mut self, priority: Priority) -> Self {
        self.written.priority = Some(priority);
        self
    }

    /// Executions in all, 1 to 1,000. Default 1.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.written.attempts = Some(attempts);
        self
    }

    /// The wait before the second attempt; each next one is twice as long, at most an hour. Default 30 s.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.written.backoff = Some(WrittenBackoff { delay: Some(delay), ..WrittenBackoff::default() });
        self
    }

    /// The waits before its retries, all of it.
    #[must_use]
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        let Backoff { delay, factor, max } = backoff;
        self.written.backoff = Some(WrittenBackoff { delay: Some(delay), factor: Some(factor), max: Some(max) });
        self
    }

    /// The longest that an attempt may take; `None` means no end. Default 1 h.
    #[must_use]
    pub fn timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.written.timeout = Some(timeout.into());
        self
    }

    /// One live run at a time, retries included, whatever triggers it. Default: by its name.
    #[must_use]
    pub fn monitoring(mut self, monitoring: bool) -> Self {
        self.written.monitoring = Some(monitoring);
        self
    }

    /// The job as it can be put into force.
    ///
    /// # Errors
    /// [`Kind::Invalid`] with everything that is wrong with it.
    pub(super) fn checked(self) -> Result<(JobName, Policy, Definition)> {
        let name = JobName::new(&self.name).map_err(|e| Error::new(Kind::Invalid, e.to_string()))?;
        if let Some(error) = self.bad_args {
            return Err(error);
        }
        let policy = self.written.policy(name.as_str()).map_err(|mistakes| Error::mistaken(name.as_str(), mistakes))?;
        Ok((name, policy, self.definition))
    }
}
