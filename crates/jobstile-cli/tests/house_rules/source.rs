//! A source file as the rules of the house see it: code without comments, literals and tests, and its literals apart.

use std::collections::BTreeSet;

/// One file.
pub(crate) struct Source {
    /// From the root of the workspace.
    pub(crate) path: String,
    /// As it is.
    pub(crate) text: String,
    /// The same length, with comments, the insides of literals and what is compiled for tests only blanked out.
    pub(crate) code: String,
    /// String literals outside tests, with their lines.
    pub(crate) strings: Vec<(usize, String)>,
    test_module: bool,
}

impl Source {
    /// Reads files together: a file may be declared a test by another one.
    pub(crate) fn all(files: &[(String, String)]) -> Vec<Self> {
        let mut sources = vec![];
        let mut test_modules = BTreeSet::new();
        for (path, text) in files {
            let rust = path.ends_with(".rs");
            let (code, literals) = if rust { split(text) } else { (String::new(), vec![]) };
            let tests = test_items(&code);
            let outside = |at: usize| !tests.iter().any(|(from, to)| (*from..*to).contains(&at));
            for (from, to) in &tests {
                if let Some(name) = declared_module(&code[*from..*to]) {
                    let folder = match path.rsplit_once('/') {
                        Some((folder, "lib.rs" | "main.rs" | "mod.rs")) => folder,
                        _ => path.trim_end_matches(".rs"),
                    };
                    test_modules.insert(format!("{folder}/{name}"));
                }
            }
            let strings =
                literals.into_iter().filter(|(at, _)| outside(*at)).map(|(at, s)| (line_of(text, at), s)).collect();
            let mut code = code.into_bytes();
            for (from, to) in &tests {
                blank(&mut code[*from..*to]);
            }
            let code = String::from_utf8(code).expect("blanks are ASCII and whole characters were blanked");
            sources.push(Self { path: path.clone(), text: text.clone(), code, strings, test_module: false });
        }
        for source in &mut sources {
            let module = source.path.trim_end_matches(".rs");
            source.test_module =
                test_modules.iter().any(|test| module == test || module.starts_with(&format!("{test}/")));
        }
        sources
    }

    /// Whether all of it is compiled for tests, benchmarks or examples only.
    pub(crate) fn is_test(&self) -> bool {
        let inner = self.path.splitn(3, '/').nth(2).unwrap_or(&self.path);
        self.test_module
            || ["crates/child/", "crates/model/"].iter().any(|of_tests| self.path.starts_with(of_tests))
            || ["tests/", "benches/", "examples/"].iter().any(|folder| inner.starts_with(folder))
            || self.path.ends_with("/tests.rs")
            || self.path.contains("/tests/")
    }

    /// Where these words stand in the code, with their lines. A word that begins or ends like an identifier must not go
    /// on there.
    pub(crate) fn finds(&self, needles: &[&'static str]) -> Vec<(usize, &'static str)> {
        let mut found = vec![];
        for needle in needles {
            for (at, _) in self.code.match_indices(needle) {
                let before = self.code[..at].chars().next_back().filter(|_| needle.starts_with(is_word));
                let after = self.code[at + needle.len()..].chars().next().filter(|_| needle.ends_with(is_word));
                if !before.is_some_and(is_word) && !after.is_some_and(is_word) {
                    found.push((line_of(&self.code, at), *needle));
                }
            }
        }
        found.sort_unstable();
        found.dedup_by_key(|(line, _)| *line);
        found
    }

    /// The modules of its crate that it names: `crate::NAME::…` and `crate::{NAME::…, …}`, with their lines. Of a path the
    /// first two names.
    pub(crate) fn names_from_crate(&self) -> Vec<(usize, String)> {
        let mut found = vec![];
        for (at, prefix) in self.code.match_indices("crate::") {
            if self.code[..at].ends_with(is_word) {
                continue;
            }
            let rest = &self.code[at + prefix.len()..];
            let line = line_of(&self.code, at);
            let Some(group) = rest.strip_prefix('{') else {
                found.push((line, first_two(rest)));
                continue;
            };
            let mut depth = 0;
            let mut name = String::new();
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth > 0 => depth -= 1,
                    ',' | '}' if depth == 0 => {
                        found.push((line, first_two(name.trim())));
                        name.clear();
                        if c == '}' {
                            break;
                        }
                    }
                    _ if depth == 0 => name.push(c),
                    _ => {}
                }
            }
        }
        found
    }
}

/// The identifier that a text begins with.
pub(crate) fn word(text: &str) -> &str {
    &text[..text.find(|c| !is_word(c)).unwrap_or(text.len())]
}

/// `a::b` of `a::b::c`, `a` of `a;`.
fn first_two(path: &str) -> String {
    let end = path.find(|c| !is_word(c) && c != ':').unwrap_or(path.len());
    path[..end].split("::").take(2).collect::<Vec<_>>().join("::")
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The line of a byte, from 1.
pub(crate) fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1
}

/// Identifiers and numbers, with where they begin.
pub(crate) fn words(code: &str) -> Vec<(usize, &str)> {
    let mut found = vec![];
    let mut begin = None;
    for (at, c) in code.char_indices().chain([(code.len(), ' ')]) {
        match (begin, is_word(c)) {
            (None, true) => begin = Some(at),
            (Some(from), false) => {
                found.push((from, &code[from..at]));
                begin = None;
            }
            _ => {}
        }
    }
    found
}

fn blank(bytes: &mut [u8]) {
    for byte in bytes {
        if *byte != b'\n' {
            *byte = b' ';
        }
    }
}

/// Rust text with comments and the insides of literals blanked out, and its string literals with where they begin.
fn split(text: &str) -> (String, Vec<(usize, String)>) {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut strings = vec![];
    let mut at = 0;
    while at < bytes.len() {
        let rest = &text[at..];
        let word_before = at > 0 && text[..at].ends_with(is_word);
        let end = if rest.starts_with("//") {
            let end = at + rest.find('\n').unwrap_or(rest.len());
            blank(&mut code[at..end]);
            end
        } else if rest.starts_with("/*") {
            let end = at + block_comment(rest);
            blank(&mut code[at..end]);
            end
        } else if let Some((open, close)) = (!word_before).then(|| raw_string(rest)).flatten() {
            let inside = at + open;
            let end = inside + text[inside..].find(&close).unwrap_or(text.len() - inside);
            strings.push((at, text[inside..end].to_owned()));
            blank(&mut code[inside..end]);
            (end + close.len()).min(bytes.len())
        } else if let Some(inside) = rest.strip_prefix('"') {
            let end = at + 1 + quoted(inside, b'"');
            strings.push((at, text[at + 1..end].to_owned()));
            blank(&mut code[at + 1..end]);
            (end + 1).min(bytes.len())
        } else if let Some(length) = rest.starts_with('\'').then(|| character(rest)).flatten() {
            blank(&mut code[at + 1..at + length - 1]);
            at + length
        } else {
            at + rest.chars().next().map_or(1, char::len_utf8)
        };
        at = end;
    }
    (String::from_utf8(code).expect("whole characters were blanked"), strings)
}

/// The length of a block comment; they nest.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

/// The length of the opening of a raw string and what closes it.
fn raw_string(text: &str) -> Option<(usize, String)> {
    let prefix = ["r", "br", "cr"].into_iter().find(|prefix| {
        let rest = text.strip_prefix(prefix).unwrap_or_default();
        rest.trim_start_matches('#').starts_with('"')
    })?;
    let hashes = text[prefix.len()..].bytes().take_while(|byte| *byte == b'#').count();
    Some((prefix.len() + hashes + 1, format!("\"{}", "#".repeat(hashes))))
}

/// Where the closing quote stands.
fn quoted(text: &str, close: u8) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            _ if byte == close => return at,
            _ => {}
        }
    }
    text.len()
}

/// The length of a character literal; a lifetime is none.
fn character(text: &str) -> Option<usize> {
    let inside = &text[1..];
    if inside.starts_with('\\') {
        return Some((2 + quoted(inside, b'\'')).min(text.len()));
    }
    let first = inside.chars().next()?;
    inside[first.len_utf8()..].starts_with('\'').then(|| 2 + first.len_utf8())
}

/// Items behind `#[cfg(test)]` or `#[cfg(all(test, …))]`: from the attribute to the end of the item.
fn test_items(code: &str) -> Vec<(usize, usize)> {
    let mut found: Vec<(usize, usize)> = vec![];
    for (from, attribute) in code.match_indices("#[cfg(") {
        let condition = &code[from + attribute.len()..];
        let is_test = condition.starts_with("test)") || condition.starts_with("all(test,");
        if !is_test || found.last().is_some_and(|(_, end)| from < *end) {
            continue;
        }
        let (mut round, mut square, mut curly) = (0_i32, 0_i32, 0_i32);
        let mut end = code.len();
        // The braces of `use a::{b, c};` do not end an item.
        let mut group = false;
        for (offset, c) in code[from..].char_indices() {
            match c {
                '(' => round += 1,
                ')' => round -= 1,
                '[' => square += 1,
                ']' => square -= 1,
                '{' => {
                    group |= curly == 0 && code[..from + offset].ends_with("::");
                    curly += 1;
                }
                '}' => curly -= 1,
                _ => {}
            }
            let over = curly == 0 && (c == ';' || c == '}' && !group);
            if round == 0 && square == 0 && over {
                end = from + offset + 1;
                break;
            }
        }
        found.push((from, end));
    }
    found
}

/// The name in `mod NAME;`.
fn declared_module(item: &str) -> Option<&str> {
    let item = item.trim_end().strip_suffix(';')?;
    let words = words(item);
    match words.as_slice() {
        [.., (_, "mod"), (_, name)] => Some(name),
        _ => None,
    }
}
