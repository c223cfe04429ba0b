//! Instants as people read them, in their own zone, which is named once; and as programs do, in RFC 3339.

use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use jobstile_core::time::Time;

use super::duration::measured;

/// Instants as seen from one moment in one zone.
#[derive(Debug, Clone)]
pub(crate) struct Times {
    now: Time,
    zone: TimeZone,
}

impl Times {
    /// As seen from here: the machine's zone, or the one of `TZ`.
    pub(crate) fn here(now: Time) -> Self {
        Self { now, zone: TimeZone::system() }
    }

    /// In the zone of this name.
    #[cfg(test)]
    pub(crate) fn in_zone(now: Time, zone: &str) -> Self {
        Self { now, zone: TimeZone::get(zone).unwrap_or_else(|error| panic!("{error}")) }
    }

    pub(crate) fn now(&self) -> Time {
        self.now
    }

    fn zoned(&self, at: Time) -> Zoned {
        Timestamp::from_microsecond(at.0).unwrap_or_default().to_zoned(self.zone.clone())
    }

    /// The zone's name now: `CET`, or its offset where it has none.
    pub(crate) fn zone(&self) -> String {
        self.zoned(self.now).strftime("%Z").to_string()
    }

    /// `14:07:03`, with the day where it is not today: `Mon 23 Nov 14:07:03`, with the year where it is another one.
    pub(crate) fn at(&self, at: Time) -> String {
        let (at, now) = (self.zoned(at), self.zoned(self.now));
        let form = if at.date() == now.date() {
            "%H:%M:%S"
        } else if at.year() == now.year() {
            "%a %-d %b %H:%M:%S"
        } else {
            "%-d %b %Y %H:%M:%S"
        };
        at.strftime(form).to_string()
    }

    /// As [`Times::at`], shorter: `14:07:03`, another day's as `23 Nov`.
    pub(crate) fn about(&self, at: Time) -> String {
        let (at, now) = (self.zoned(at), self.zoned(self.now));
        at.strftime(if at.date() == now.date() { "%H:%M:%S" } else { "%-d %b" }).to_string()
    }

    /// A whole hour: `14:00`, with its day where that is not today: `Sun 14:00`.
    pub(crate) fn hour(&self, at: Time) -> String {
        let (at, now) = (self.zoned(at), self.zoned(self.now));
        at.strftime(if at.date() == now.date() { "%H:%M" } else { "%a %H:%M" }).to_string()
    }

    /// Day, time and zone: `Mon 23 Nov 02:03:12 CET`.
    pub(crate) fn moment(&self) -> String {
        format!("{} {}", self.zoned(self.now).strftime("%a %-d %b %H:%M:%S"), self.zone())
    }

    /// `12 s ago`, `in 3 min 12 s`, `now`.
    pub(crate) fn ago(&self, at: Time) -> String {
        match (self.now.since(at), at.since(self.now)) {
            (past, _) if past.as_secs() > 0 => format!("{} ago", measured(whole(past))),
            (_, ahead) if ahead.as_secs() > 0 => format!("in {}", measured(whole(ahead))),
            _ => "now".into(),
        }
    }

    /// A time of the day, as `14:07` or `14:07:30`: today's, or tomorrow's where that has passed.
    pub(crate) fn next(&self, time: jiff::civil::Time) -> Option<Time> {
        let today = self.zoned(self.now).date();
        [today, today.tomorrow().ok()?].into_iter().find_map(|day| {
            let at = day.to_datetime(time).to_zoned(self.zone.clone()).ok()?;
            Some(Time(at.timestamp().as_microsecond())).filter(|at| *at > self.now)
        })
    }
}

fn whole(duration: Duration) -> Duration {
    Duration::from_secs(duration.as_secs())
}

/// RFC 3339 in UTC, with microseconds where there are any: `2026-11-23T14:07:03.5Z`.
pub(crate) fn rfc3339(at: Time) -> String {
    Timestamp::from_microsecond(at.0).map_or_else(|_| at.0.to_string(), |at| at.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times() -> Times {
        let zone = TimeZone::get("Europe/Rome").unwrap();
        Times { now: Time(1_795_395_792_000_000), zone }
    }

    #[test]
    fn instants_for_people() {
        let times = times();
        let later = |seconds: i64| Time(times.now.0 + seconds * 1_000_000);
        assert_eq!(times.zone(), "CET");
        for (seconds, at, ago) in [
            (0, "02:03:12", "now"),
            (-12, "02:03:00", "12s ago"),
            (192, "02:06:24", "in 3m 12s"),
            (86_400, "Tue 24 Nov 02:03:12", "in 1d"),
            (-7_200, "00:03:12", "2h ago"),
            (-14_400, "Sun 22 Nov 22:03:12", "4h ago"),
            (40 * 86_400, "2 Jan 2027 02:03:12", "in 40d"),
        ] {
            assert_eq!((times.at(later(seconds)).as_str(), times.ago(later(seconds)).as_str()), (at, ago));
        }
    }

    #[test]
    fn instants_in_few_columns() {
        let times = times();
        let before = |seconds: i64| Time(times.now.0 - seconds * 1_000_000);
        assert_eq!((times.about(before(12)).as_str(), times.about(before(14_400)).as_str()), ("02:03:00", "22 Nov"));
        assert_eq!((times.hour(before(192)).as_str(), times.hour(before(7_392)).as_str()), ("02:00", "00:00"));
        assert_eq!(times.hour(before(10_992)), "Sun 23:00");
    }

    #[test]
    fn a_time_of_the_day_is_the_next_one() {
        let times = times();
        let next = |text: &str| times.next(text.parse().unwrap()).map(|at| times.at(at));
        assert_eq!(next("02:03:13").as_deref(), Some("02:03:13"));
        assert_eq!(next("02:03:12").as_deref(), Some("Tue 24 Nov 02:03:12"));
        assert_eq!(next("01:00").as_deref(), Some("Tue 24 Nov 01:00:00"));
    }

    #[test]
    fn instants_for_programs() {
        assert_eq!(rfc3339(Time(1_795_395_792_000_000)), "2026-11-23T01:03:12Z");
        assert_eq!(rfc3339(Time(1_795_395_792_000_150)), "2026-11-23T01:03:12.00015Z");
        assert_eq!(rfc3339(Time::MAX), Time::MAX.0.to_string());
    }
}
