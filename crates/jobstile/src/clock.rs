//! The one place that reads time and sleeps.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jobstile_core::time::{Time, micros};
use tokio::sync::watch;

/// Where the time comes from: the system, or a test that sets it by hand.
#[derive(Debug, Clone, Default)]
pub struct Clock(Option<Arc<watch::Sender<Time>>>);

impl Clock {
    /// The system's clock.
    #[must_use]
    pub fn system() -> Self {
        Self(None)
    }

    /// A clock that stands still until it is moved.
    #[must_use]
    pub fn manual(at: Time) -> Self {
        Self(Some(Arc::new(watch::Sender::new(at))))
    }

    /// The time now, in whole microseconds.
    #[must_use]
    pub fn now(&self) -> Time {
        match &self.0 {
            Some(at) => *at.borrow(),
            None => {
                let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                Time(micros(since))
            }
        }
    }

    /// Moves a manual clock, and wakes whoever waits by it; the system's stays as it is.
    pub fn advance(&self, by: Duration) {
        if let Some(at) = &self.0 {
            at.send_modify(|at| *at = at.plus(by));
        }
    }

    /// An alarm by this clock.
    pub(crate) fn alarm(&self) -> Alarm {
        Alarm(self.0.as_ref().map(|at| at.subscribe()))
    }
}

/// Waits by a clock.
#[derive(Debug)]
pub(crate) struct Alarm(Option<watch::Receiver<Time>>);

impl Alarm {
    /// Waits so long for real, or until a manual clock has been moved since the last time that this was asked.
    pub(crate) async fn rings_after(&mut self, wait: Duration) {
        match &mut self.0 {
            None => sleep(wait).await,
            Some(moved) => tokio::select! {
                () = sleep(wait) => {}
                Ok(()) = moved.changed() => {}
            },
        }
    }
}

/// Waits for real, not by a manual clock: for polls and grace periods.
pub fn sleep(duration: Duration) -> tokio::time::Sleep {
    tokio::time::sleep(duration)
}

/// Ticks every so often, the first time at once.
pub fn every(period: Duration) -> tokio::time::Interval {
    tokio::time::interval(period)
}

/// The same for a thread.
pub fn block(duration: Duration) {
    std::thread::sleep(duration);
}

/// Measures how long something takes, whatever the wall clock does.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(std::time::Instant);

impl Stopwatch {
    /// Begins to measure.
    #[must_use]
    pub fn start() -> Self {
        Self(std::time::Instant::now())
    }

    /// How long it has been.
    #[must_use]
    pub fn read(&self) -> Duration {
        self.0.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_manual_clock_that_is_moved_rings_its_alarms() {
        const HOUR: Duration = Duration::from_secs(3600);
        let clock = Clock::manual(Time(0));
        let mut alarm = clock.alarm();
        // Moved before anybody waits: the alarm is not lost.
        clock.advance(HOUR);
        alarm.rings_after(Duration::MAX).await;
        let waiting = tokio::spawn(async move { alarm.rings_after(Duration::MAX).await });
        tokio::task::yield_now().await;
        clock.advance(HOUR);
        waiting.await.unwrap();
        assert_eq!(clock.now(), Time(0).plus(2 * HOUR));
    }
}
