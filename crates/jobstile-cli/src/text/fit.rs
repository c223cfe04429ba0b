//! Lines that fit a terminal: what is too long goes on in the next line, or ends in `…`.

use std::io::IsTerminal;

use super::table::{Paint, width};

/// On a terminal with fewer columns lines go on near the left edge.
const NARROW: usize = 60;
/// There.
const NARROW_INDENT: usize = 2;

/// What a page is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Form {
    /// Columns; `None` means as many as it takes.
    pub(crate) width: Option<usize>,
    /// Lines; `None` means as many as it takes.
    pub(crate) height: Option<usize>,
    pub(crate) colour: bool,
}

/// A piece of a line in its colour.
#[derive(Debug, Clone)]
pub(crate) struct Piece {
    text: String,
    paint: Paint,
}

impl Piece {
    pub(crate) fn new(text: impl AsRef<str>, paint: Paint) -> Self {
        Self { text: jobstile::text::clean(text.as_ref()).into_owned(), paint }
    }
}

impl<T: AsRef<str>> From<T> for Piece {
    fn from(text: T) -> Self {
        Self::new(text, Paint::Plain)
    }
}

impl Form {
    /// Columns where nobody says how many there are: a file, or a program that reads.
    pub(crate) const IN_A_PIPE: usize = 120;

    /// Standard output: as wide as its terminal.
    pub(crate) fn of_stdout() -> Self {
        let columns = std::io::stdout().is_terminal().then(|| crossterm::terminal::size().ok()).flatten();
        let width = columns.map_or(Self::IN_A_PIPE, |(columns, _)| columns.into());
        Self { width: Some(width), height: None, colour: super::colour_on_stdout() }
    }

    pub(crate) fn narrow(&self) -> bool {
        self.width.is_some_and(|width| width < NARROW)
    }

    /// A text in its colour, cut to the width.
    pub(crate) fn line(&self, text: &str, paint: Paint) -> String {
        let text = jobstile::text::clean(text);
        self.painted(&self.width.map_or_else(|| text.clone().into_owned(), |most| cut(&text, most)), paint)
    }

    /// Whether a text is as wide as this at most.
    pub(crate) fn fits(&self, text: &str) -> bool {
        self.width.is_none_or(|most| width(text) <= most)
    }

    /// Pieces after a label, with a separator between them, in as many lines as they need. A piece is broken between its
    /// words where it is wider than a line.
    pub(crate) fn flow(&self, label: &str, pieces: &[Piece], separator: &str) -> Vec<String> {
        let indent = if self.narrow() { NARROW_INDENT } else { width(label) };
        let most = self.width.unwrap_or(usize::MAX);
        let (mut lines, mut line, mut at, mut fresh) = (vec![], label.to_owned(), width(label), true);
        for piece in pieces {
            let whole = indent + width(&piece.text) <= most;
            let parts: Vec<&str> = if whole { vec![&piece.text] } else { piece.text.split(' ').collect() };
            for (i, part) in parts.into_iter().enumerate() {
                let between = if i == 0 { separator } else { " " };
                let needs = if fresh { 0 } else { width(between) } + width(part);
                if at > indent && at + needs > most {
                    if !fresh && at + width(between.trim_end()) <= most {
                        line.push_str(between.trim_end());
                    }
                    lines.push(line.trim_end().to_owned());
                    line = " ".repeat(indent);
                    (at, fresh) = (indent, true);
                }
                if !fresh {
                    line.push_str(between);
                    at += width(between);
                }
                let part = cut(part, most.saturating_sub(at));
                at += width(&part);
                fresh = false;
                line.push_str(&self.painted(&part, piece.paint));
            }
        }
        lines.push(line);
        lines
    }

    fn painted(&self, text: &str, paint: Paint) -> String {
        if self.colour { paint.over(text) } else { text.to_owned() }
    }
}

/// The beginning of a text, in at most so many columns; a cut one ends in `…`.
pub(crate) fn cut(text: &str, most: usize) -> String {
    if width(text) <= most {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut at = 0;
    for c in text.chars() {
        at += width(c.encode_utf8(&mut [0; 4]));
        if at + 1 > most {
            break;
        }
        kept.push(c);
    }
    kept.truncate(kept.trim_end().len());
    kept.push('…');
    kept
}

/// The end of a text, likewise.
pub(crate) fn cut_front(text: &str, most: usize) -> String {
    let mut kept = text;
    while width(kept) >= most.max(1) && width(text) > most {
        let mut chars = kept.chars();
        chars.next();
        kept = chars.as_str();
    }
    if kept.len() == text.len() { text.to_owned() } else { format!("…{kept}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(width: usize) -> Form {
        Form { width: Some(width), height: None, colour: false }
    }

    #[test]
    fn what_does_not_fit_says_so() {
        for (text, most, front, back) in [
            ("abcdef", 6, "abcdef", "abcdef"),
            ("abcdef", 4, "abc…", "…def"),
            ("ab  ef", 5, "ab…", "…  ef"),
            ("漢字漢字", 5, "漢字…", "…漢字"),
            ("漢字漢字", 4, "漢…", "…字"),
            ("abc", 1, "…", "…"),
        ] {
            assert_eq!((cut(text, most).as_str(), cut_front(text, most).as_str()), (front, back), "{text} {most}");
        }
        assert_eq!(form(5).line("a\x1b[2Jb", Paint::Plain), "a\\x1…");
        assert_eq!(Form { colour: true, ..form(4) }.line("abcdef", Paint::Bad), "\x1b[31mabc…\x1b[0m");
    }

    #[test]
    fn pieces_go_on_in_the_next_line() {
        let pieces =
            ["deduplication on", "aggressive on", "stacking prevention on", "monitoring (M) 4 jobs"].map(Piece::from);
        assert_eq!(form(120).flow("switches  ", &pieces, " · ").len(), 1);
        assert_eq!(
            form(64).flow("switches  ", &pieces, " · ").join("\n"),
            "switches  deduplication on · aggressive on ·\n          stacking prevention on · monitoring (M) 4 jobs"
        );
        assert_eq!(
            form(45).flow("switches  ", &pieces, " · ").join("\n"),
            "switches  deduplication on · aggressive on ·\n  stacking prevention on ·\n  monitoring (M) 4 jobs"
        );
        assert_eq!(
            form(20).flow("workers   ", &["web1, seen now".into()], "; ").join("\n"),
            "workers\n  web1, seen now"
        );
        assert_eq!(
            form(20).flow("", &["was last seen 14 min ago and is gone".into()], " · ").join("\n"),
            "was last seen 14 min\n  ago and is gone"
        );
    }
}
