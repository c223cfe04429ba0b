//! Rows of text in columns.

/// A cell longer than this does not widen its column.
const WIDEST: usize = 44;
const GAP: usize = 2;

/// Rows with their cells under each other, each with its line end. The last cell of a row is as long as it is.
pub(crate) fn columns(rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = vec![];
    for row in rows {
        for (i, cell) in row.iter().enumerate().filter(|(i, _)| i + 1 < row.len()) {
            let width = cell.chars().count();
            if widths.len() <= i {
                widths.resize(i + 1, 0);
            }
            if width <= WIDEST {
                widths[i] = widths[i].max(width);
            }
        }
    }
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (i, cell) in row.iter().enumerate() {
            line.push_str(cell);
            let width = widths.get(i).copied().unwrap_or_default();
            let gap = width.saturating_sub(cell.chars().count()) + GAP;
            line.extend(std::iter::repeat_n(' ', gap));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_stand_under_each_other() {
        let row = |cells: &[&str]| cells.iter().map(ToString::to_string).collect::<Vec<_>>();
        let long = "x".repeat(45);
        let text = columns(&[row(&["a", "bb", "c"]), row(&["aaa", "b", "cc"]), row(&[&long, "b", ""]), row(&["end"])]);
        assert_eq!(text, format!("a    bb  c\naaa  b   cc\n{long}  b\nend\n"));
    }
}
