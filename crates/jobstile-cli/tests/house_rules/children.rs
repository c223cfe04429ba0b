//! Rules for the tests themselves.

use super::source::Source;

/// One that hangs must fail, not hold up all others: see `crates/child`.
pub(super) fn has_a_time_limit(file: &Source) -> Vec<(usize, String)> {
    let inner = file.path.splitn(3, '/').nth(2).unwrap_or_default();
    if !inner.starts_with("tests/") {
        return vec![];
    }
    const ENDLESS: [&str; 4] = [".output()", ".status()", ".wait()", ".wait_with_output()"];
    let waits = file.finds(&ENDLESS).into_iter().filter(|(line, _)| {
        // What is awaited is a task of this process, and has the limit of its test.
        !file.text.lines().nth(line - 1).is_some_and(|text| text.contains(".await"))
    });
    waits.map(|(line, what)| (line, format!("{what} waits for ever"))).collect()
}

/// The model shares nothing with the product, or both would be wrong together.
pub(super) fn the_oracle_is_not_what_it_judges(file: &Source) -> Vec<(usize, String)> {
    if !file.path.starts_with("crates/model/") {
        return vec![];
    }
    let names = |line: &str| {
        let words = line.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-'));
        words.filter(|word| word.starts_with("jobstile") && *word != "jobstile-model").map(str::to_owned).next()
    };
    let code = if file.path.ends_with(".toml") { &file.text } else { &file.code };
    let lines = code.lines().enumerate().filter(|(_, line)| !line.starts_with('#'));
    lines.filter_map(|(at, line)| names(line).map(|name| (at + 1, format!("the model names {name}")))).collect()
}
