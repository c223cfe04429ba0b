//! What is kept of the past, and for how long.

use std::time::Duration;

use crate::run::State;
use crate::time::Time;

const DAY: Duration = Duration::from_secs(86_400);
/// How long successes are kept.
pub const SUCCESSES: Duration = Duration::from_secs(7 * 86_400);
/// How many successes of a job are kept, the newest.
pub const NEWEST_SUCCESSES: u32 = 1_000;
/// How long everything else is kept: other ended runs, decisions, nodes, numbers.
pub const OTHERS: Duration = Duration::from_secs(30 * 86_400);
/// For how long a trigger id gets its first answer again.
pub const REPLAY_WINDOW: Duration = DAY;

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

/// What may go at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Horizon {
    /// Successes that ended before this.
    pub successes: Time,
    /// Other ended runs and decisions before this.
    pub others: Time,
    /// Trigger ids given at this time or later stay.
    pub trigger_ids: Time,
    /// Successes of one job that stay, the newest.
    pub newest: u32,
}

impl Horizon {
    /// That of a history which has aged by this time (see [`aged`]).
    #[must_use]
    pub fn at(now: Time) -> Self {
        Self {
            successes: now.minus(SUCCESSES),
            others: now.minus(OTHERS),
            trigger_ids: now.minus(REPLAY_WINDOW),
            newest: NEWEST_SUCCESSES,
        }
    }
}

/// A run that may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Past {
    /// Where it is in its life.
    pub state: State,
    /// When it ended.
    pub ended_at: Option<Time>,
    /// Successes of its job that ended later.
    pub newer_successes: u64,
    /// When it was admitted, if its trigger has an id.
    pub id_given_at: Option<Time>,
    /// An older live run of its key would still give way to it.
    pub supersedes: bool,
}

/// Whether a run may be deleted.
#[must_use]
pub fn may_go(past: &Past, horizon: &Horizon) -> bool {
    let Some(ended_at) = past.ended_at else { return false };
    if past.id_given_at.is_some_and(|given| given >= horizon.trigger_ids) {
        return false;
    }
    match past.state {
        State::Scheduled | State::Queued | State::Running | State::Retrying => false,
        State::Succeeded => {
            !past.supersedes && (ended_at < horizon.successes || past.newer_successes >= horizon.newest.into())
        }
        State::Dead | State::Cancelled | State::Refused | State::Expired => ended_at < horizon.others,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{check, number, word};

    #[test]
    fn what_must_go_and_what_must_stay() {
        let now = Time(1_790_856_000_000_000);
        let ago = |hours: &str| (hours != "-").then(|| now.minus(Duration::from_secs(3600 * number(hours))));
        check(
            "
            # state   ended_h newer id_h supersedes | may go
            succeeded 167     0     -    -          | stays
            succeeded 169     0     -    -          | goes
            succeeded 1       999   -    -          | stays
            succeeded 1       1000  -    -          | goes
            succeeded 169     0     200  -          | goes
            succeeded 1       1000  23   -          | stays
            succeeded 1       1000  25   -          | goes
            succeeded 169     0     -    yes        | stays
            dead      719     9999  -    -          | stays
            dead      721     0     -    -          | goes
            cancelled 721     0     -    -          | goes
            refused   721     0     -    -          | goes
            expired   721     0     -    -          | goes
            dead      721     0     23   -          | stays
            queued    -       0     -    -          | stays
            running   -       0     9999 -          | stays
            retrying  -       0     -    -          | stays
            scheduled -       0     -    -          | stays
            ",
            |row| {
                let past = Past {
                    state: word(row[0]),
                    ended_at: ago(row[1]),
                    newer_successes: number(row[2]),
                    id_given_at: ago(row[3]),
                    supersedes: row[4] == "yes",
                };
                if may_go(&past, &Horizon::at(now)) { "goes".into() } else { "stays".into() }
            },
        );
    }

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
