//! What a user wrote about a job, in a file or a program, and the policy that it makes.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::key::MAX_KEY;
use crate::policy::mistake::{Lack, Mistake, Why};
use crate::policy::{
    Backoff, Concurrency, DEFAULT_MAX_WAITING, Dedup, KeyRule, MONITORING, OnDuplicate, OnFull, Policy, Priority,
    Until, keys,
};
use crate::schedule::{CatchUp, First, Schedule};

/// What a user wrote about a job. `None` means that nobody wrote it, so its default holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Written {
    /// The interval of its schedule.
    pub every: Option<Duration>,
    /// Its first instant.
    pub first: Option<First>,
    /// What becomes of missed instants.
    pub catch_up: Option<CatchUp>,
    /// The arguments of its ticks.
    pub args: Option<TickArgs>,
    /// Whether its schedule is on.
    pub enabled: Option<bool>,
    /// Whether it is a monitoring job.
    pub monitoring: Option<bool>,
    /// The identity rule.
    pub dedup: Option<WrittenDedup>,
    /// The one word that writes both rules.
    pub overlap: Option<Overlap>,
    /// Attempts at once.
    pub max_concurrent: Option<Concurrency>,
    /// Places beyond that.
    pub max_waiting: Option<u32>,
    /// What becomes of a trigger that finds no place.
    pub on_full: Option<OnFull>,
    /// The head start of its triggers.
    pub priority: Option<Priority>,
    /// Executions in all.
    pub attempts: Option<u32>,
    /// The wait between them.
    pub backoff: Option<WrittenBackoff>,
    /// The longest attempt; an inner `None` means no end.
    pub timeout: Option<Option<Duration>>,
}

/// A `dedup` table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WrittenDedup {
    /// Argument fields.
    pub key: Option<Vec<String>>,
    /// How long a run is a target.
    pub until: Option<Until>,
    /// What becomes of a duplicate.
    pub on_duplicate: Option<OnDuplicate>,
}

/// A `backoff` table.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct WrittenBackoff {
    /// Before the second attempt.
    pub delay: Option<Duration>,
    /// How much longer each next one is.
    pub factor: Option<f64>,
    /// The longest.
    pub max: Option<Duration>,
}

/// The arguments of a schedule's ticks, as far as the rules look at them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TickArgs {
    /// Canonical JSON; `None` means no arguments.
    pub canonical: Option<String>,
    /// What each of their fields can be in a key.
    pub fields: BTreeMap<String, Part>,
}

/// What a field of arguments can be in a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// A string, whole number or boolean of this many bytes.
    Fits(usize),
    /// Null: as good as absent.
    Null,
    /// Something that no key can have.
    Unfit,
}

crate::words::words! {
    /// The one word that writes both rules.
    Overlap {
        /// One at a time, the rest is skipped.
        Skip = "skip",
        /// One runs, and one with the same arguments may wait.
        QueueOne = "queue-one",
        /// All run, one after another.
        Queue = "queue",
        /// Side by side.
        Allow = "allow",
    }
}

impl Overlap {
    /// What it stands for.
    #[must_use]
    pub fn writes(self) -> Written {
        let one = Some(Concurrency::Limited(1));
        match self {
            Self::Skip => Written { max_concurrent: one, max_waiting: Some(0), ..Written::default() },
            Self::QueueOne => {
                let dedup = WrittenDedup { until: Some(Until::Start), ..WrittenDedup::default() };
                Written { dedup: Some(dedup), max_concurrent: one, ..Written::default() }
            }
            Self::Queue => {
                Written { max_concurrent: one, max_waiting: Some(DEFAULT_MAX_WAITING), ..Written::default() }
            }
            Self::Allow => Written { max_concurrent: Some(Concurrency::Unlimited), ..Written::default() },
        }
    }

    /// The same as it would be written.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Skip => "max_concurrent = 1, max_waiting = 0",
            Self::QueueOne => "dedup = { until = \"start\" }, max_concurrent = 1",
            Self::Queue => "max_concurrent = 1, max_waiting = 100000",
            Self::Allow => "max_concurrent = \"unlimited\"",
        }
    }
}

impl Written {
    /// The policy of a job with this name.
    ///
    /// # Errors
    /// Every value out of its bounds and every contradiction, at once.
    pub fn policy(&self, name: &str) -> Result<Policy, Vec<Mistake>> {
        let listed = MONITORING.contains(&name);
        let monitoring = self.monitoring.unwrap_or(listed);
        let mut mistakes = keys::out_of_bounds(self);
        mistakes.extend(self.beside_overlap());
        if monitoring {
            mistakes.extend(self.beside_monitoring());
        }
        let written = self.without_overlap(monitoring);
        let policy = written.filled(monitoring);
        mistakes.extend(written.contradictions(&policy));
        if mistakes.is_empty() { Ok(policy) } else { Err(mistakes) }
    }

    /// A job's own table over `[defaults]`. A key displaces the same key below it whole; `overlap` displaces what it
    /// writes, and `monitoring = true` displaces rules that such a job cannot have.
    #[must_use]
    pub fn over(&self, defaults: &Self) -> Self {
        let mut below = defaults.clone();
        if self.monitoring == Some(true) {
            (below.dedup, below.overlap) = (None, None);
        }
        let writes_rules = self.dedup.is_some() || self.max_concurrent.is_some() || self.max_waiting.is_some();
        if self.overlap.is_some() {
            (below.dedup, below.max_concurrent, below.max_waiting) = (None, None, None);
        } else if let Some(overlap) = below.overlap.filter(|_| writes_rules) {
            below.overlap = None;
            below = below.or(overlap.writes());
        }
        self.clone().or(below)
    }

    /// Each key as it is here, or else as it is there.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            every: self.every.or(other.every),
            first: self.first.or(other.first),
            catch_up: self.catch_up.or(other.catch_up),
            args: self.args.or(other.args),
            enabled: self.enabled.or(other.enabled),
            monitoring: self.monitoring.or(other.monitoring),
            dedup: self.dedup.or(other.dedup),
            overlap: self.overlap.or(other.overlap),
            max_concurrent: self.max_concurrent.or(other.max_concurrent),
            max_waiting: self.max_waiting.or(other.max_waiting),
            on_full: self.on_full.or(other.on_full),
            priority: self.priority.or(other.priority),
            attempts: self.attempts.or(other.attempts),
            backoff: self.backoff.or(other.backoff),
            timeout: self.timeout.or(other.timeout),
        }
    }

    /// With what `overlap` writes, or what stands for it where nobody wrote a limit: a job never stacks up by default.
    fn without_overlap(&self, monitoring: bool) -> Self {
        let limits = self.dedup.is_some() || self.max_concurrent.is_some() || self.max_waiting.is_some();
        let by_default = (!monitoring && self.every.is_none() && !limits).then_some(Overlap::QueueOne);
        match self.overlap.or(by_default) {
            Some(overlap) => self.clone().or(overlap.writes()),
            None => self.clone(),
        }
    }

    /// The policy with every default.
    fn filled(&self, monitoring: bool) -> Policy {
        let schedule = self.every.map(|every| Schedule {
            every,
            first: self.first.unwrap_or(First::Now),
            catch_up: self.catch_up.unwrap_or(CatchUp::Latest),
        });
        let default = Policy::new(monitoring, schedule);
        let backoff = self.backoff.unwrap_or_default();
        let dedup = self.dedup.as_ref().filter(|_| !monitoring).map(|dedup| Dedup {
            key: dedup.key.clone().map_or(KeyRule::AllArguments, KeyRule::Fields),
            until: dedup.until.unwrap_or(Until::Finish),
            on_duplicate: dedup.on_duplicate.unwrap_or(OnDuplicate::Skip),
        });
        let max_concurrent = self.max_concurrent.unwrap_or(Concurrency::Limited(1));
        // The seed's level 1: where a schedule or monitoring has nothing else written there is no place to wait.
        let skips = (monitoring || schedule.is_some()) && dedup.is_none() && max_concurrent != Concurrency::Unlimited;
        Policy {
            monitoring,
            dedup,
            max_concurrent,
            max_waiting: self.max_waiting.unwrap_or(if skips { 0 } else { DEFAULT_MAX_WAITING }),
            on_full: self.on_full,
            priority: self.priority.unwrap_or(default.priority),
            attempts: self.attempts.unwrap_or(default.attempts),
            backoff: Backoff {
                delay: backoff.delay.unwrap_or(default.backoff.delay),
                factor: backoff.factor.unwrap_or(default.backoff.factor),
                max: backoff.max.unwrap_or(default.backoff.max),
            },
            timeout: self.timeout.unwrap_or(default.timeout),
            schedule,
            enabled: self.enabled.unwrap_or(default.enabled),
            args: self.args.as_ref().and_then(|args| args.canonical.clone()),
        }
    }

    fn beside_overlap(&self) -> Vec<Mistake> {
        let Some(overlap) = self.overlap else { return vec![] };
        let beside = [
            ("dedup", self.dedup.is_some()),
            ("max_concurrent", self.max_concurrent.is_some()),
            ("max_waiting", self.max_waiting.is_some()),
        ];
        let written = beside.into_iter().filter(|(_, written)| *written);
        written.map(|(field, _)| Mistake { field, why: Why::BesideOverlap(overlap) }).collect()
    }

    fn beside_monitoring(&self) -> Vec<Mistake> {
        let by_name = self.monitoring.is_none();
        let beside = [("dedup", self.dedup.is_some()), ("overlap", self.overlap.is_some())];
        let written = beside.into_iter().filter(|(_, written)| *written);
        written.map(|(field, _)| Mistake { field, why: Why::Monitoring { by_name } }).collect()
    }

    /// What cannot be together in the policy that this makes.
    fn contradictions(&self, policy: &Policy) -> Vec<Mistake> {
        let mut found = vec![];
        if policy.max_waiting == 0 && policy.max_concurrent == Concurrency::Unlimited {
            found.push(Mistake { field: "max_waiting", why: Why::NothingGetsIn });
        }
        if policy.backoff.delay > policy.backoff.max {
            let backoff = self.backoff.unwrap_or_default();
            let is_default = backoff.max.is_none();
            let field = if is_default { "backoff.delay" } else { "backoff.max" };
            let Backoff { delay, max, .. } = policy.backoff;
            found.push(Mistake { field, why: Why::DelayAboveMax { delay, max, is_default } });
        }
        if let (Some(_), Some(Dedup { key: KeyRule::Fields(fields), .. })) = (policy.schedule, &policy.dedup)
            && let Some(lack) = lack(self.args.as_ref(), fields)
        {
            found.push(Mistake { field: "args", why: Why::NoKey { fields: fields.clone(), lack } });
        }
        found
    }
}

/// Why these arguments give no key of these fields.
fn lack(args: Option<&TickArgs>, fields: &[String]) -> Option<Lack> {
    let mut length = 0;
    for field in fields {
        match args.and_then(|args| args.fields.get(field)) {
            None | Some(Part::Null) => return Some(Lack::Absent(field.clone())),
            Some(Part::Unfit) => return Some(Lack::Unfit(field.clone())),
            Some(Part::Fits(bytes)) => length += bytes,
        }
    }
    (length > MAX_KEY).then_some(Lack::TooLong)
}
