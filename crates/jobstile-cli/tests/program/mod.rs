//! The program's answer to a scenario: the facts that `jobstile simulate` prints.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// The facts of a scenario file, or why there are none.
pub(crate) fn simulate_file(file: &Path, flags: &[&str]) -> Result<Vec<Value>, String> {
    let mut program = Command::new(env!("CARGO_BIN_EXE_jobstile"));
    // Switches of whoever runs the tests are none of a scenario's.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("JOBSTILE_") || name.to_string_lossy().starts_with("AIBTC_") {
            program.env_remove(name);
        }
    }
    let output = program
        .args(["simulate", "-o", "jsonl", "--scenario"])
        .arg(file)
        .args(flags)
        .output()
        .map_err(|e| format!("the program does not start: {e}"))?;
    if !output.status.success() {
        return Err(format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr)));
    }
    let text = String::from_utf8(output.stdout).map_err(|e| format!("not UTF-8: {e}"))?;
    text.lines().map(|line| serde_json::from_str(line).map_err(|e| format!("{e}: {line}"))).collect()
}

pub(crate) fn simulate(scenario: &str, flags: &[&str]) -> Result<Vec<Value>, String> {
    let mut file = tempfile::Builder::new().suffix(".toml").tempfile().map_err(|e| e.to_string())?;
    file.write_all(scenario.as_bytes()).map_err(|e| e.to_string())?;
    simulate_file(file.path(), flags)
}

/// Where two lists of facts differ, or nothing.
pub(crate) fn difference(expected: &[Value], got: &[Value]) -> Option<String> {
    if expected == got {
        return None;
    }
    let same = expected.iter().zip(got).take_while(|(a, b)| a == b).count();
    let mut text = format!("the first {same} facts agree, then\n");
    for (word, facts) in [("expected", expected), ("got", got)] {
        for fact in facts.iter().skip(same).take(6) {
            text += &format!("  {word:<8} {fact}\n");
        }
        if facts.len() == same {
            text += &format!("  {word:<8} nothing\n");
        }
    }
    Some(text)
}
