//! Reads an environment file: `NAME=value` lines, comments, quotes, `export`. Nothing is interpolated: `$` is a dollar.

use std::ops::Range;
use std::sync::Arc;

use crate::config::diagnostic::{Diagnostic, Source};

/// One variable of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) value: String,
    /// From its name to the end of its value, in bytes.
    pub(crate) span: Range<usize>,
}

/// Reads all of it, also what comes after a mistake.
pub(crate) fn read(source: &Arc<Source>, mistakes: &mut Vec<Diagnostic>) -> Vec<Entry> {
    let mut entries = vec![];
    let text = source.text.strip_prefix('\u{feff}').unwrap_or(&source.text);
    let mut at = source.text.len() - text.len();
    while at < source.text.len() {
        let rest = &source.text[at..];
        let line = rest.split('\n').next().unwrap_or(rest);
        let (start, content) = (at + leading(line), line.trim());
        if content.is_empty() || content.starts_with('#') {
            at += line.len() + 1;
            continue;
        }
        match entry(&source.text, start, start + content.len()) {
            Ok(entry) => {
                // A quoted value may have gone on over several lines.
                let end = entry.span.end.max(at + line.len());
                at = end + source.text[end..].find('\n').unwrap_or(source.text.len() - end) + 1;
                entries.push(entry);
            }
            Err(Mistake { what, span, right }) => {
                mistakes.push(Diagnostic::error(what).at(source, span, right));
                at += line.len() + 1;
            }
        }
    }
    entries
}

#[derive(Debug)]
struct Mistake {
    what: &'static str,
    span: Range<usize>,
    right: &'static str,
}

/// One entry, on the line from `start` to `end`.
fn entry(text: &str, start: usize, end: usize) -> Result<Entry, Mistake> {
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

    fn pairs(text: &str) -> Vec<(String, String)> {
        let mut mistakes = vec![];
        let entries = read(&Source::new(".env", text), &mut mistakes);
        assert_eq!(mistakes, [], "{text}");
        entries.into_iter().map(|e| (e.name, e.value)).collect()
    }

    #[test]
    fn lines() {
        for (text, name, value) in [
            ("A=1", "A", "1"),
            ("  A = 1  ", "A", "1"),
            ("export A=1", "A", "1"),
            ("exported=1", "exported", "1"),
            ("A=", "A", ""),
            ("A= # none", "A", ""),
            ("A=x # comment", "A", "x"),
            ("A=x#y", "A", "x#y"),
            ("A=Bearer a b", "A", "Bearer a b"),
            ("A=a=b", "A", "a=b"),
            ("A=\"x # y\" # z", "A", "x # y"),
            ("A='x $B'", "A", "x $B"),
            ("A=$B${C}", "A", "$B${C}"),
            (r#"A="a\nb\"c\\d\$e\q""#, "A", "a\nb\"c\\d$e\\q"),
            (r"A='a\nb\'c\\d'", "A", "a\\nb'c\\d"),
            ("A=\"two\nlines\"", "A", "two\nlines"),
            ("A=1\r\n", "A", "1"),
            ("\u{feff}A=1", "A", "1"),
        ] {
            assert_eq!(pairs(text), [(name.into(), value.into())], "{text}");
        }
        assert_eq!(pairs("A='1\n2'# x\nB=3").len(), 2);
        assert_eq!(pairs("# a\n\nA='1\n2' # x\n  # b\nB=3"), [("A".into(), "1\n2".into()), ("B".into(), "3".into())]);
    }

    #[test]
    fn a_mistake_does_not_hide_the_rest() {
        let source = Source::new(".env", "A=1\nnonsense\nB='x\nC D=1\n");
        let mut mistakes = vec![];
        let names: Vec<String> = read(&source, &mut mistakes).into_iter().map(|e| e.name).collect();
        assert_eq!(names, ["A"]);
        let lines: Vec<usize> =
            mistakes.iter().filter_map(|m| m.place.as_ref()).map(|p| source.line(p.span.start)).collect();
        assert_eq!(lines, [2, 3, 4]);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[A =\"'\\\\#\n\té]{0,30}") {
            let source = Source::new(".env", text);
            let mut mistakes = vec![];
            for entry in read(&source, &mut mistakes) {
                prop_assert!(source.text.get(entry.span).is_some());
            }
            for mistake in mistakes {
                mistake.render(false);
            }
        }
    }
}
