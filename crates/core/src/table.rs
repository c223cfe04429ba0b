//! Rules as text tables: one row a case, the inputs before the `|`, what is expected behind it.

/// Checks every row of a table. Lines that begin with `#` are its head. All rows that differ are shown at once.
pub(crate) fn check(table: &str, rule: impl Fn(&[&str]) -> String) {
    let rows: Vec<&str> =
        table.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    assert!(!rows.is_empty(), "a table has rows");
    let wrong: Vec<String> = rows
        .iter()
        .filter_map(|row| {
            let (given, expected) = row.split_once('|').unwrap_or_else(|| panic!("a row without `|`: {row}"));
            let given: Vec<&str> = given.split_whitespace().collect();
            let expected = expected.split_whitespace().collect::<Vec<_>>().join(" ");
            let got = rule(&given);
            (got != expected).then(|| format!("{row}\n    is {got}"))
        })
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// A word of a closed set.
pub(crate) fn word<T: std::str::FromStr>(text: &str) -> T {
    text.parse().unwrap_or_else(|_| panic!("no such word: {text}"))
}

/// A number; `-` is none.
pub(crate) fn number(text: &str) -> u64 {
    if text == "-" { 0 } else { text.parse().unwrap_or_else(|_| panic!("no number: {text}")) }
}
