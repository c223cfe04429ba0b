//! What the lines of an attempt's output say to Jobstile: the last one with text, a result, how far it is.

use crate::runner::progress::{MARK as PROGRESS, Progress};
use crate::runner::result::{MARK as RESULT, MAX_RESULT};

/// Longest last line that is reported: the end of a longer one.
pub(super) const MAX_LINE: usize = 512;
/// Longest line that is looked at whole: a result.
const MAX_MARKED: usize = MAX_RESULT + RESULT.len() + 2;

/// Reads output as it comes.
#[derive(Debug, Default)]
pub(super) struct Lines {
    open: Vec<u8>,
    last: Vec<u8>,
    result: Option<Vec<u8>>,
    progress: Option<Progress>,
}

impl Lines {
    pub(super) fn feed(&mut self, mut bytes: &[u8]) {
        // Of a large piece without a mark only the end can matter.
        let plain = !self.open.starts_with(b":") && memchr::memmem::find(bytes, b"::").is_none();
        if plain && bytes.len() > 4 * MAX_LINE {
            self.open.clear();
            bytes = &bytes[bytes.len() - 4 * MAX_LINE..];
        }
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            self.add(&bytes[..end]);
            self.end_line();
            bytes = &bytes[end + 1..];
        }
        self.add(bytes);
    }

    /// What was last said of how far it is, once.
    pub(super) fn take_progress(&mut self) -> Option<Progress> {
        self.progress.take()
    }

    /// The last line with text as a terminal would show it, and the result as it was written.
    pub(super) fn finish(mut self) -> (Vec<u8>, Option<Vec<u8>>) {
        self.end_line();
        (self.last, self.result)
    }

    fn add(&mut self, bytes: &[u8]) {
        self.open.extend(bytes);
        if self.open.starts_with(b"::") {
            // What is longer than a result may be is none, and says so by its length.
            self.open.truncate(MAX_MARKED);
        } else if self.open.len() > 4 * MAX_LINE {
            self.open.drain(..self.open.len() - MAX_LINE);
        }
    }

    fn end_line(&mut self) {
        if let Some(result) = self.open.strip_prefix(RESULT.as_bytes()) {
            self.result = Some(result.trim_ascii().to_vec());
        } else if let Some(progress) = self.open.strip_prefix(PROGRESS.as_bytes()) {
            self.progress = Progress::parse(&String::from_utf8_lossy(progress)).or(self.progress.take());
        } else if let Some(shown) = shown(&self.open) {
            self.last = shown.to_vec();
        }
        self.open.clear();
    }
}

/// What a terminal shows of a line that goes back to its beginning: what was written last.
fn shown(line: &[u8]) -> Option<&[u8]> {
    let text = line.rsplit(|byte| *byte == b'\r').map(<[u8]>::trim_ascii).find(|text| !text.is_empty())?;
    // Of a long line the end says what happened.
    let mut from = text.len().saturating_sub(MAX_LINE);
    while from > 0 && text.get(from).is_some_and(|byte| byte & 0xc0 == 0x80) {
        from += 1;
    }
    Some(&text[from..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last(pieces: &[&str]) -> String {
        let mut lines = Lines::default();
        for piece in pieces {
            lines.feed(piece.as_bytes());
        }
        String::from_utf8(lines.finish().0).expect("text")
    }

    #[test]
    fn the_last_line_is_the_last_that_says_something() {
        assert_eq!(last(&["one\ntwo\n"]), "two");
        assert_eq!(last(&["one\ntwo"]), "two");
        assert_eq!(last(&["one\n\n  \n"]), "one");
        assert_eq!(last(&["on", "e\n", "\n"]), "one");
        assert_eq!(last(&[]), "");
        let flood = "y\n".repeat(100_000) + "the end\n";
        assert_eq!(last(&["start\n", &flood]), "the end");
    }

    #[test]
    fn a_line_is_what_a_terminal_would_show_of_it() {
        let bar: String = (0..200).map(|n| format!("\rprogress {n}%")).collect();
        assert_eq!(last(&[&bar, "\rERROR: disk is full\n"]), "ERROR: disk is full");
        assert_eq!(last(&["windows\r\n"]), "windows");
        assert_eq!(last(&["50%\r100%\r\n"]), "100%");
    }

    #[test]
    fn of_a_long_line_the_end_is_kept() {
        let long = "x".repeat(10_000) + " the reason";
        let text = last(&[&long]);
        assert_eq!(text.len(), MAX_LINE);
        assert!(text.ends_with("x the reason"));
        let accents = "é".repeat(10_000) + "!";
        assert!(last(&[&accents]).ends_with("éé!"), "no character is cut");
        // In pieces as pipes give them.
        let mut lines = Lines::default();
        long.as_bytes().chunks(100).for_each(|piece| lines.feed(piece));
        assert!(lines.finish().0.ends_with(b"x the reason"));
    }

    #[test]
    fn a_result_and_the_progress_are_read_from_lines_of_their_own() {
        let mut lines = Lines::default();
        lines.feed(b"start\n::progress 4");
        assert_eq!(lines.take_progress(), None);
        lines.feed(b"0/100 wallets\n:");
        let progress = Progress { done: 40, total: Some(100), words: "wallets".to_owned() };
        assert_eq!(lines.take_progress(), Some(progress));
        assert_eq!(lines.take_progress(), None);
        lines.feed(b":result {\"rows\": 3}\n");
        lines.feed("y\n".repeat(100_000).as_bytes());
        let (last, result) = lines.finish();
        assert_eq!((last, result), (b"y".to_vec(), Some(b"{\"rows\": 3}".to_vec())));
    }

    #[test]
    fn a_result_that_is_too_long_shows_it() {
        let mut lines = Lines::default();
        lines.feed(RESULT.as_bytes());
        lines.feed(&vec![b'1'; 1 << 20]);
        let result = lines.finish().1.expect("one");
        assert!(result.len() > MAX_RESULT && result.len() < MAX_RESULT + 16, "{}", result.len());
    }
}
