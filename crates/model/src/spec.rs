//! What a job's policy and the switches say, and what they come to at this moment.

use crate::{Args, Model};

/// A second, in microseconds.
pub const S: i64 = 1_000_000;
/// A minute.
pub const MIN: i64 = 60 * S;
/// An hour.
pub const HOUR: i64 = 60 * MIN;

/// The most runs of a job that wait while deduplication is off, unless its own `max_waiting` is larger.
const WAITING_WHILE_OFF: u64 = 10_000;
/// The places of a job that was taken out of the policy.
const PLACES_OF_NOBODY: u64 = 100_000;

/// The head start of a priority, by its index from `low` to `critical`.
#[must_use]
pub fn head_start(priority: usize) -> i64 {
    [0, 30 * S, MIN, 5 * MIN, HOUR][priority]
}

/// The three switches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Switches {
    pub dedup: bool,
    pub aggressive: bool,
    pub stacking: bool,
}

impl Default for Switches {
    fn default() -> Self {
        Self { dedup: true, aggressive: true, stacking: true }
    }
}

/// The identity rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Same {
    /// `None`: all arguments.
    pub fields: Option<Vec<String>>,
    pub until_start: bool,
    pub fails: bool,
}

/// A job's policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    pub monitoring: bool,
    pub same: Option<Same>,
    /// `None`: unlimited.
    pub slots: Option<u32>,
    pub max_waiting: u32,
    /// `None`: it fails unless there is no place to wait.
    pub full_fails: Option<bool>,
    /// From 0, low, to 4, critical.
    pub priority: usize,
    pub attempts: u32,
    pub delay: i64,
    pub factor: f64,
    pub longest_delay: i64,
    pub timeout: Option<i64>,
    pub every: Option<i64>,
    pub first_later: bool,
    pub catches_up: bool,
    /// Whether its schedule is on.
    pub enabled: bool,
    pub tick_args: Args,
}

/// What holds for a job now.
#[derive(Debug)]
pub struct InForce {
    pub same: Option<Same>,
    pub places: u64,
    /// Whether waiting runs alone are counted.
    pub waiting_alone: bool,
    pub no_waiting: bool,
    pub full_fails: bool,
    pub final_check: bool,
    pub aggressive: bool,
}

impl Model {
    /// What holds for this job at this moment.
    #[must_use]
    pub fn in_force(&self, job: &str) -> InForce {
        let switches = self.switches;
        let Some(spec) = self.spec(job) else {
            return InForce {
                same: None,
                places: PLACES_OF_NOBODY,
                waiting_alone: true,
                no_waiting: false,
                full_fails: true,
                final_check: false,
                aggressive: false,
            };
        };
        let aggressive = spec.monitoring && switches.aggressive;
        let final_check = aggressive && switches.stacking;
        if !switches.dedup {
            return InForce {
                same: None,
                places: WAITING_WHILE_OFF.max(u64::from(spec.max_waiting)),
                waiting_alone: true,
                no_waiting: false,
                full_fails: true,
                final_check,
                aggressive,
            };
        }
        if aggressive {
            return InForce {
                same: Some(Same { fields: Some(vec![]), until_start: false, fails: false }),
                places: 1,
                waiting_alone: false,
                no_waiting: true,
                full_fails: spec.full_fails.unwrap_or(false),
                final_check,
                aggressive,
            };
        }
        let none_waits = spec.max_waiting == 0;
        InForce {
            same: spec.same.clone(),
            places: u64::from(spec.slots.unwrap_or(0)) + u64::from(spec.max_waiting),
            waiting_alone: spec.slots.is_none(),
            no_waiting: none_waits,
            full_fails: spec.full_fails.unwrap_or(!none_waits),
            final_check,
            aggressive,
        }
    }

    /// The policy of a job that is in it.
    #[must_use]
    pub fn spec(&self, job: &str) -> Option<&Spec> {
        self.jobs.get(job).and_then(|job| job.spec.as_ref())
    }
}
