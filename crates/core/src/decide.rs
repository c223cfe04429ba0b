//! What becomes of a trigger: the one function that decides, for every source and for both levels of the seed.

use crate::id::RunId;
use crate::policy::{MAX_SCHEDULED, OnDuplicate, OnFull, Places, Priority, Rules};
use crate::run::State;
use crate::trigger::{Source, When};

crate::words::words! {
    /// What became of one trigger.
    Decision {
        /// It became a run.
        Admitted = "admitted",
        /// Another run does the same, or there was no place.
        Skipped = "skipped",
        /// The waiting run took its arguments.
        Replaced = "replaced",
        /// The waiting run took its arguments in.
        Merged = "merged",
        /// It became a run, and the older one is asked to end.
        Preempted = "preempted",
        /// The caller is told that it cannot be.
        Rejected = "rejected",
        /// Nobody could fire it in time.
        Missed = "missed",
    }
}

crate::words::words! {
    /// Why. One closed set for store, API, metrics and messages.
    Code {
        /// Admitted.
        WithinLimits = "within_limits",
        /// The target starts an attempt later.
        DuplicateWaiting = "duplicate_waiting",
        /// The target had already started.
        DuplicateRunning = "duplicate_running",
        /// An earlier run's window is open.
        DuplicateRecent = "duplicate_recent",
        /// No place, and none to wait.
        ConcurrencyLimit = "concurrency_limit",
        /// No place left to wait.
        QueueFull = "queue_full",
        /// The waiting run cannot take more in.
        MergeFull = "merge_full",
        /// A tick of a paused job.
        Paused = "paused",
        /// No such job in the policy.
        UnknownJob = "unknown_job",
        /// The arguments cannot be read.
        BadArguments = "bad_arguments",
        /// The arguments lack a field of the key.
        MissingKeyField = "missing_key_field",
        /// The trigger id came before, with other arguments.
        TriggerIdReused = "trigger_id_reused",
        /// Instants of a schedule that nobody could fire in time.
        Missed = "missed",
        /// Ended by the final execution check.
        ConcurrentExecutionDetected = "concurrent_execution_detected",
        /// Ended because a newer run of its key does the work.
        Superseded = "superseded",
        /// Ended because a newcomer took over.
        Preempted = "preempted",
        /// Ended by somebody.
        CancelledByHand = "cancelled_by_hand",
        /// Ended because its nodes went away too often.
        CrashBudget = "crash_budget",
        /// Ended after its last attempt.
        AttemptsUsedUp = "attempts_used_up",
        /// Ended because it did not start in time.
        Expired = "expired",
    }
}

impl Code {
    /// The run in the way does the same, or did it.
    #[must_use]
    pub fn is_duplicate(self) -> bool {
        match self {
            Self::DuplicateWaiting | Self::DuplicateRunning | Self::DuplicateRecent => true,
            Self::WithinLimits
            | Self::ConcurrencyLimit
            | Self::QueueFull
            | Self::MergeFull
            | Self::Paused
            | Self::UnknownJob
            | Self::BadArguments
            | Self::MissingKeyField
            | Self::TriggerIdReused
            | Self::Missed
            | Self::ConcurrentExecutionDetected
            | Self::Superseded
            | Self::Preempted
            | Self::CancelledByHand
            | Self::CrashBudget
            | Self::AttemptsUsedUp
            | Self::Expired => false,
        }
    }
}

/// Why the arguments or the name of a trigger cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// No such job in the policy.
    UnknownJob,
    /// The arguments cannot be read.
    BadArguments,
    /// The arguments lack a field of the key.
    MissingKeyField,
}

/// The run that makes a trigger a duplicate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// Which one.
    pub run: RunId,
    /// Where it is in its life.
    pub state: State,
    /// It was claimed at least once.
    pub started: bool,
    /// Its place in line.
    pub priority: Priority,
}

/// Runs of one job, by state. `scheduled` ones take no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Due later.
    pub scheduled: u64,
    /// Due, waiting.
    pub queued: u64,
    /// Being executed.
    pub running: u64,
    /// Failed, due later.
    pub retrying: u64,
}

impl Tally {
    /// Queued and retrying.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.queued + self.retrying
    }

    /// Runs that take a place.
    #[must_use]
    pub fn taking(&self) -> u64 {
        self.waiting() + self.running
    }
}

/// What the store knows of a trigger's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// It has none, or it is new.
    New,
    /// It came before with the same arguments.
    Before,
    /// It came before with other arguments.
    WithOtherArguments,
}

/// A trigger, as far as the rules look at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// Where it came from.
    pub source: Source,
    /// When it wants its run.
    pub when: When,
    /// Its priority.
    pub priority: Priority,
    /// What the store knows of its id.
    pub seen: Seen,
    /// What is wrong with it, if anything.
    pub problem: Option<Problem>,
}

/// What the store holds at the moment of the decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct View {
    /// The job is paused.
    pub paused: bool,
    /// A run that makes the trigger a duplicate. For a later trigger: the `scheduled` run of its key due then.
    pub target: Option<Target>,
    /// The job's runs.
    pub tally: Tally,
}

/// The run in a trigger's way, found by the store where the view does not have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// None is named.
    Nobody,
    /// The target.
    Run(RunId),
    /// The oldest run that takes a place.
    OldestTaking,
    /// The oldest run that waits.
    OldestWaiting,
}

/// What becomes of a trigger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The first answer to this trigger id, again.
    Replay,
    /// A decision of its own.
    New(Ruling),
}

/// A decision and its reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ruling {
    /// What.
    pub decision: Decision,
    /// Why.
    pub code: Code,
    /// The run in the way.
    pub by: By,
    /// The target takes over the trigger's higher priority.
    pub lift: bool,
}

impl Ruling {
    const ADMITTED: Self = Self::plain(Decision::Admitted, Code::WithinLimits);

    const fn plain(decision: Decision, code: Code) -> Self {
        Self { decision, code, by: By::Nobody, lift: false }
    }
}

/// Decides one trigger: the rules of DESIGN section 4, in their order; the first match wins.
#[must_use]
pub fn decide(rules: &Rules, asked: &Asked, view: &View) -> Verdict {
    match asked.seen {
        Seen::Before => return Verdict::Replay,
        Seen::WithOtherArguments => {
            return Verdict::New(Ruling::plain(Decision::Rejected, Code::TriggerIdReused));
        }
        Seen::New => {}
    }
    if let Some(problem) = asked.problem {
        return Verdict::New(refuse(problem));
    }
    Verdict::New(match (asked.source, asked.when) {
        (Source::Schedule, _) => would_admit(rules, asked.priority, view),
        (_, When::Now) => admit(rules, asked.priority, view),
        (_, When::At(_) | When::In(_)) => admit_later(rules, asked.priority, view),
    })
}

/// The ruling on a trigger that cannot be used at all.
#[must_use]
pub fn refuse(problem: Problem) -> Ruling {
    let code = match problem {
        Problem::UnknownJob => Code::UnknownJob,
        Problem::BadArguments => Code::BadArguments,
        Problem::MissingKeyField => Code::MissingKeyField,
    };
    Ruling::plain(Decision::Rejected, code)
}

/// Rules 4 and 5 alone: a trigger of this moment, or a scheduled run that comes due.
#[must_use]
pub fn admit(rules: &Rules, priority: Priority, view: &View) -> Ruling {
    duplicate(rules, priority, view).or_else(|| no_place(rules, view)).unwrap_or(Ruling::ADMITTED)
}

/// What a tick of this moment would become: [`admit`] on a view, and nothing else; unless the job is paused.
#[must_use]
pub fn would_admit(rules: &Rules, priority: Priority, view: &View) -> Ruling {
    if view.paused { Ruling::plain(Decision::Skipped, Code::Paused) } else { admit(rules, priority, view) }
}

fn admit_later(rules: &Rules, priority: Priority, view: &View) -> Ruling {
    duplicate(rules, priority, view).unwrap_or({
        if view.tally.scheduled >= MAX_SCHEDULED {
            Ruling::plain(Decision::Rejected, Code::QueueFull)
        } else {
            Ruling::ADMITTED
        }
    })
}

fn duplicate(rules: &Rules, priority: Priority, view: &View) -> Option<Ruling> {
    let (dedup, target) = (rules.dedup.as_ref()?, view.target?);
    let code = if target.state == State::Running { Code::DuplicateRunning } else { Code::DuplicateWaiting };
    let decision = match dedup.on_duplicate {
        OnDuplicate::Skip => Decision::Skipped,
        OnDuplicate::Fail => Decision::Rejected,
    };
    let lift = decision == Decision::Skipped && !target.started && priority > target.priority;
    Some(Ruling { decision, code, by: By::Run(target.run), lift })
}

fn no_place(rules: &Rules, view: &View) -> Option<Ruling> {
    let (taken, places, by) = match rules.places {
        Places::Taking(places) => (view.tally.taking(), places, By::OldestTaking),
        Places::Waiting(places) => (view.tally.waiting(), places, By::OldestWaiting),
    };
    if taken < places {
        return None;
    }
    let decision = match rules.on_full {
        OnFull::Skip => Decision::Skipped,
        OnFull::Fail => Decision::Rejected,
    };
    let code = if rules.no_waiting { Code::ConcurrencyLimit } else { Code::QueueFull };
    Some(Ruling { decision, code, by, lift: false })
}

#[cfg(test)]
mod tests;
