//! The bank of planted bugs: each has its place and its line in `scripts/bugs`, and no release can have one.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::source::Source;
use super::tree;

const HOME: &str = "crates/jobstile/src/bugs.rs";

fn script(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts").join(name);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The first words of the lines of `scripts/bugs`.
fn listed() -> Vec<String> {
    let lines = script("bugs");
    let lines = lines.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split_whitespace().next().expect("a word").to_owned()).collect()
}

/// What is asked for by `planted("…")` in a file's code.
fn asked(file: &Source) -> Vec<String> {
    let after = file.text.split("planted(\"").skip(1);
    after.filter_map(|rest| rest.split_once("\")").map(|(name, _)| name.to_owned())).collect()
}

#[test]
fn every_planted_bug_has_its_place_and_its_line() {
    let files = tree();
    let sources = Source::all(&files);
    let places: BTreeSet<String> = sources.iter().filter(|file| !file.is_test()).flat_map(asked).collect();
    let listed = listed();
    let lines: BTreeSet<String> = listed.iter().cloned().collect();
    assert_eq!(lines.len(), listed.len(), "a bug has two lines");
    assert_eq!(places, lines, "the places of bugs in the sources, and the lines of scripts/bugs");
}

#[test]
fn no_release_has_a_planted_bug() {
    let files = tree();
    let text = |path: &str| files.iter().find(|(of, _)| of == path).map(|(_, text)| text.as_str()).expect(path);
    let home = text(HOME);
    assert!(home.contains("#[cfg(all(feature = \"bugs\", not(debug_assertions)))]\ncompile_error!"), "{HOME}");
    for (path, manifest) in files.iter().filter(|(path, _)| path.ends_with("Cargo.toml")) {
        let default = manifest.lines().find(|line| line.starts_with("default ")).unwrap_or_default();
        assert!(!default.contains("bugs"), "{path} has the feature by default");
        assert!(!manifest.contains("features = [\"bugs\""), "{path} switches the feature on");
    }
    // Whoever asks which bug it is, asks there.
    for (path, text) in files.iter().filter(|(path, _)| path.contains("/src/") && path != HOME) {
        assert!(!text.contains("var(\"JOBSTILE_BUG\")"), "{path} reads JOBSTILE_BUG");
    }
    for name in ["test", "bench", "licences"] {
        assert!(!script(name).contains("bugs"), "scripts/{name} names the feature");
    }
}
