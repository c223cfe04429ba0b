//! What differs from one run of a page to the next, blanked.

/// How much of an output is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compare {
    /// All of it.
    Exactly,
    /// All but times, durations, sizes, shares and process ids.
    WithoutTimes,
    /// All but numbers.
    WithoutNumbers,
}

const UNITS: &[&str] = &[
    "ms", "µs", "s", "m", "min", "h", "d", "bytes", "B", "kB", "KiB", "MB", "MiB", "GB", "GiB", "%", "seconds",
    "minutes", "hours", "days",
];
const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A line as it is compared: one space between words, and blanks for what varies.
pub(crate) fn line(line: &str, how: Compare) -> String {
    if how == Compare::Exactly {
        return line.trim_end().to_owned();
    }
    let mut words: Vec<String> = vec![];
    let mut before = String::new();
    for raw in line.split_whitespace() {
        let mut word = word(raw, how);
        // A unit of its own: `3 s`, `12 bytes`.
        let unit = raw.trim_end_matches([',', '.', ')', ':', ';']);
        if UNITS.contains(&unit) && before.ends_with(|c: char| c.is_ascii_digit()) {
            let last = words.last_mut().expect("the number before");
            last.truncate(
                last.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == ',' || c == 'N').len(),
            );
            last.push('D');
            last.push_str(&raw[unit.len()..]);
            word.clear();
        }
        if (before == "pid" || before == "(pid") && raw.starts_with(|c: char| c.is_ascii_digit()) {
            word = format!("PID{}", raw.trim_start_matches(|c: char| c.is_ascii_digit()));
        }
        if WEEKDAYS.contains(&unit) || MONTHS.contains(&unit) && before.ends_with(|c: char| c.is_ascii_digit()) {
            if MONTHS.contains(&unit) {
                words.pop();
            }
            word = "T".into();
        }
        // `seen now` was `seen 2 s ago` a moment later.
        if before == "seen" && unit == "now" {
            words.push("D".into());
            word = format!("ago{}", &raw[unit.len()..]);
        }
        if how == Compare::WithoutNumbers && before.ends_with(|c: char| c.is_ascii_digit()) {
            // One tick, two ticks.
            let plural = word.trim_end_matches([',', ';', ':', ')']);
            if plural.len() > 2 && plural.ends_with('s') {
                word = format!("{}{}", &plural[..plural.len() - 1], &word[plural.len()..]);
            }
        }
        before = raw.to_owned();
        // `1m 12s` is one duration, `24 Nov 11:23` one time.
        let goes_on = words.last().is_some_and(|last| {
            ["T", "D"].contains(&last.as_str())
                && word.strip_prefix(last.as_str()).is_some_and(|rest| !rest.contains(char::is_alphanumeric))
        });
        if goes_on {
            words.pop();
        }
        if !word.is_empty() {
            words.push(word);
        }
    }
    words.join(" ")
}

/// One word with its times, durations and sizes blanked.
fn word(word: &str, how: Compare) -> String {
    let chars: Vec<char> = word.chars().collect();
    let mut out = String::new();
    let mut at = 0;
    while at < chars.len() {
        // `4m00s` is one duration; `run_2` and `v1` are names.
        let inside = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_') && !out.ends_with('D');
        if !chars[at].is_ascii_digit() || inside && how != Compare::WithoutNumbers {
            out.push(chars[at]);
            at += 1;
            continue;
        }
        let end = (at..chars.len()).find(|i| !is_of_time(&chars, *i)).unwrap_or(chars.len());
        let number: String = chars[at..end].iter().collect();
        let letters = (end..chars.len()).find(|i| !is_of_unit(chars[*i])).unwrap_or(chars.len());
        let unit: String = chars[end..letters].iter().collect();
        if number.contains(':') || number.matches('-').count() == 2 {
            out.push('T');
            // RFC 3339 ends in a zone.
            at = if unit == "Z" { letters } else { end };
        } else if UNITS.contains(&unit.as_str()) {
            if !out.ends_with('D') {
                out.push('D');
            }
            at = letters;
        } else if out.ends_with("pid=") {
            out.push_str("PID");
            at = end;
        } else if how == Compare::WithoutNumbers {
            out.push('N');
            at = end;
        } else {
            out.push_str(&number);
            at = end;
        }
    }
    out
}

fn is_of_time(chars: &[char], at: usize) -> bool {
    let digit = |at: usize| chars.get(at).is_some_and(char::is_ascii_digit);
    let t = chars[at] == 'T' && at > 0 && digit(at - 1);
    digit(at) || (matches!(chars[at], ':' | '.' | ',' | '-') || t) && digit(at + 1)
}

fn is_of_unit(c: char) -> bool {
    c.is_alphabetic() || c == '%' || c == 'µ'
}

#[test]
fn what_varies_is_blank_and_nothing_else() {
    for (given, expected) in [
        ("run 17 succeeded after 8 s", "run 17 succeeded after D"),
        ("took=47ms pid=6812 run=3", "took=D pid=PID run=3"),
        ("2026-11-24T11:23:12.635Z | INFO | x", "T | INFO | x"),
        ("Tue 24 Nov 11:23:37 UTC · live", "T UTC · live"),
        ("up 1m 12s, 3 of 264 busy", "up D, 3 of 264 busy"),
        ("  99.7 %  4m00s   2.67", "D 2.67"),
        ("file  good  4,096 bytes, mode 660", "file good D, mode 660"),
        ("web1, seen now, up", "web1, seen D ago, up"),
        ("(pid 4711, user", "(pid PID, user"),
        ("since 11:24:12: 3 ticks", "since T: 3 ticks"),
    ] {
        assert_eq!(line(given, Compare::WithoutTimes), expected, "{given}");
    }
    assert_eq!(line("27 ticks, 21 runs", Compare::WithoutNumbers), line("1 tick, 3 runs", Compare::WithoutNumbers));
    assert_eq!(line("a  b 3 s ", Compare::Exactly), "a  b 3 s");
}
