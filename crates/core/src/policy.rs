//! A job's policy: what a user may write, what it comes to, and the rules that it gives under the three switches.

pub mod keys;
pub mod mistake;
#[cfg(test)]
mod tests;
pub mod written;

use std::time::Duration;

pub use mistake::{Mistake, Why};
pub use written::Written;

use crate::schedule::Schedule;

/// The seed's list: these names are monitoring jobs unless `monitoring = false`.
pub const MONITORING: [&str; 4] =
    ["chain_state_monitor", "chainhook_monitor", "agent_wallet_balance_monitor", "dao_token_holders_monitor"];

/// The largest `max_concurrent`: a limit is as many slot rows.
pub const MAX_CONCURRENT: u32 = 10_000;
/// `max_waiting` where nothing smaller is the default.
pub const DEFAULT_MAX_WAITING: u32 = 100_000;
/// Waiting runs of a job while deduplication is off, unless its `max_waiting` is larger.
pub const MAX_WAITING_OFF: u32 = 10_000;
/// `scheduled` runs of a job.
pub const MAX_SCHEDULED: u64 = 10_000;
/// `timeout` where none is written.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(3600);

crate::words::words! {
    /// How long a run is a target for its duplicates.
    Until {
        /// Until its first claim: one may run and one may wait.
        Start = "start",
        /// Until its terminal state, retries included.
        Finish = "finish",
    }
}

crate::words::words! {
    /// What becomes of a duplicate.
    OnDuplicate {
        /// It is skipped.
        Skip = "skip",
        /// It is rejected, naming the target.
        Fail = "fail",
    }
}

crate::words::words! {
    /// What becomes of a trigger for which there is no place.
    OnFull {
        /// It is skipped.
        Skip = "skip",
        /// It is rejected.
        Fail = "fail",
    }
}

crate::words::words! {
    /// A head start in line.
    Priority {
        /// None.
        Low = "low",
        /// 30 seconds, the default.
        Normal = "normal",
        /// 60 seconds.
        Medium = "medium",
        /// 5 minutes.
        High = "high",
        /// 1 hour.
        Critical = "critical",
    }
}

impl Priority {
    /// How much earlier a run of this priority stands in line.
    #[must_use]
    pub const fn head_start(self) -> Duration {
        Duration::from_secs(match self {
            Self::Low => 0,
            Self::Normal => 30,
            Self::Medium => 60,
            Self::High => 300,
            Self::Critical => 3600,
        })
    }
}

/// Which arguments tell the runs of a job apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyRule {
    /// All of them.
    AllArguments,
    /// These fields, in this order; none of them: the job itself.
    Fields(Vec<String>),
}

/// The identity rule: is this trigger the same as a live run?
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dedup {
    /// What "the same" means. Default all arguments.
    pub key: KeyRule,
    /// How long a run is a target. Default `finish`.
    pub until: Until,
    /// What becomes of a duplicate. Default `skip`.
    pub on_duplicate: OnDuplicate,
}

/// Attempts at once of a job, on all machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Concurrency {
    /// As many as this, 1 to [`MAX_CONCURRENT`].
    Limited(u32),
    /// No limit of its own.
    Unlimited,
}

/// The wait before a retry: `delay` × `factor`^(failures − 1), at most `max`, and up to a tenth more at random.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    /// Before the second attempt. Default 30 s.
    pub delay: Duration,
    /// How much longer each next one is. Default 2.
    pub factor: f64,
    /// The longest. Default 1 h.
    pub max: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { delay: Duration::from_secs(30), factor: 2.0, max: Duration::from_secs(3600) }
    }
}

/// Everything that the rules of one job need, defaults filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// A monitoring job: by its name or by `monitoring = true`.
    pub monitoring: bool,
    /// The identity rule as written; `None` means every trigger is distinct.
    pub dedup: Option<Dedup>,
    /// Attempts at once.
    pub max_concurrent: Concurrency,
    /// Places beyond that.
    pub max_waiting: u32,
    /// As written; `None` means `skip` where the waiting places are 0, else `fail`.
    pub on_full: Option<OnFull>,
    /// Of a trigger that names none.
    pub priority: Priority,
    /// Executions in all, 1 or more.
    pub attempts: u32,
    /// The wait between them.
    pub backoff: Backoff,
    /// The longest attempt; `None` means no limit.
    pub timeout: Option<Duration>,
    /// When it fires by itself.
    pub schedule: Option<Schedule>,
    /// `false` switches its schedule off; explicit triggers still work.
    pub enabled: bool,
    /// The arguments of its ticks, canonical JSON; `None` means no arguments.
    pub args: Option<String>,
}

impl Policy {
    /// What holds for a job before [`Written::policy`] fills in what was written: at most one run with a schedule or
    /// monitoring, and no limit otherwise.
    #[must_use]
    pub fn new(monitoring: bool, schedule: Option<Schedule>) -> Self {
        let one_at_a_time = monitoring || schedule.is_some();
        Self {
            monitoring,
            dedup: None,
            max_concurrent: if one_at_a_time { Concurrency::Limited(1) } else { Concurrency::Unlimited },
            max_waiting: if one_at_a_time { 0 } else { DEFAULT_MAX_WAITING },
            on_full: None,
            priority: Priority::Normal,
            attempts: 1,
            backoff: Backoff::default(),
            timeout: Some(DEFAULT_TIMEOUT),
            schedule,
            enabled: true,
            args: None,
        }
    }
}

/// The three switches of the seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Switches {
    /// `AIBTC_JOB_DEDUPLICATION_ENABLED`
    pub deduplication: bool,
    /// `AIBTC_AGGRESSIVE_DEDUPLICATION_ENABLED`
    pub aggressive: bool,
    /// `AIBTC_JOB_STACKING_PREVENTION_ENABLED`
    pub stacking_prevention: bool,
}

impl Default for Switches {
    fn default() -> Self {
        Self { deduplication: true, aggressive: true, stacking_prevention: true }
    }
}

/// Which runs are counted against how many places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Places {
    /// Queued, retrying and running runs.
    Taking(u64),
    /// Queued and retrying runs alone: `max_concurrent` is unlimited, or deduplication is off.
    Waiting(u64),
}

/// What holds for a job at one moment: its policy under the switches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// The identity rule in force.
    pub dedup: Option<Dedup>,
    /// The places in force.
    pub places: Places,
    /// The code of a trigger that finds no place is `concurrency_limit`, else `queue_full`.
    pub no_waiting: bool,
    /// What becomes of it.
    pub on_full: OnFull,
    /// A run that never started and finds another one running ends `refused`.
    pub final_check: bool,
    /// Under the seed's aggressive deduplication now.
    pub aggressive: bool,
}

impl Policy {
    /// What holds under these switches.
    #[must_use]
    pub fn rules(&self, switches: Switches) -> Rules {
        let aggressive = self.monitoring && switches.aggressive;
        let final_check = aggressive && switches.stacking_prevention;
        if !switches.deduplication {
            let places = Places::Waiting(self.max_waiting.max(MAX_WAITING_OFF).into());
            let (on_full, no_waiting) = (OnFull::Fail, false);
            return Rules { dedup: None, places, no_waiting, on_full, final_check, aggressive };
        }
        if aggressive {
            let dedup = Dedup { key: KeyRule::Fields(vec![]), until: Until::Finish, on_duplicate: OnDuplicate::Skip };
            let on_full = self.on_full.unwrap_or(OnFull::Skip);
            return Rules {
                dedup: Some(dedup),
                places: Places::Taking(1),
                no_waiting: true,
                on_full,
                final_check,
                aggressive,
            };
        }
        let no_waiting = self.max_waiting == 0;
        let on_full = self.on_full.unwrap_or(if no_waiting { OnFull::Skip } else { OnFull::Fail });
        let places = match self.max_concurrent {
            Concurrency::Limited(n) => Places::Taking(u64::from(n) + u64::from(self.max_waiting)),
            Concurrency::Unlimited => Places::Waiting(self.max_waiting.into()),
        };
        Rules { dedup: self.dedup.clone(), places, no_waiting, on_full, final_check, aggressive }
    }

    /// The rule by which a new run gets its key, whether deduplication is on or off.
    #[must_use]
    pub fn key_rule(&self, switches: Switches) -> Option<KeyRule> {
        if self.monitoring && switches.aggressive {
            return Some(KeyRule::Fields(vec![]));
        }
        self.dedup.as_ref().map(|dedup| dedup.key.clone())
    }

    /// The slots of the job's own limit; `None` means unlimited.
    #[must_use]
    pub fn slots(&self) -> Option<u32> {
        match self.max_concurrent {
            Concurrency::Limited(n) => Some(n),
            Concurrency::Unlimited => None,
        }
    }
}
