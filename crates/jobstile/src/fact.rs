//! What happened, as one stream: operations write facts, and log lines, statistics, scenario output and oracles read
//! them.

use std::sync::Arc;
use std::time::Duration;

use jobstile_core::decide::{Code, Decision};
use jobstile_core::id::RunId;
use jobstile_core::outcome::Outcome;
use jobstile_core::run::State;
use jobstile_core::time::Time;
use jobstile_core::trigger::Source;

/// One thing that happened, in the order in which it did.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    /// A trigger was decided.
    Decided(Decided),
    /// A run came into a state.
    Came(Came),
}

/// What became of one trigger.
#[derive(Debug, Clone, PartialEq)]
pub struct Decided {
    /// When.
    pub at: Time,
    /// The job, or what was given as its name.
    pub job: Arc<str>,
    /// Where the trigger came from.
    pub source: Source,
    /// What.
    pub decision: Decision,
    /// Why.
    pub code: Code,
    /// The run that has the trigger's arguments.
    pub run: Option<RunId>,
    /// The run in its way.
    pub by: Option<RunId>,
    /// How many instants, of `missed`.
    pub count: Option<u64>,
    /// The first answer to a trigger id, again.
    pub replayed: bool,
    /// A duplicate of a monitoring job while aggressive deduplication is on.
    pub aggressive: bool,
    /// The run is for later: it is `scheduled`.
    pub later: bool,
    /// Waiting runs of the job afterwards.
    pub waiting: u64,
    /// Running runs of the job afterwards.
    pub running: u64,
}

/// The state that a run came into.
#[derive(Debug, Clone, PartialEq)]
pub struct Came {
    /// When.
    pub at: Time,
    /// The job.
    pub job: Arc<str>,
    /// The run.
    pub run: RunId,
    /// The state.
    pub state: State,
    /// Which attempt, where one starts or ended: claims so far.
    pub attempt: Option<u32>,
    /// Executions in all, as the policy has it.
    pub attempts: u32,
    /// The arguments, where the run starts and has any.
    pub args: Option<Arc<str>>,
    /// Why, for ended runs.
    pub code: Option<Code>,
    /// The run in its way.
    pub by: Option<RunId>,
    /// How the attempt ended, where one did.
    pub ended: Option<Ended>,
    /// When it is due, where it waits for a time.
    pub due: Option<Time>,
    /// From due to its first claim, where it just started for the first time.
    pub waited: Option<Duration>,
}

/// How important a fact is to those who read logs; the most important first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Somebody has to look.
    Error,
    /// It may become a trouble.
    Warn,
    /// What happens.
    Info,
    /// What happens, in detail.
    Debug,
}

impl Decided {
    /// What a log says of it.
    #[must_use]
    pub fn headline(&self) -> (Level, &'static str) {
        if self.replayed {
            return (Level::Debug, "Trigger id seen before, first answer given again");
        }
        if self.decision == Decision::Admitted {
            return (Level::Info, "Scheduled job enqueued successfully");
        }
        let is_skip = self.decision == Decision::Skipped;
        let no_place = matches!(self.code, Code::ConcurrencyLimit | Code::QueueFull);
        let of_monitoring = self.code.is_duplicate() && self.aggressive;
        let message = if is_skip && (no_place || of_monitoring && self.source == Source::Schedule) {
            "Skipping job execution - concurrency limit reached"
        } else if is_skip && of_monitoring {
            "Deduplicating monitoring job in executor"
        } else {
            "Trigger decided"
        };
        (Level::Info, message)
    }
}

impl Came {
    /// What a log says of it. `None` means nothing: the decision of its trigger has said it.
    #[must_use]
    pub fn headline(&self) -> Option<(Level, &'static str)> {
        if self.code == Some(Code::ConcurrentExecutionDetected) {
            return Some((Level::Info, "Final execution check - skipping duplicate monitoring job"));
        }
        Some(match (self.state, self.ended.as_ref().map(|ended| ended.outcome)) {
            (State::Running, _) => (Level::Info, "Run started"),
            (State::Succeeded, _) => (Level::Info, "Run succeeded"),
            (State::Retrying, _) => (Level::Warn, "Run failed, retrying"),
            (State::Dead, _) => (Level::Error, "Run dead"),
            (State::Refused, _) => (Level::Info, "Run refused"),
            (State::Cancelled, _) => (Level::Info, "Run cancelled"),
            (State::Expired, _) => (Level::Warn, "Run expired"),
            (State::Queued, Some(Outcome::Interrupted)) => (Level::Info, "Run interrupted, starts again"),
            (State::Queued, Some(Outcome::Lost)) => (Level::Warn, "Run lost, starts again"),
            (
                State::Queued,
                Some(Outcome::NotStarted | Outcome::Success | Outcome::Failure | Outcome::Timeout | Outcome::Cancelled),
            ) => (Level::Warn, "Run could not be started, starts again"),
            (State::Queued, None) | (State::Scheduled, _) => return None,
        })
    }
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// In a word.
    pub outcome: Outcome,
    /// From claim to end.
    pub took: Duration,
    /// In a sentence, where there is more to say.
    pub message: Option<String>,
}
