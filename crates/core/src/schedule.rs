//! When a job fires by itself: nominal instants, a durable cursor, and what became of instants nobody looked at.

use std::time::Duration;

use crate::time::{Time, micros};

/// An instant looked at later than this, or one interval if shorter, is missed.
pub const LATE: Duration = Duration::from_secs(10);
/// The farthest back an instant may lie that `catch_up = "latest"` still runs.
pub const CATCH_UP_WITHIN: Duration = Duration::from_secs(86_400);

crate::words::words! {
    /// The first instant of an `every`.
    First {
        /// The moment its schedule enters the store.
        Now = "now",
        /// One interval after it.
        AfterInterval = "after_interval",
    }
}

crate::words::words! {
    /// What becomes of missed instants.
    CatchUp {
        /// One run for all of them, if the last lies within one interval.
        Latest = "latest",
        /// Nothing.
        None = "none",
    }
}

/// `every = "90s"`: instants are anchor + n × interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// The interval, above zero.
    pub every: Duration,
    /// Where the first instant lies.
    pub first: First,
    /// What becomes of missed instants.
    pub catch_up: CatchUp,
}

/// How far a schedule has been looked at; one durable row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The last instant that was looked at, if any.
    pub last: Option<Time>,
    /// The next one.
    pub next: Time,
}

/// What to do at one look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// How many instants nobody could fire in time.
    pub missed: u64,
    /// Instants to decide now, oldest first; at most a handful.
    pub fire: Vec<Time>,
    /// The cursor afterwards.
    pub cursor: Cursor,
    /// The clock had stepped back by more than an interval: the cursor returned to now.
    pub stepped_back: bool,
}

impl Schedule {
    /// The cursor of a schedule that enters the store now: now is its anchor.
    #[must_use]
    pub fn enter(&self, now: Time) -> Cursor {
        match self.first {
            First::Now => Cursor { last: None, next: now },
            // The anchor counts as looked at: a changed interval starts from it.
            First::AfterInterval => Cursor { last: Some(now), next: now.plus(self.every) },
        }
    }

    /// The cursor after the interval changed: the new instants are counted from the last one looked at, and those
    /// before now are passed.
    #[must_use]
    pub fn change(&self, cursor: Cursor, now: Time) -> Cursor {
        let next = cursor.last.map_or(cursor.next, |last| last.plus(self.every));
        Cursor { last: cursor.last, next: self.step(next, now.minus(Duration::from_micros(1))) }
    }

    /// The cursor when this schedule is put into force where `old` and its cursor's halves are known: kept, changed,
    /// switched on again, or new. Instants that passed before are not missed.
    #[must_use]
    pub fn put(&self, old: Option<&Self>, next: Option<Time>, last: Option<Time>, now: Time) -> Cursor {
        match (next, last, old) {
            (Some(next), last, Some(old)) if old.every == self.every => Cursor { last, next },
            (Some(next), last, Some(_)) => self.change(Cursor { last, next }, now),
            // Switched on again: the instant of this moment was passed too.
            (_, Some(last), _) => self.after(Cursor { last: Some(last), next: last.plus(self.every) }, now),
            _ => self.enter(now),
        }
    }

    /// The cursor with the instants before now passed.
    #[must_use]
    pub fn pass(&self, cursor: Cursor, now: Time) -> Cursor {
        self.after(cursor, now.minus(Duration::from_micros(1)))
    }

    fn after(&self, cursor: Cursor, passed: Time) -> Cursor {
        let next = self.step(cursor.next, passed);
        let last = if next == cursor.next { cursor.last } else { Some(next.minus(self.every)) };
        Cursor { last, next }
    }

    /// The first of the instants from `next` on that is later than `after`.
    fn step(&self, next: Time, after: Time) -> Time {
        if next > after {
            return next;
        }
        let interval = self.interval();
        let steps = after.0.saturating_sub(next.0).div_euclid(interval).saturating_add(1);
        Time(next.0.saturating_add(steps.saturating_mul(interval)))
    }

    /// Looks at the schedule now.
    #[must_use]
    pub fn look(&self, cursor: Cursor, now: Time) -> Look {
        let interval = self.interval();
        if cursor.next.0.saturating_sub(now.0) > interval {
            let back = (cursor.next.0 - now.0) / interval;
            let next = Time(cursor.next.0 - back * interval);
            let cursor = Cursor { last: cursor.last.filter(|last| *last < next), next };
            return Look { missed: 0, fire: vec![], cursor, stepped_back: true };
        }
        if cursor.next > now {
            return Look { missed: 0, fire: vec![], cursor, stepped_back: false };
        }
        let pending = (now.0 - cursor.next.0) / interval + 1;
        let last = Time(cursor.next.0 + (pending - 1) * interval);
        // Only the last two can be in time: the third last is two intervals late.
        let mut fire: Vec<Time> = (0..pending.min(2))
            .rev()
            .map(|back| Time(last.0 - back * interval))
            .filter(|instant| !self.is_late(*instant, now))
            .collect();
        if fire.is_empty() && self.catch_up == CatchUp::Latest && now.since(last) <= self.every.min(CATCH_UP_WITHIN) {
            fire.push(last);
        }
        Look {
            missed: u64::try_from(pending).unwrap_or(0) - fire.len() as u64,
            fire,
            cursor: Cursor { last: Some(last), next: Time(last.0.saturating_add(interval)) },
            stepped_back: false,
        }
    }

    fn is_late(&self, instant: Time, now: Time) -> bool {
        now.since(instant) > self.every.min(LATE)
    }

    fn interval(&self) -> i64 {
        micros(self.every).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn every(seconds: u64, catch_up: CatchUp) -> Schedule {
        Schedule { every: Duration::from_secs(seconds), first: First::Now, catch_up }
    }

    fn s(seconds: i64) -> Time {
        Time(seconds * 1_000_000)
    }

    #[test]
    fn looks() {
        let at = |next| Cursor { last: None, next: s(next) };
        // interval next now catch_up | missed fire
        let table = [
            (90, 0, 0, CatchUp::Latest, 0, vec![0]),
            (90, 0, 10, CatchUp::Latest, 0, vec![0]),
            (90, 0, 11, CatchUp::Latest, 0, vec![0]),
            (90, 0, 11, CatchUp::None, 1, vec![]),
            (90, 0, 275, CatchUp::Latest, 3, vec![270]),
            (90, 0, 285, CatchUp::Latest, 3, vec![270]),
            (90, 0, 285, CatchUp::None, 4, vec![]),
            (5, 0, 12, CatchUp::Latest, 2, vec![10]),
            (5, 0, 10, CatchUp::None, 1, vec![5, 10]),
            (172_800, 0, 86_401, CatchUp::Latest, 1, vec![]),
            (172_800, 0, 86_400, CatchUp::Latest, 0, vec![0]),
            (90, 5, 4, CatchUp::Latest, 0, vec![]),
        ];
        for (interval, next, now, catch_up, missed, fire) in table {
            let look = every(interval, catch_up).look(at(next), s(now));
            let fired: Vec<i64> = look.fire.iter().map(|t| t.0 / 1_000_000).collect();
            assert_eq!((look.missed, fired), (missed, fire), "every {interval} next {next} now {now}");
        }
    }

    #[test]
    fn a_cursor_ahead_of_a_clock_that_stepped_back_returns() {
        let look = every(90, CatchUp::Latest).look(Cursor { last: Some(s(900)), next: s(990) }, s(400));
        assert!(look.stepped_back);
        assert_eq!(look.cursor, Cursor { last: None, next: s(450) });
    }

    #[test]
    fn a_changed_interval_counts_from_the_last_instant() {
        let cursor = Cursor { last: Some(s(300)), next: s(600) };
        assert_eq!(every(20, CatchUp::Latest).change(cursor, s(450)).next, s(460));
        assert_eq!(every(900, CatchUp::Latest).change(cursor, s(450)).next, s(1200));
    }

    proptest! {
        #[test]
        fn every_instant_is_fired_or_missed_once(interval in 1u64..200, steps in prop::collection::vec(0i64..500, 1..30)) {
            let schedule = every(interval, CatchUp::Latest);
            let (mut cursor, mut now, mut seen, mut last) = (schedule.enter(s(0)), 0, 0u64, None);
            for step in steps {
                now += step;
                let look = schedule.look(cursor, s(now));
                seen += look.missed + look.fire.len() as u64;
                for instant in &look.fire {
                    prop_assert!(last < Some(*instant));
                    last = Some(*instant);
                }
                prop_assert!(look.cursor.next > s(now));
                cursor = look.cursor;
            }
            prop_assert_eq!(seen, u64::try_from(now).unwrap() / interval + 1);
        }
    }
}
