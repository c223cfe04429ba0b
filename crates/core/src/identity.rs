//! Who is the same as whom: what a run is to triggers and to other runs of its key, and which of two gives way.

use crate::decide::Problem;
use crate::id::RunId;
use crate::key::Key;
use crate::policy::{Dedup, KeyRule, Until};
use crate::run::State;
use crate::time::Time;
use crate::trigger::When;

crate::words::words! {
    /// What a run is to triggers of its key. It keeps the key that it was admitted with.
    Identity {
        /// No rule gave it a key: it is the same as nothing.
        Unkeyed = "unkeyed",
        /// It has a key, and no trigger is a duplicate of it.
        Keyed = "keyed",
        /// It is scheduled: a trigger for the same time is its duplicate.
        Later = "later",
        /// A trigger of this moment is its duplicate.
        Target = "target",
    }
}

crate::words::words! {
    /// What changes the identity of a run.
    Change {
        /// It comes due while its rule is in force.
        DueUnderARule = "due_under_a_rule",
        /// It comes due while no rule is in force.
        DueUnderNone = "due_under_none",
        /// It starts under `until = "start"`, or that rule finds it started.
        PassedStart = "passed_start",
        /// It ends.
        Ended = "ended",
    }
}

impl Identity {
    /// That of a new run.
    #[must_use]
    pub fn of_new(has_key: bool, rule_in_force: bool, when: When) -> Self {
        match (has_key, rule_in_force, when) {
            (false, _, _) => Self::Unkeyed,
            (true, false, _) => Self::Keyed,
            (true, true, When::Now) => Self::Target,
            (true, true, When::At(_) | When::In(_)) => Self::Later,
        }
    }

    /// What it is after a change: the only place that knows. Once a target has passed it never is one again.
    #[must_use]
    pub fn after(self, change: Change) -> Self {
        match (self, change) {
            (Self::Unkeyed, _) => Self::Unkeyed,
            (_, Change::DueUnderARule) => Self::Target,
            (_, Change::DueUnderNone | Change::PassedStart | Change::Ended) => Self::Keyed,
        }
    }

    /// A rule gave it a key.
    #[must_use]
    pub fn has_key(self) -> bool {
        match self {
            Self::Unkeyed => false,
            Self::Keyed | Self::Later | Self::Target => true,
        }
    }
}

/// The key of a new run. `key` applies a rule to its arguments. While deduplication is off (`in_force` is false), arguments
/// that lack a key field are no mistake: the run has no key.
///
/// # Errors
/// The problem of the arguments.
pub fn key_of(
    rule: Option<&KeyRule>,
    in_force: bool,
    key: impl FnOnce(&KeyRule) -> Result<Key, Problem>,
) -> Result<Option<Key>, Problem> {
    match rule.map(key) {
        None => Ok(None),
        Some(Ok(key)) => Ok(Some(key)),
        Some(Err(_)) if !in_force => Ok(None),
        Some(Err(problem)) => Err(problem),
    }
}

/// A run as another one of its key sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kin {
    /// Which run.
    pub run: RunId,
    /// When it was first due.
    pub first_due: Time,
    /// Where it is in its life.
    pub state: State,
    /// It was claimed at least once.
    pub started: bool,
    /// Somebody asked it to end.
    pub asked_to_end: bool,
}

impl Kin {
    /// The older of two runs has the lower age.
    #[must_use]
    pub fn age(&self) -> (Time, RunId) {
        (self.first_due, self.run)
    }

    /// It did the work of its key, or is about to.
    fn does_the_work(&self) -> bool {
        match self.state {
            State::Succeeded => true,
            State::Queued | State::Running | State::Retrying => !self.asked_to_end,
            State::Scheduled | State::Dead | State::Cancelled | State::Refused | State::Expired => false,
        }
    }
}

/// A started run that would have to start again gives way to a newer one that did its work or will, under the rule in
/// force now: old data is not written over new.
#[must_use]
pub fn gives_way(rule: Option<&Dedup>, older: &Kin, newer: &Kin) -> bool {
    let superseding = rule.is_some_and(|dedup| dedup.until == Until::Start);
    superseding && older.started && !older.state.is_terminal() && newer.age() > older.age() && newer.does_the_work()
}

#[cfg(test)]
mod tests;
