//! An instant: whole microseconds since 1970-01-01T00:00:00Z. Where it comes from is somebody else's business.

use std::time::Duration;

/// Microseconds since 1970-01-01T00:00:00Z. Arithmetic stops at the ends of the range, it never wraps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(pub i64);

impl Time {
    /// The latest instant there is: «never».
    pub const MAX: Self = Self(i64::MAX);

    /// This instant, `by` later.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(micros(by)))
    }

    /// This instant, `by` earlier.
    #[must_use]
    pub fn minus(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(micros(by)))
    }

    /// How long ago `earlier` was; zero if it was not.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// A duration in whole microseconds, at most `i64::MAX`.
#[must_use]
pub fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// A duration as it is written in a configuration file, exact to the millisecond: `90s`, `4m 30s`, `1h`, `2d`.
#[must_use]
pub fn in_short(duration: Duration) -> String {
    let ms = duration.as_millis();
    let seconds = ms / 1000;
    // People say 90s and 120s, but 3m and 4m 30s.
    let in_seconds = seconds < 120 && !seconds.is_multiple_of(60) || seconds == 0;
    let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];
    let mut parts = vec![];
    let mut left = ms;
    for (name, size) in units.into_iter().skip(if in_seconds { 3 } else { 0 }) {
        if left >= size {
            parts.push(format!("{}{name}", left / size));
            left %= size;
        }
    }
    if parts.is_empty() { "0s".to_owned() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_stops_at_the_ends() {
        assert_eq!(Time::MAX.plus(Duration::from_secs(1)), Time::MAX);
        assert_eq!(Time(i64::MIN).minus(Duration::MAX), Time(i64::MIN));
        assert_eq!(Time(5).since(Time(9)), Duration::ZERO);
        assert_eq!(Time(9).since(Time(5)), Duration::from_micros(4));
    }
}
