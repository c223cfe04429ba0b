//! The rules as files: every scenario of `scenarios/` gives the facts written beside it.

mod program;
mod switches;

use std::path::{Path, PathBuf};

use jobstile_model::scenario::{Facts, replay};
use serde_json::Value;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios")
}

/// Name, scenario and expected facts of every file, by name.
fn all() -> Vec<(String, String, Vec<Value>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder()).expect("the folder of the scenarios") {
        let path = entry.expect("a file").path();
        if path.extension().is_some_and(|e| e == "toml") {
            let name = path.file_stem().expect("a name").to_string_lossy();
            let scenario = std::fs::read_to_string(&path).expect("a scenario");
            let expected = path.with_extension("expected.jsonl");
            let expected = std::fs::read_to_string(&expected).unwrap_or_else(|e| panic!("{}: {e}", expected.display()));
            found.push((name.into_owned(), scenario, facts(&expected)));
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(found.len() >= 8, "only {} scenarios", found.len());
    found
}

fn facts(lines: &str) -> Vec<Value> {
    lines
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
        .collect()
}

fn check_all(replay: impl Fn(&Path, &str) -> Result<Vec<Value>, String>) {
    let mut wrong = String::new();
    for (name, scenario, expected) in all() {
        match replay(&folder().join(format!("{name}.toml")), &scenario) {
            Err(error) => wrong += &format!("{name}: {error}\n"),
            Ok(got) => {
                if let Some(difference) = program::difference(&expected, &got) {
                    wrong += &format!("{name}: {difference}\n");
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn the_model_gives_the_expected_facts() {
    check_all(|_, scenario| replay(scenario, Facts::Plain).map_err(|wrong| wrong.to_string()));
}

#[test]
fn the_model_decides_as_the_table_of_the_switches() {
    switches::check(|scenario| replay(scenario, Facts::WithLog).map_err(|wrong| wrong.to_string()));
}

#[test]
fn the_program_gives_the_expected_facts() {
    check_all(|file, _| program::simulate_file(file, &[]).map_err(|failure| failure.to_string()));
}

#[test]
fn the_program_decides_as_the_table_of_the_switches() {
    switches::check(|scenario| program::simulate(scenario, &["--log"]).map_err(|failure| failure.to_string()));
}
