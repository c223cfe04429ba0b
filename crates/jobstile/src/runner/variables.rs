//! Files of variables: `NAME=value` lines, comments, quotes, `export`. Nothing is expanded: `$` is a dollar.
//!
//! The one reader of such files: of a job's `env_file` and of the program's `--env-file`.

use std::ops::Range;
use std::path::Path;

use crate::file;

/// The largest file of variables, in bytes.
pub const MAX_BYTES: u64 = 1 << 20;

/// One variable of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// From its name to the end of its value, in bytes.
    pub span: Range<usize>,
}

/// What is wrong in the file, where, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// What is wrong.
    pub what: &'static str,
    /// Where, in bytes.
    pub span: Range<usize>,
    /// What would be right.
    pub right: &'static str,
}

/// Reads a file for a command.
///
/// # Errors
/// A sentence that names the file and, if something is wrong in it, the line.
pub fn of_file(path: &Path) -> Result<Vec<Entry>, String> {
    let wrong = |what: &dyn std::fmt::Display| format!("env_file {}: {what}", path.display());
    let bytes = file::read(path, MAX_BYTES).map_err(|error| match error {
        file::Unreadable::System(error) => match error.kind() {
            std::io::ErrorKind::NotFound => format!("env_file not found: {}", path.display()),
            std::io::ErrorKind::PermissionDenied => format!("env_file not accessible: {}", path.display()),
            _ => wrong(&error),
        },
        error => wrong(&error),
    })?;
    let text = String::from_utf8(bytes).map_err(|_| wrong(&"it is not UTF-8"))?;
    let (entries, mistakes) = read(&text);
    match mistakes.first() {
        None => Ok(entries),
        Some(mistake) => {
            let line = 1 + text[..mistake.span.start].matches('\n').count();
            Err(wrong(&format_args!("line {line}: {}", mistake.what)))
        }
    }
}

/// Reads all of it, also what comes after a mistake.
#[must_use]
pub fn read(whole: &str) -> (Vec<Entry>, Vec<Mistake>) {
    let (mut entries, mut mistakes) = (vec![], vec![]);
    let text = whole.strip_prefix('\u{feff}').unwrap_or(whole);
    let mut at = whole.len() - text.len();
    while at < whole.len() {
        let rest = &whole[at..];
        let line = rest.split('\n').next().unwrap_or(rest);
        let (start, content) = (at + leading(line), line.trim());
        if content.is_empty() || content.starts_with('#') {
            at += line.len() + 1;
            continue;
        }
        match entry(whole, start, start + content.len()) {
            Ok(entry) => {
                // A quoted value may have gone on over several lines.
                let end = entry.span.end.max(at + line.len());
                at = end + whole[end..].find('\n').unwrap_or(whole.len() - end) + 1;
                entries.push(entry);
            }
            Err(mistake) => {
                mistakes.push(mistake);
                at += line.len() + 1;
            }
        }
    }
    (entries, mistakes)
}

/// One entry, on the line from `start` to `end`.
fn entry(text: &str, start: usize, end: usize) -> Result<Entry, Mistake> {
    let entry = any_entry(text, start, end)?;
    if entry.value.contains('\0') {
        return Err(Mistake { what: "a value with a NUL character", span: entry.span, right: "text without it" });
    }
    Ok(entry)
}

fn any_entry(text: &str, start: usize, end: usize) -> Result<Entry, Mistake> {
    let line = &text[start..end];
    let exported = line.strip_prefix("export").filter(|rest| rest.starts_with([' ', '\t']));
    let name_at = end - exported.map_or(line.len(), |rest| rest.trim_start().len());
    let Some(equals) = text[name_at..end].find('=').map(|i| name_at + i) else {
        return Err(Mistake {
            what: "a line that sets nothing",
            span: start..end,
            right: "NAME=value, or # before a comment",
        });
    };
    let name = text[name_at..equals].trim_end();
    if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c.is_control()) {
        let span = name_at..name_at + name.len().max(1);
        return Err(Mistake { what: "not a valid variable name", span, right: "NAME=value" });
    }
    let value_at = equals + 1 + leading(&text[equals + 1..end]);
    let name = name.to_owned();
    match text[value_at..end].chars().next() {
        Some(quote @ ('"' | '\'')) => {
            let (value, close) = quoted(text, value_at + 1, quote).ok_or(Mistake {
                what: "a quote without its end",
                span: value_at..end,
                right: if quote == '"' { "ends with \"" } else { "ends with '" },
            })?;
            let line_end = text[close..].find('\n').map_or(text.len(), |i| close + i);
            let after = text[close..line_end].trim();
            if !after.is_empty() && !after.starts_with('#') {
                let span = close..line_end;
                return Err(Mistake {
                    what: "something stands behind the closing quote",
                    span,
                    right: "nothing, or # and a comment",
                });
            }
            Ok(Entry { name, value, span: name_at..close })
        }
        _ => {
            let raw = &text[value_at..end];
            let comment = raw.char_indices().find(|(i, c)| *c == '#' && (*i == 0 || raw[..*i].ends_with([' ', '\t'])));
            let value = raw[..comment.map_or(raw.len(), |(i, _)| i)].trim_end();
            Ok(Entry { name, value: value.to_owned(), span: name_at..value_at + value.len() })
        }
    }
}

/// The value from `start` to its closing quote, and where that ends.
fn quoted(text: &str, start: usize, quote: char) -> Option<(String, usize)> {
    let mut value = String::new();
    let mut chars = text[start..].char_indices();
    while let Some((i, c)) = chars.next() {
        match c {
            c if c == quote => return Some((value, start + i + c.len_utf8())),
            '\\' => match (quote, chars.next()?.1) {
                (_, c @ ('\\' | '\'')) if quote == '\'' => value.push(c),
                ('"', 'n') => value.push('\n'),
                ('"', 'r') => value.push('\r'),
                ('"', 't') => value.push('\t'),
                ('"', c @ ('"' | '\\' | '$' | '`')) => value.push(c),
                (_, c) => value.extend(['\\', c]),
            },
            c => value.push(c),
        }
    }
    None
}

fn leading(text: &str) -> usize {
    text.len() - text.trim_start().len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The table of the documentation: `docs/configuration.md` has these rows.
    fn rows() -> Vec<(String, String)> {
        let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md"));
        let page = page.expect("docs/configuration.md");
        let table = page.split("| in the file | the variable `A` |\n| --- | --- |\n").nth(1).expect("the table");
        let cell = |text: &str| {
            let text = text.trim().trim_matches('`');
            text.replace("⏎", "\n").replace("(empty)", "").replace("(BOM)", "\u{feff}")
        };
        let rows = table.lines().take_while(|line| line.starts_with('|'));
        let rows = rows.map(|line| line.trim_matches('|').split_once(" | ").expect("two columns"));
        rows.map(|(written, value)| (cell(written), value.trim().to_owned())).collect()
    }

    /// Every row of the documentation, and both who read such a file.
    #[test]
    fn the_syntax_is_as_documented() {
        let rows = rows();
        assert!(rows.len() >= 15, "{rows:?}");
        let folder = tempfile::tempdir().expect("a folder");
        for (written, value) in rows {
            let path = folder.path().join("env");
            std::fs::write(&path, &written).expect("written");
            let read = of_file(&path);
            match value.strip_prefix("error: ") {
                Some(error) => assert!(read.as_ref().is_err_and(|why| why.contains(error)), "{written}: {read:?}"),
                None => {
                    let value = value.trim_matches('`').replace("⏎", "\n").replace("(empty)", "");
                    let read = read.unwrap_or_else(|error| panic!("{error}"));
                    let last = read.iter().rfind(|entry| entry.name == "A").map(|entry| entry.value.clone());
                    assert_eq!(last, Some(value), "{written}");
                }
            }
        }
    }

    #[test]
    fn a_mistake_does_not_hide_the_rest() {
        let (entries, mistakes) = read("A=1\nnonsense\nB='x\nC D=1\nE=a\0b\n");
        assert_eq!(entries.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>(), ["A"]);
        assert_eq!(
            mistakes.iter().map(|mistake| mistake.what).collect::<Vec<_>>(),
            [
                "a line that sets nothing",
                "a quote without its end",
                "not a valid variable name",
                "a value with a NUL character",
            ]
        );
    }

    #[test]
    fn a_file_of_variables_is_bounded_and_regular() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("env");
        std::fs::write(&path, vec![b'#'; MAX_BYTES as usize]).expect("written");
        assert_eq!(of_file(&path), Ok(vec![]));
        std::fs::write(&path, vec![b'#'; MAX_BYTES as usize + 1]).expect("written");
        assert_eq!(of_file(&path), Err(format!("env_file {}: it is larger than 1 MiB", path.display())));
        assert!(of_file(Path::new("/dev/zero")).is_err_and(|why| why.contains("a device")));
        assert!(of_file(folder.path()).is_err_and(|why| why.contains("a folder")));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[A =\"'\\\\#\n\té]{0,30}") {
            let (entries, mistakes) = read(&text);
            for span in entries.into_iter().map(|e| e.span).chain(mistakes.into_iter().map(|m| m.span)) {
                prop_assert!(text.get(span).is_some());
            }
        }
    }
}
