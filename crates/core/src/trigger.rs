//! One request to run a job, now or later.

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
}
