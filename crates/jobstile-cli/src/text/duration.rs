//! Durations as people write and read them: `90s`, `4m 30s`, `1h`.

use std::time::Duration;

/// The longest duration anybody may write.
pub(crate) use jobstile_core::policy::keys::LONGEST;

/// Why a text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadDuration {
    /// Nothing was written.
    #[error("a duration is missing")]
    Empty,
    /// A number alone.
    #[error("a duration needs its unit")]
    NoUnit(String),
    /// An unknown unit.
    #[error("`{0}` is not a unit of time")]
    UnknownUnit(String),
    /// It has a minus sign.
    #[error("a duration cannot be negative")]
    Negative,
    /// Longer than [`LONGEST`].
    #[error("a duration of more than ten years")]
    TooLong,
    /// The same unit twice, or a smaller one before a larger one.
    #[error("the units of a duration go from large to small, each once")]
    Order,
    /// Anything else.
    #[error("`{0}` is not a valid duration")]
    Other(String),
}

impl BadDuration {
    /// What to write on a command line.
    fn on_a_line(&self) -> String {
        match self {
            Self::NoUnit(number) => format!("{number}s or {number}m"),
            Self::TooLong => "3660d at most".into(),
            Self::UnknownUnit(_) => "ms, s, m, h, d or w after the number, as in 90s".into(),
            _ => "90s, 5m or \"1h 30m\"".into(),
        }
    }

    /// What to write in a file.
    pub(crate) fn right(&self) -> String {
        match self {
            Self::NoUnit(number) => format!("\"{number}s\", \"{number}m\"?"),
            Self::TooLong => "at most \"3660d\"".into(),
            Self::UnknownUnit(_) => "ms, s, m, h, d or w, as in \"90s\" or \"1h 30m\"".into(),
            _ => "as \"90s\", \"5m\" or \"1h 30m\"".into(),
        }
    }
}

const UNITS: [(&[&str], u64); 6] = [
    (&["w", "week", "weeks"], 604_800_000),
    (&["d", "day", "days"], 86_400_000),
    (&["h", "hr", "hrs", "hour", "hours"], 3_600_000),
    (&["m", "min", "mins", "minute", "minutes"], 60_000),
    (&["s", "sec", "secs", "second", "seconds"], 1000),
    (&["ms", "millisecond", "milliseconds"], 1),
];

/// Reads a duration: numbers with their units, from large to small, spaces as you like. Zero is one.
///
/// # Errors
/// [`BadDuration`], which says what would be right.
pub(crate) fn parse(text: &str) -> Result<Duration, BadDuration> {
    let text = text.trim();
    if text.is_empty() {
        return Err(BadDuration::Empty);
    }
    if text.starts_with('-') {
        return Err(BadDuration::Negative);
    }
    let (mut total_ms, mut largest_left, mut rest) = (0.0, 0, text);
    while !rest.is_empty() {
        let (number, after) = split(rest, |c| c.is_ascii_digit() || c == '.');
        let value: f64 = number.parse().map_err(|_| BadDuration::Other(text.to_owned()))?;
        let (unit, after) = split(after.trim_start(), char::is_alphabetic);
        if unit.is_empty() {
            let alone = after.is_empty() && number.len() == text.len();
            return Err(if alone { BadDuration::NoUnit(text.to_owned()) } else { BadDuration::Other(text.to_owned()) });
        }
        let place = UNITS.iter().position(|(names, _)| names.contains(&unit));
        let place = place.ok_or_else(|| BadDuration::UnknownUnit(unit.to_owned()))?;
        if place < largest_left {
            return Err(BadDuration::Order);
        }
        largest_left = place + 1;
        total_ms += value * UNITS[place].1 as f64;
        rest = after.trim_start();
    }
    if total_ms > LONGEST.as_millis() as f64 {
        return Err(BadDuration::TooLong);
    }
    // Whole microseconds, as the store keeps them.
    Ok(Duration::from_micros((total_ms * 1000.0).round() as u64))
}

fn split(text: &str, of: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !of(c)).unwrap_or(text.len()))
}

/// A duration on the command line, where zero never makes sense.
///
/// # Errors
/// What is wrong with it, and in a second line what to write.
pub(crate) fn given(text: &str) -> Result<Duration, String> {
    match parse(text) {
        Ok(Duration::ZERO) => Err("a duration longer than zero is needed\nwrite 90s, 5m or \"1h 30m\"".to_owned()),
        parsed => parsed.map_err(|bad| format!("{bad}\nwrite {}", bad.on_a_line())),
    }
}

/// A duration as it is written in a configuration file: `90s`, `4m 30s`, `1h`, `2d`.
pub(crate) use jobstile_core::time::in_short as short;

/// What is shorter is shown in milliseconds, 1 at the least.
const TENTH: Duration = Duration::from_millis(100);

/// A duration that was measured: `12ms`, `0.4s`, `14s`, `3m 12s`, `2h 5m`, `3d 4h`, `40d`. There is one spelling, and one
/// rounding: to the nearest millisecond, tenth or second, so that everybody shows the same.
pub(crate) fn measured(duration: Duration) -> String {
    let ms = (duration.as_micros() + 500) / 1000;
    let tenths = (ms + 50) / 100;
    let seconds = u64::try_from((ms + 500) / 1000).unwrap_or(u64::MAX);
    let two = |large: u64, large_unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{large}{large_unit}"),
        small => format!("{large}{large_unit} {small}{small_unit}"),
    };
    match seconds {
        _ if duration.is_zero() => "0s".into(),
        _ if ms < TENTH.as_millis() => format!("{}ms", ms.max(1)),
        _ if tenths < 100 && tenths.is_multiple_of(10) => format!("{}s", tenths / 10),
        _ if tenths < 100 => format!("{}.{}s", tenths / 10, tenths % 10),
        0..60 => format!("{seconds}s"),
        60..3600 => two(seconds / 60, "m", seconds % 60, "s"),
        3600..86_400 => two(seconds / 3600, "h", seconds / 60 % 60, "m"),
        86_400..864_000 => two(seconds / 86_400, "d", seconds / 3600 % 24, "h"),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations() {
        for (text, ms) in [
            ("90s", 90_000),
            (" 1h 30m ", 5_400_000),
            ("1h30m", 5_400_000),
            ("1.5h", 5_400_000),
            ("4 min 30 s", 270_000),
            ("2 days", 172_800_000),
            ("1w", 604_800_000),
            ("250ms", 250),
            ("0s", 0),
            ("3660d", 316_224_000_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for (text, error) in [
            ("", BadDuration::Empty),
            ("90", BadDuration::NoUnit("90".into())),
            ("-5s", BadDuration::Negative),
            ("5 fortnights", BadDuration::UnknownUnit("fortnights".into())),
            ("5s 1h", BadDuration::Order),
            ("5s 5s", BadDuration::Order),
            ("1h 30", BadDuration::Other("1h 30".into())),
            ("s", BadDuration::Other("s".into())),
            ("1..5s", BadDuration::Other("1..5s".into())),
            ("5s!", BadDuration::Other("5s!".into())),
            ("3661d", BadDuration::TooLong),
            ("99999999999999999999999999999999999d", BadDuration::TooLong),
        ] {
            assert_eq!(parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn they_are_printed_as_people_write_them() {
        for (ms, text) in [
            (0, "0s"),
            (250, "250ms"),
            (1500, "1s 500ms"),
            (60_000, "1m"),
            (90_000, "90s"),
            (120_000, "2m"),
            (270_000, "4m 30s"),
            (300_000, "5m"),
            (3_600_000, "1h"),
            (5_400_000, "1h 30m"),
            (90_000_000, "1d 1h"),
            (604_800_000, "7d"),
        ] {
            assert_eq!(short(Duration::from_millis(ms)), text);
        }
    }

    #[test]
    fn measured_ones_are_round() {
        for (us, text) in [
            (0, "0s"),
            (400, "1ms"),
            (12_600, "13ms"),
            (87_000, "87ms"),
            (240_000, "0.2s"),
            (8_000_000, "8s"),
            (9_949_000, "9.9s"),
            (9_999_000, "10s"),
            (12_345_000, "12s"),
            (59_600_000, "1m"),
            (192_000_000, "3m 12s"),
            (240_000_000, "4m"),
            (7_500_000_000, "2h 5m"),
            (273_600_000_000, "3d 4h"),
            (3_459_600_000_000, "40d"),
        ] {
            assert_eq!(measured(Duration::from_micros(us)), text);
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_can_be_read(ms in 0u64..316_224_000_000) {
            let duration = Duration::from_millis(ms);
            prop_assert_eq!(parse(&short(duration)), Ok(duration));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,12}") {
            let _ = parse(&text);
        }
    }
}
