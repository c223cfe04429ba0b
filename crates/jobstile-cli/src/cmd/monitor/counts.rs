//! What became of triggers, so counted that the parts are the whole.

use std::iter::Sum;
use std::ops::{Add, Sub};

use jobstile::store::numbers::Numbers;
use jobstile_core::decide::Code;
use jobstile_core::run::State;
use jobstile_core::trigger::Source;

use crate::text::words::count;

/// Of a job or of several, in some hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Counts {
    /// Triggers of the schedule.
    pub(super) ticks: Became,
    /// All others.
    pub(super) triggers: Became,
    /// Runs that the final execution check ended before they started.
    pub(super) refused: u64,
}

/// What became of them; each trigger is in exactly one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Became {
    pub(super) runs: u64,
    pub(super) skips: u64,
    pub(super) missed: u64,
    pub(super) rejected: u64,
}

impl Counts {
    pub(super) fn of(numbers: &Numbers) -> Self {
        Self {
            ticks: Became::of(numbers, |source| source == Source::Schedule.as_str()),
            triggers: Became::of(numbers, |source| source != Source::Schedule.as_str()),
            refused: numbers.ended.get(State::Refused.as_str()).copied().unwrap_or_default(),
        }
    }

    pub(super) fn runs(&self) -> u64 {
        self.ticks.runs + self.triggers.runs
    }

    pub(super) fn skips(&self) -> u64 {
        self.ticks.skips + self.triggers.skips
    }

    /// `1,062 ticks, 1,034 runs, 28 skips`, and what else there was.
    pub(super) fn in_words(&self) -> Vec<String> {
        let mut said = vec![self.ticks.in_words("tick")];
        if self.triggers != Became::default() {
            said.push(self.triggers.in_words("trigger"));
        }
        if self.refused > 0 {
            said.push(format!("{} refused at the start", count(self.refused, "run")));
        }
        said
    }
}

impl Became {
    fn of(numbers: &Numbers, of: impl Fn(&str) -> bool) -> Self {
        let mut became = Self::default();
        for code in Code::ALL {
            let n = numbers.count(|source, name| of(source) && name == code.as_str());
            match code {
                Code::WithinLimits => became.runs += n,
                Code::Missed => became.missed += n,
                Code::UnknownJob | Code::BadArguments | Code::MissingKeyField | Code::TriggerIdReused => {
                    became.rejected += n;
                }
                _ => became.skips += n,
            }
        }
        became
    }

    pub(super) fn all(&self) -> u64 {
        self.runs + self.skips + self.missed + self.rejected
    }

    fn in_words(&self, noun: &str) -> String {
        let mut said = vec![count(self.all(), noun), count(self.runs, "run"), count(self.skips, "skip")];
        for (n, what) in [(self.missed, "missed"), (self.rejected, "rejected")] {
            if n > 0 {
                said.push(format!("{} {what}", crate::text::words::number(n)));
            }
        }
        said.join(", ")
    }
}

impl Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            ticks: self.ticks + other.ticks,
            triggers: self.triggers + other.triggers,
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

    fn sub(self, other: Self) -> Self {
        Self {
            ticks: self.ticks - other.ticks,
            triggers: self.triggers - other.triggers,
            refused: self.refused.saturating_sub(other.refused),
        }
    }
}

impl Add for Became {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            runs: self.runs + other.runs,
            skips: self.skips + other.skips,
            missed: self.missed + other.missed,
            rejected: self.rejected + other.rejected,
        }
    }
}

impl Sub for Became {
    type Output = Self;

    // A job that was forgotten meanwhile takes its numbers with it.
    fn sub(self, other: Self) -> Self {
        Self {
            runs: self.runs.saturating_sub(other.runs),
            skips: self.skips.saturating_sub(other.skips),
            missed: self.missed.saturating_sub(other.missed),
            rejected: self.rejected.saturating_sub(other.rejected),
        }
    }
}
