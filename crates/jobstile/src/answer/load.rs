//! How much came, what became of it, and how long it took: all of it over one window.

use std::iter::Sum;
use std::ops::{Add, Sub};
use std::time::Duration;

use jobstile_core::decide::Decision;
use jobstile_core::policy::{Concurrency, Policy, Switches};
use jobstile_core::run::State;
use jobstile_core::time::Time;
use jobstile_core::trigger::Source;

use crate::store::numbers::Numbers;

/// Whole hours that numbers are taken from, besides the current one.
const HOURS: i64 = 24;
const HOUR_US: i64 = 3_600_000_000;

/// The time that the numbers of an answer are from. There is one for all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Its begin: a whole hour, or the store's first entry.
    pub since: Time,
    /// Nothing lies before it: the store is younger.
    pub all_there_is: bool,
}

impl Window {
    /// The window of this moment, in a store that began then.
    #[must_use]
    pub fn of(now: Time, began: Time) -> Self {
        let since = Time((hour_of(now) - HOURS) * HOUR_US);
        if began > since {
            Self { since: began.min(now), all_there_is: true }
        } else {
            Self { since, all_there_is: false }
        }
    }

    pub(super) fn first_hour(&self) -> i64 {
        hour_of(self.since)
    }
}

fn hour_of(time: Time) -> i64 {
    time.0.div_euclid(HOUR_US)
}

/// What became of the triggers of a job, or of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Those of the schedule.
    pub ticks: Became,
    /// All others.
    pub triggers: Became,
    /// Runs that ended `refused`: at their start, or when they came due.
    pub refused: u64,
}

/// What became of triggers. Each is in exactly one of the parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Became {
    /// How many there were.
    pub all: u64,
    /// They became a run.
    pub runs: u64,
    /// They were skipped.
    pub skips: u64,
    /// A waiting run took their arguments.
    pub taken_in: u64,
    /// Nobody could fire them in time.
    pub missed: u64,
    /// They were rejected.
    pub rejected: u64,
}

impl Counts {
    /// Those of these numbers.
    #[must_use]
    pub fn of(numbers: &Numbers) -> Self {
        Self {
            ticks: Became::of(numbers, |source| source == Source::Schedule),
            triggers: Became::of(numbers, |source| source != Source::Schedule),
            refused: numbers.ended.get(State::Refused.as_str()).copied().unwrap_or_default(),
        }
    }

    /// Triggers of any source that became a run.
    #[must_use]
    pub fn runs(&self) -> u64 {
        self.ticks.runs + self.triggers.runs
    }

    /// Triggers of any source that were skipped.
    #[must_use]
    pub fn skips(&self) -> u64 {
        self.ticks.skips + self.triggers.skips
    }
}

impl Became {
    fn of(numbers: &Numbers, of: impl Fn(Source) -> bool) -> Self {
        let count =
            |which: &dyn Fn(Decision) -> bool| numbers.count(|source, decision, _| of(source) && which(decision));
        let one = |decision: Decision| count(&|other| other == decision);
        let mut became = Self { all: count(&|_| true), ..Self::default() };
        for &decision in Decision::ALL {
            let part = match decision {
                Decision::Admitted | Decision::Preempted => &mut became.runs,
                Decision::Skipped => &mut became.skips,
                Decision::Replaced | Decision::Merged => &mut became.taken_in,
                Decision::Rejected => &mut became.rejected,
                Decision::Missed => &mut became.missed,
            };
            *part += one(decision);
        }
        became
    }

    fn each(self, other: Self, with: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            all: with(self.all, other.all),
            runs: with(self.runs, other.runs),
            skips: with(self.skips, other.skips),
            taken_in: with(self.taken_in, other.taken_in),
            missed: with(self.missed, other.missed),
            rejected: with(self.rejected, other.rejected),
        }
    }
}

impl Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            ticks: self.ticks.each(other.ticks, |a, b| a + b),
            triggers: self.triggers.each(other.triggers, |a, b| a + b),
            refused: self.refused + other.refused,
        }
    }
}

impl Sum for Counts {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Add::add)
    }
}

impl Sub for Counts {
    type Output = Self;

    // A job that was forgotten meanwhile takes its numbers with it.
    fn sub(self, other: Self) -> Self {
        Self {
            ticks: self.ticks.each(other.ticks, u64::saturating_sub),
            triggers: self.triggers.each(other.triggers, u64::saturating_sub),
            refused: self.refused.saturating_sub(other.refused),
        }
    }
}

/// Attempts at once, as the rules in force allow them; `None` means any number.
pub(super) fn slots(policy: &Policy, switches: Switches) -> Option<u32> {
    match policy.max_concurrent {
        _ if policy.rules(switches).aggressive => Some(1),
        Concurrency::Limited(n) => Some(n),
        Concurrency::Unlimited => None,
    }
}

/// Arrivals × mean run time ÷ slots; above 1 a job cannot keep up. `None` if it has no schedule in force, no slots or
/// never ran.
pub(super) fn load(policy: &Policy, switches: Switches, mean: Option<Duration>) -> Option<f64> {
    let schedule = policy.schedule.filter(|_| policy.enabled)?;
    let slots = slots(policy, switches)?;
    Some(mean?.as_secs_f64() / schedule.every.as_secs_f64() / f64::from(slots))
}
