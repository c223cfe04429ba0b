//! What is kept, and for how long.

use std::time::Duration;

use crate::time::Time;

/// A store that was not pruned for longer than this did not live meanwhile, or its clock leapt.
const GAP: Duration = Duration::from_secs(3_600);
/// History ages by this at most after a gap.
const AFTER_A_GAP: Duration = Duration::from_secs(86_400);

/// The time by which history has aged: `to` as of `at`, looked at again `now`.
///
/// History ages with the time in which its store lives. What a clock leaps over ages it by a day at most, and is made up
/// for at twice the pace; a clock that is set back takes the age back with it.
#[must_use]
pub fn aged(to: Time, at: Time, now: Time) -> Time {
    if now < at {
        return to.min(now);
    }
    let passed = now.since(at);
    let ages = if passed > GAP { AFTER_A_GAP } else { passed * 2 };
    to.plus(ages).min(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn history_ages_with_the_life_of_its_store() {
        const HOUR: i64 = 3_600;
        const DAY: i64 = 24 * HOUR;
        let time = |seconds: i64| Time((1_000 * DAY + seconds) * 1_000_000);
        // aged to, as of, now | aged to
        let table = [
            (0, 0, 600, 600),
            (0, 0, HOUR, HOUR),
            (0, 0, HOUR + 1, HOUR + 1),
            (0, 0, DAY, DAY),
            // A leap of the clock, or a store that nobody used: a day, whatever it is.
            (0, 0, 9 * DAY, DAY),
            (0, 0, 400 * DAY, DAY),
            // It is made up for.
            (DAY, 9 * DAY, 9 * DAY + 600, DAY + 1_200),
            (9 * DAY - 300, 9 * DAY, 9 * DAY + 600, 9 * DAY + 600),
            // The clock comes back.
            (DAY, 9 * DAY, 60, 60),
            (0, 9 * DAY, 600, 0),
        ];
        for (to, at, now, expected) in table {
            assert_eq!(aged(time(to), time(at), time(now)), time(expected), "{to} as of {at}, now {now}");
        }
    }
}
