//! The one place that reads time and sleeps.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use jobstile_core::time::{Time, micros};

/// Where the time comes from: the system, or a test that sets it by hand.
#[derive(Debug, Clone, Default)]
pub struct Clock(Option<Arc<AtomicI64>>);

impl Clock {
    /// The system's clock.
    #[must_use]
    pub fn system() -> Self {
        Self(None)
    }

    /// A clock that stands still until it is moved.
    #[must_use]
    pub fn manual(at: Time) -> Self {
        Self(Some(Arc::new(AtomicI64::new(at.0))))
    }

    /// The time now, in whole microseconds.
    #[must_use]
    pub fn now(&self) -> Time {
        match &self.0 {
            Some(at) => Time(at.load(Ordering::SeqCst)),
            None => {
                let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                Time(micros(since))
            }
        }
    }

    /// Moves a manual clock; the system's stays as it is.
    pub fn advance(&self, by: Duration) {
        if let Some(at) = &self.0 {
            at.fetch_add(micros(by), Ordering::SeqCst);
        }
    }
}

/// Waits for real, not by a manual clock: for polls and grace periods.
pub async fn sleep(duration: Duration) {
    tokio::time::sleep(duration).await;
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
