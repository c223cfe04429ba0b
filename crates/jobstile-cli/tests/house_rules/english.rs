//! Phrases that read as if they were translated, and what an English speaker writes.

use crate::source::Source;

/// What is found, and what to write.
const TRANSLATED: &[(&str, &str)] = &[
    ("; none: ", "`None` means …"),
    ("/// None: ", "`None` means …"),
    ("is no job name", "is not a valid job name"),
    ("is no duration", "is not a valid duration"),
    ("is no number", "is not a number"),
    ("is no address", "is not a valid address"),
    ("is no name of", "is not a valid name"),
    ("is no id", "is not a valid id"),
    ("this is no ", "this is not a valid …"),
    ("of one's own", "of your own"),
    ("as long as there is one", "if there is one"),
    ("is there already", "already exists"),
    ("makes it where", "creates it if"),
    ("who ask and go", "short-lived access"),
    ("which a schedule has anyway", "the default for scheduled jobs"),
    ("works against itself", "contradicts itself"),
];

/// Lines with one of the phrases, and conditions that begin with *where*.
pub(crate) fn reads_as_translated(file: &Source) -> Vec<(usize, String)> {
    // This file and the planted violations.
    if file.path.starts_with("crates/jobstile-cli/tests/house_rules") {
        return vec![];
    }
    let mut found = vec![];
    let mut of_errors = false;
    for (index, line) in file.text.lines().enumerate() {
        for (phrase, right) in TRANSLATED {
            // `there is no duration` is English.
            if line.match_indices(phrase).any(|(at, _)| !line[..at].ends_with("here ")) {
                found.push((index + 1, format!("`{}` is better written as: {right}", phrase.trim())));
            }
        }
        let comment = line.trim_start().strip_prefix("///");
        match comment.map(str::trim) {
            None => of_errors = false,
            Some("# Errors") => of_errors = true,
            Some(text) if text.starts_with('#') => of_errors = false,
            Some(text) if of_errors && (text.starts_with("Where ") || text.contains("] where ")) => {
                found.push((index + 1, "a condition begins with: if".into()));
            }
            Some(_) => {}
        }
    }
    found
}
