//! What follows an attempt.

use std::time::Duration;

use crate::decide::Code;
use crate::outcome::Outcome;
use crate::policy::Backoff;
use crate::time::Time;

/// The lost attempt that ends a run `dead`.
pub const CRASH_BUDGET: u32 = 3;

/// What an attempt leaves behind, this one not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Before {
    /// Failures and timeouts so far.
    pub failures: u32,
    /// Lost attempts so far.
    pub lost: u32,
    /// Somebody asked the run to end.
    pub cancel_requested: bool,
}

/// What becomes of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// Done.
    Succeeded,
    /// Another attempt, this long from now.
    Retry(Duration),
    /// Queued again, due at once.
    Again,
    /// The dead letter queue.
    Dead(Code),
    /// It ends as it was asked to.
    Cancelled,
}

/// What follows an attempt that ended so. `jitter` is from 0 to 1: its share of a tenth of the delay is added.
#[must_use]
pub fn after(outcome: Outcome, before: Before, attempts: u32, backoff: &Backoff, jitter: f64) -> After {
    match outcome {
        Outcome::Success => After::Succeeded,
        _ if before.cancel_requested => After::Cancelled,
        Outcome::Cancelled => After::Cancelled,
        Outcome::Failure | Outcome::Timeout if before.failures.saturating_add(1) >= attempts => {
            After::Dead(Code::AttemptsUsedUp)
        }
        Outcome::Failure | Outcome::Timeout => After::Retry(delay(backoff, before.failures + 1, jitter)),
        Outcome::Lost if before.lost.saturating_add(1) >= CRASH_BUDGET => After::Dead(Code::CrashBudget),
        Outcome::Lost | Outcome::Interrupted | Outcome::NotStarted => After::Again,
    }
}

/// When a run is due: never later than its delay from now, so that a clock that was set back does not hold it.
#[must_use]
pub fn due_within(due: Time, delay: Option<Duration>, now: Time) -> Time {
    delay.map_or(due, |delay| due.min(now.plus(delay)))
}

/// The wait after the `failures`-th failure (1 for the first), with its share of a tenth.
#[must_use]
pub fn delay(backoff: &Backoff, failures: u32, jitter: f64) -> Duration {
    let power = i32::try_from(failures.saturating_sub(1)).unwrap_or(i32::MAX);
    let max = backoff.max.as_secs_f64();
    let plain = (backoff.delay.as_secs_f64() * backoff.factor.powi(power)).min(max);
    let seconds = plain * (1.0 + jitter.clamp(0.0, 1.0) / 10.0);
    // Whole microseconds, as the store keeps them.
    Duration::from_micros((seconds * 1e6).round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Before = Before { failures: 0, lost: 0, cancel_requested: false };

    #[test]
    fn the_wait_grows_to_its_maximum() {
        let backoff = Backoff::default();
        let waits: Vec<u64> = (1..=9).map(|n| delay(&backoff, n, 0.0).as_secs()).collect();
        assert_eq!(waits, [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]);
        assert_eq!(delay(&backoff, 1, 1.0), Duration::from_secs(33));
        assert_eq!(delay(&backoff, u32::MAX, 0.0), Duration::from_secs(3600));
    }

    #[test]
    fn a_run_is_never_due_later_than_its_delay_from_now() {
        crate::table::check(
            "
            # due delay now | due
            100   30    70  | 100
            100   30    90  | 100
            100   30    10  | 40
            100   0     10  | 10
            100   -     10  | 100
            ",
            |row| {
                let delay = (row[1] != "-").then(|| Duration::from_micros(crate::table::number(row[1])));
                let at = |text| Time(crate::table::number(text) as i64);
                due_within(at(row[0]), delay, at(row[2])).0.to_string()
            },
        );
    }

    #[test]
    fn what_follows_each_outcome() {
        let next = |outcome, before| after(outcome, before, 2, &Backoff::default(), 0.0);
        assert_eq!(next(Outcome::Success, NOTHING), After::Succeeded);
        assert_eq!(next(Outcome::Failure, NOTHING), After::Retry(Duration::from_secs(30)));
        assert_eq!(next(Outcome::Timeout, Before { failures: 1, ..NOTHING }), After::Dead(Code::AttemptsUsedUp));
        assert_eq!(next(Outcome::Lost, Before { failures: 1, lost: 1, ..NOTHING }), After::Again);
        assert_eq!(next(Outcome::Lost, Before { lost: 2, ..NOTHING }), After::Dead(Code::CrashBudget));
        assert_eq!(next(Outcome::Interrupted, Before { lost: 2, ..NOTHING }), After::Again);
        assert_eq!(next(Outcome::NotStarted, Before { failures: 1, ..NOTHING }), After::Again);
        for &outcome in Outcome::ALL.iter().filter(|&&o| o != Outcome::Success) {
            assert_eq!(next(outcome, Before { cancel_requested: true, ..NOTHING }), After::Cancelled);
        }
        assert_eq!(next(Outcome::Success, Before { cancel_requested: true, ..NOTHING }), After::Succeeded);
    }
}
