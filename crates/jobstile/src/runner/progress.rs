//! How far a running attempt says it is.

use std::fmt;
use std::sync::Arc;

/// What a line starts with that says how far a command is.
pub const MARK: &str = "::progress ";
/// Longest words, in characters.
const MAX_WORDS: usize = 200;

/// How far a running attempt says it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// How much is done.
    pub done: u64,
    /// Of how much; `None` means that it did not say.
    pub total: Option<u64>,
    /// In words, safe to print; empty where there are none.
    pub words: String,
}

impl Progress {
    /// Numbers beyond what a store can keep are the largest that it can.
    #[must_use]
    pub fn new(done: u64, total: Option<u64>, words: &str) -> Progress {
        let fitting = |number: u64| number.min(i64::MAX as u64);
        let words = crate::text::clean_to(words.trim(), MAX_WORDS);
        Progress { done: fitting(done), total: total.map(fitting), words }
    }

    /// Reads `40/100 words`, `40 words` or `40/100`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Progress> {
        let text = text.trim();
        let (numbers, words) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let (done, total) = match numbers.split_once('/') {
            Some((done, total)) => (done, Some(total.parse().ok()?)),
            None => (numbers, None),
        };
        // What a store can keep.
        let fits = |number: &u64| i64::try_from(*number).is_ok();
        let (done, words) = (done.parse().ok()?, crate::text::clean_to(words.trim(), MAX_WORDS));
        (fits(&done) && total.as_ref().is_none_or(fits)).then_some(Progress { done, total, words })
    }
}

/// Who is told how far an attempt is; nobody by default.
#[derive(Clone, Default)]
pub struct Listener(Option<Arc<dyn Fn(Progress) + Send + Sync>>);

impl Listener {
    /// Calls this with each progress; it must be quick.
    pub fn new(tell: impl Fn(Progress) + Send + Sync + 'static) -> Listener {
        Listener(Some(Arc::new(tell)))
    }

    /// Tells.
    pub fn tell(&self, progress: Progress) {
        if let Some(tell) = &self.0 {
            tell(progress);
        }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Listener").field(&self.0.is_some()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_a_number_and_words() {
        let table = [
            ("40/100 wallets", Some((40, Some(100), "wallets"))),
            ("40/100", Some((40, Some(100), ""))),
            ("40  of many\t", Some((40, None, "of many"))),
            ("0/0 \x1b[31m", Some((0, Some(0), "\\x1b[31m"))),
            ("half", None),
            ("-1/4", None),
            ("1/", None),
            ("9223372036854775808", None),
            ("", None),
        ];
        for (text, expected) in table {
            let read = Progress::parse(text);
            let read = read.as_ref().map(|read| (read.done, read.total, read.words.as_str()));
            assert_eq!(read, expected, "{text}");
        }
    }
}
