//! The one encoder for text that Jobstile did not write itself.
//!
//! Output of commands, answers of servers, messages of panics and arguments may hold anything: line ends that forge
//! log lines, escape sequences that drive a terminal, marks that turn the direction of writing. Whatever of it goes into
//! a line of text (a log line, a table, a message in the store) passes here.

use std::borrow::Cow;
use std::fmt::Write;

/// One line of text in which nothing can act on a terminal or forge a line.
///
/// Control characters, line and paragraph separators, byte order marks and marks of writing direction are written as
/// escapes: `\n`, `\t`, `\x1b`, `\u{202e}`. Everything else stays.
pub fn clean(text: &str) -> Cow<'_, str> {
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let mut line = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        push(&mut line, character);
    }
    Cow::Owned(line)
}

/// As [`clean`], for bytes: what is not UTF-8 is written as `\xff`.
pub fn clean_bytes(bytes: &[u8]) -> String {
    let mut line = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        line.push_str(&clean(chunk.valid()));
        for byte in chunk.invalid() {
            escape_byte(&mut line, *byte);
        }
    }
    line
}

/// As [`clean`], cut to at most `max` characters; a cut text ends in `…`.
pub fn clean_to(text: &str, max: usize) -> String {
    // An escape is never longer than ten characters, so that a huge text is not encoded whole to be cut.
    let text = match text.char_indices().nth(max.saturating_add(1)) {
        Some((end, _)) => &text[..end],
        None => text,
    };
    cut(clean(text).into_owned(), max)
}

/// As [`clean_bytes`], cut to at most `max` characters; a cut text ends in `…`.
pub fn clean_bytes_to(bytes: &[u8], max: usize) -> String {
    // A character has at most four bytes.
    let bytes = &bytes[..bytes.len().min(max.saturating_add(1).saturating_mul(4))];
    cut(clean_bytes(bytes), max)
}

fn cut(mut line: String, max: usize) -> String {
    if let Some((last, _)) = line.char_indices().nth(max.saturating_sub(1))
        && line[last..].chars().nth(1).is_some()
    {
        line.truncate(last);
        line.push('…');
    }
    line
}

/// Does this character do something rather than show something?
fn acts(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}'
            | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

fn push(line: &mut String, character: char) {
    match character {
        '\n' => line.push_str("\\n"),
        '\r' => line.push_str("\\r"),
        '\t' => line.push_str("\\t"),
        '\0'..='\x7f' if acts(character) => escape_byte(line, character as u8),
        _ if acts(character) => {
            let _ = write!(line, "\\u{{{:x}}}", u32::from(character));
        }
        _ => line.push(character),
    }
}

fn escape_byte(line: &mut String, byte: u8) {
    let _ = write!(line, "\\x{byte:02x}");
}

/// The word nearest to this one, if one is near enough to be meant.
#[must_use]
pub fn nearest<'a>(word: &str, among: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = 1 + word.chars().count() / 5;
    let nearest =
        among.into_iter().map(|other| (distance(word, other), other)).min_by_key(|(distance, _)| *distance)?;
    (nearest.0 <= allowed).then_some(nearest.1)
}

/// How many characters have to be put in, taken out, changed or swapped with their neighbour (Damerau, optimal string
/// alignment). Case does not matter.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.to_lowercase().chars().collect();
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut before_last = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let change = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = change.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before_last[j - 2] + 1);
            }
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_near() {
        let keys = ["every", "env", "enabled", "timeout", "max_concurrent"];
        for (word, near) in [
            ("evry", Some("every")),
            ("Every", Some("every")),
            ("evrey", Some("every")),
            ("max_concurency", Some("max_concurrent")),
            ("timeuot", Some("timeout")),
            ("retries", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, keys), near, "{word}");
        }
        assert_eq!(nearest("TWITTER", ["TWEET"]), None);
        assert_eq!(nearest("CHAINSTATE_MONITOR", ["CHAIN_STATE_MONITOR"]), Some("CHAIN_STATE_MONITOR"));
    }

    #[test]
    fn plain_text_is_not_copied() {
        assert!(matches!(clean("502 Bad Gateway: é 漢"), Cow::Borrowed(_)));
    }

    #[test]
    fn what_acts_is_escaped() {
        let cases = [
            ("a\nb", "a\\nb"),
            ("a\r\tb", "a\\r\\tb"),
            ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
            ("nul\0", "nul\\x00"),
            ("\u{9b}2J", "\\u{9b}2J"),
            ("abc\u{202e}cba", "abc\\u{202e}cba"),
            ("a\u{2028}b", "a\\u{2028}b"),
        ];
        for (given, expected) in cases {
            assert_eq!(clean(given), expected);
        }
        assert_eq!(clean_bytes(b"caf\xe9 ok"), "caf\\xe9 ok");
    }

    #[test]
    fn a_cut_text_says_so() {
        assert_eq!(clean_to("abcdef", 6), "abcdef");
        assert_eq!(clean_to("abcdefg", 6), "abcde…");
        assert_eq!(clean_bytes_to(b"abcdefg", 6), "abcde…");
        assert_eq!(clean_to("", 6), "");
    }

    proptest! {
        #[test]
        fn any_bytes_give_one_line_that_shows_only(bytes: Vec<u8>, max in 1usize..40) {
            let line = clean_bytes(&bytes);
            prop_assert!(!line.contains(acts), "{line:?}");
            prop_assert!(clean_bytes_to(&bytes, max).chars().count() <= max);
        }

        #[test]
        fn any_text_gives_one_line_that_shows_only(text: String, max in 1usize..40) {
            prop_assert!(!clean(&text).contains(acts));
            prop_assert!(clean_to(&text, max).chars().count() <= max);
        }
    }
}
