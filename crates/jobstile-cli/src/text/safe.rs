//! Bytes that somebody else wrote, on their way to a terminal: line ends and tabs stay, what acts is escaped.

use std::io::{self, Write};

use jobstile::text::{clean, clean_bytes};

/// A character that is not whole yet, at most.
const MAX_PENDING: usize = 3;

/// Writes lines of foreign bytes.
pub(crate) struct Safe<W> {
    out: W,
    raw: bool,
    /// The beginning of a character whose rest comes with the next bytes.
    pending: Vec<u8>,
    in_line: bool,
}

impl<W: Write> Safe<W> {
    /// `raw`: bytes as they are.
    pub(crate) fn new(out: W, raw: bool) -> Self {
        Self { out, raw, pending: vec![], in_line: false }
    }

    pub(crate) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        if self.raw {
            self.in_line = !bytes.ends_with(b"\n");
            return self.out.write_all(bytes);
        }
        let mut all = std::mem::take(&mut self.pending);
        all.extend_from_slice(bytes);
        let whole = all.len() - cut_short(&all);
        self.pending = all.split_off(whole);
        self.put(&all)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut text = String::with_capacity(bytes.len());
        for chunk in bytes.utf8_chunks() {
            // A carriage return before the line end means the line end.
            let valid = chunk.valid().replace("\r\n", "\n");
            for piece in valid.split_inclusive(['\n', '\t']) {
                match piece.strip_suffix(['\n', '\t']) {
                    Some(line) => text.extend([&clean(line), &piece[line.len()..]]),
                    None => text.push_str(&clean(piece)),
                }
            }
            text.push_str(&clean_bytes(chunk.invalid()));
        }
        if !text.is_empty() {
            self.in_line = !text.ends_with('\n');
        }
        self.out.write_all(text.as_bytes())
    }

    /// Ends the line, if one was begun.
    pub(crate) fn line_end(&mut self) -> io::Result<()> {
        let rest = std::mem::take(&mut self.pending);
        self.put(&rest)?;
        if std::mem::replace(&mut self.in_line, false) && !self.raw {
            self.out.write_all(b"\n")?;
        }
        Ok(())
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// How many bytes at the end begin a character that is not whole.
fn cut_short(bytes: &[u8]) -> usize {
    (1..=MAX_PENDING.min(bytes.len()))
        .find(|back| {
            let lead = bytes[bytes.len() - back];
            let needs = match lead {
                0xc2..=0xdf => 2,
                0xe0..=0xef => 3,
                0xf0..=0xf4 => 4,
                _ => 0,
            };
            needs > *back
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn through(pieces: &[&[u8]], raw: bool) -> Vec<u8> {
        let mut out = vec![];
        let mut safe = Safe::new(&mut out, raw);
        pieces.iter().for_each(|piece| safe.write_all(piece).unwrap());
        safe.line_end().unwrap();
        out
    }

    #[test]
    fn lines_stay_and_what_acts_is_escaped() {
        assert_eq!(through(&[b"a\tb\r\nc \x1b[31mred\x07\nend"], false), b"a\tb\nc \\x1b[31mred\\x07\nend\n");
        assert_eq!(through(&[b"progress 1\rprogress 2"], false), b"progress 1\\rprogress 2\n");
        assert_eq!(through(&["é漢😀".as_bytes()], false), "é漢😀\n".as_bytes());
        assert_eq!(through(&[b"caf\xe9\n"], false), b"caf\\xe9\n");
        assert_eq!(through(&[b"\x1b[31m\xff"], true), b"\x1b[31m\xff");
        assert_eq!(through(&[b""], false), b"");
    }

    proptest! {
        #[test]
        fn it_does_not_matter_where_the_bytes_are_cut(text: String, at: prop::sample::Index) {
            let bytes = text.replace('\r', "").into_bytes();
            let at = at.index(bytes.len() + 1);
            prop_assert_eq!(through(&[&bytes[..at], &bytes[at..]], false), through(&[&bytes], false));
        }

        #[test]
        fn nothing_acts(bytes: Vec<u8>) {
            let text = String::from_utf8(through(&[&bytes], false)).unwrap();
            prop_assert!(!text.chars().any(|c| c.is_control() && c != '\n' && c != '\t'), "{text:?}");
        }
    }
}
