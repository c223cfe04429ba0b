//! A run's life: the states and the one table of what may follow what.

crate::words::words! {
    /// Where a run is in its life.
    State {
        /// Due later.
        Scheduled = "scheduled",
        /// Due, waits.
        Queued = "queued",
        /// An attempt of it is being executed.
        Running = "running",
        /// Failed, due later.
        Retrying = "retrying",
        /// Terminal: it did its work.
        Succeeded = "succeeded",
        /// Terminal: attempts or crash budget used up; the dead letter queue.
        Dead = "dead",
        /// Terminal: somebody or something newer ended it.
        Cancelled = "cancelled",
        /// Terminal: by the final execution check, or when it came due.
        Refused = "refused",
        /// Terminal: not started in time.
        Expired = "expired",
    }
}

impl State {
    /// Nothing follows it.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        match self {
            Self::Scheduled | Self::Queued | Self::Running | Self::Retrying => false,
            Self::Succeeded | Self::Dead | Self::Cancelled | Self::Refused | Self::Expired => true,
        }
    }

    /// Queued, retrying and running runs take a place.
    #[must_use]
    pub fn takes_place(self) -> bool {
        match self {
            Self::Queued | Self::Running | Self::Retrying => true,
            Self::Scheduled | Self::Succeeded | Self::Dead | Self::Cancelled | Self::Refused | Self::Expired => false,
        }
    }
}

crate::words::words! {
    /// What can happen to a run.
    Event {
        /// Its time has come: a scheduled run that the rules admit, or a retry.
        Due = "due",
        /// Its time has come and the rules do not admit it.
        RefusedWhenDue = "refused_when_due",
        /// The final execution check found another one running.
        RefusedAtClaim = "refused_at_claim",
        /// A worker takes it.
        Claimed = "claimed",
        /// Its attempt did the work.
        Succeeded = "succeeded",
        /// Its attempt failed, and there is another one.
        FailedWithMore = "failed_with_more",
        /// Its attempt failed, and it was the last.
        FailedForGood = "failed_for_good",
        /// Its attempt ended without burning anything, or its node went away: it starts again.
        GivenBack = "given_back",
        /// Its node went away once too often.
        CrashedForGood = "crashed_for_good",
        /// It is ended: by hand, or superseded.
        Cancelled = "cancelled",
    }
}

/// A step that the table does not have: a bug, reported and never taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a run that is {state} cannot be {event}")]
pub struct Impossible {
    /// Where the run was.
    pub state: State,
    /// What was to happen.
    pub event: Event,
}

/// What follows: the only place that knows.
///
/// # Errors
/// [`Impossible`] if the table has no such step.
pub fn next(state: State, event: Event) -> Result<State, Impossible> {
    use State::{Cancelled, Dead, Queued, Refused, Retrying, Running, Scheduled, Succeeded};
    Ok(match (state, event) {
        (Scheduled | Retrying, Event::Due) => Queued,
        (Scheduled, Event::RefusedWhenDue) | (Queued, Event::RefusedAtClaim) => Refused,
        (Queued, Event::Claimed) => Running,
        (Running, Event::Succeeded) => Succeeded,
        (Running, Event::FailedWithMore) => Retrying,
        (Running, Event::FailedForGood | Event::CrashedForGood) => Dead,
        (Running, Event::GivenBack) => Queued,
        (Scheduled | Queued | Running | Retrying, Event::Cancelled) => Cancelled,
        _ => return Err(Impossible { state, event }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table() {
        let mut table = String::new();
        for &state in State::ALL {
            for &event in Event::ALL {
                if let Ok(then) = next(state, event) {
                    table.push_str(&format!("{state} {event} {then}\n"));
                }
            }
        }
        assert_eq!(
            table,
            "scheduled due queued\n\
             scheduled refused_when_due refused\n\
             scheduled cancelled cancelled\n\
             queued refused_at_claim refused\n\
             queued claimed running\n\
             queued cancelled cancelled\n\
             running succeeded succeeded\n\
             running failed_with_more retrying\n\
             running failed_for_good dead\n\
             running given_back queued\n\
             running crashed_for_good dead\n\
             running cancelled cancelled\n\
             retrying due queued\n\
             retrying cancelled cancelled\n"
        );
    }

    #[test]
    fn nothing_follows_a_terminal_state() {
        for &state in State::ALL.iter().filter(|s| s.is_terminal()) {
            assert!(Event::ALL.iter().all(|&event| next(state, event).is_err()), "{state}");
        }
    }
}
