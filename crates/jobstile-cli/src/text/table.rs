//! Tables for people: cells under each other, escaped, coloured only on a terminal.

use jobstile::text::clean_to;

/// The longest cell, in characters; what is longer ends in `…`.
const MAX_CELL: usize = 120;
const GAP: usize = 2;

/// How a cell is painted where there is colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Paint {
    #[default]
    Plain,
    Good,
    Bad,
    Attention,
    Faint,
}

impl Paint {
    /// The text in this colour, for a terminal.
    pub(crate) fn over(self, text: &str) -> String {
        let code = match self {
            Self::Plain => return text.to_owned(),
            Self::Good => "32",
            Self::Bad => "31",
            Self::Attention => "33",
            Self::Faint => "2",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// One cell: a line of text that cannot act on a terminal.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    text: String,
    paint: Paint,
}

impl Cell {
    pub(crate) fn new(text: impl AsRef<str>, paint: Paint) -> Self {
        Self { text: clean_to(text.as_ref(), MAX_CELL), paint }
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(text, Paint::Plain)
    }
}

/// Rows below a head.
#[derive(Debug)]
pub(crate) struct Table {
    head: Vec<String>,
    right: Vec<bool>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table with these columns; one that begins with `>` has its cells on the right.
    pub(crate) fn new<T: AsRef<str>>(head: &[T]) -> Self {
        let name = |column: &T| column.as_ref().trim_start_matches('>').to_owned();
        let right = |column: &T| column.as_ref().starts_with('>');
        Self { head: head.iter().map(name).collect(), right: head.iter().map(right).collect(), rows: vec![] }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The table as text; nothing but the head where it has no rows. A column in which nothing is, is left out.
    pub(crate) fn render(&self, colour: bool) -> String {
        let used: Vec<usize> = (0..self.head.len())
            .filter(|at| {
                self.rows.is_empty() || self.rows.iter().any(|row| row.get(*at).is_some_and(|c| !c.text.is_empty()))
            })
            .collect();
        let head: Vec<Cell> = self.head.iter().map(|name| Cell::new(name, Paint::Faint)).collect();
        let widths: Vec<usize> = (0..self.head.len())
            .map(|at| {
                self.rows.iter().chain([&head]).filter_map(|row| row.get(at)).map(|c| width(&c.text)).max().unwrap_or(0)
            })
            .collect();
        let mut text = String::new();
        for row in [&head].into_iter().chain(&self.rows) {
            let mut line = String::new();
            for (i, at) in used.iter().enumerate() {
                let Some(cell) = row.get(*at) else { continue };
                let fill = widths[*at].saturating_sub(width(&cell.text));
                let painted = if colour { cell.paint.over(&cell.text) } else { cell.text.clone() };
                let last = i + 1 == used.len();
                match (self.right[*at], last) {
                    (true, _) => line.extend([" ".repeat(fill), painted]),
                    (false, true) => line.push_str(&painted),
                    (false, false) => line.extend([painted, " ".repeat(fill)]),
                }
                if !last {
                    line.push_str(&" ".repeat(GAP));
                }
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// Columns that a text takes on a terminal: none for marks that combine, two for what East Asian scripts and emoji
/// draw wide (Unicode Standard Annex 11, by its blocks).
pub(crate) fn width(text: &str) -> usize {
    text.chars()
        .map(|c| match u32::from(c) {
            0x0300..=0x036f | 0x200b..=0x200d | 0x20d0..=0x20ff | 0xfe00..=0xfe0f | 0xfe20..=0xfe2f => 0,
            0x1100..=0x115f
            | 0x2e80..=0x303e
            | 0x3041..=0xa4cf
            | 0xac00..=0xd7a3
            | 0xf900..=0xfaff
            | 0xfe30..=0xfe6f
            | 0xff00..=0xff60
            | 0xffe0..=0xffe6
            | 0x1f300..=0x1f64f
            | 0x1f680..=0x1f6ff
            | 0x1f900..=0x1f9ff
            | 0x20000..=0x3fffd => 2,
            _ => 1,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_stand_under_each_other() {
        let mut table = Table::new(&["JOB", ">RUN", "EMPTY", "NOTE"]);
        table.row(["a".into(), "7".into(), "".into(), "first".into()]);
        table.row(["漢字".into(), "1000".into(), "".into(), "".into()]);
        table.row(["e\u{301}te".into(), "12".into(), "".into(), "x".into()]);
        assert_eq!(
            table.render(false),
            "JOB    RUN  NOTE\n\
             a        7  first\n\
             漢字  1000\n\
             e\u{301}te     12  x\n"
        );
    }

    #[test]
    fn nothing_acts_on_the_terminal() {
        let mut table = Table::new(&["NOTE", "MORE"]);
        table.row(["\x1b]0;owned\x07 a\nb \u{202e}".into(), Cell::new("x".repeat(200), Paint::Bad)]);
        let text = table.render(false);
        assert!(!text.contains(['\x1b', '\x07', '\u{202e}']), "{text:?}");
        assert_eq!(text.lines().count(), 2);
        assert!(text.ends_with("x…\n"));
        assert!(table.render(true).contains("\x1b[31mxxx"));
    }
}
