//! One request to run a job, now or later.

use std::time::Duration;

use crate::time::Time;

crate::words::words! {
    /// Where a trigger came from. Every source meets the same rules.
    Source {
        /// A tick of the job's schedule.
        Schedule = "schedule",
        /// The command line.
        Cli = "cli",
        /// A program that embeds Jobstile.
        Library = "library",
        /// The HTTP API.
        Api = "api",
        /// The script of a scenario.
        Script = "script",
    }
}

/// When a trigger wants its run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// At the moment of its decision.
    Now,
    /// At a later instant: the run is `scheduled` until then.
    At(Time),
    /// So much later: never later than that from any moment on, even if the clock is set back.
    In(Duration),
}

impl When {
    /// What it is at this moment: a time that has come is now.
    #[must_use]
    pub fn at(self, now: Time) -> Self {
        match self {
            Self::At(at) if at <= now => Self::Now,
            Self::In(delay) if delay.is_zero() => Self::Now,
            when => when,
        }
    }

    /// The instant that it means.
    #[must_use]
    pub fn instant(self, now: Time) -> Time {
        match self {
            Self::Now => now,
            Self::At(at) => at,
            Self::In(delay) => now.plus(delay),
        }
    }

    /// The delay that is kept with the run.
    #[must_use]
    pub fn delay(self) -> Option<Duration> {
        match self {
            Self::Now | Self::At(_) => None,
            Self::In(delay) => Some(delay),
        }
    }
}
