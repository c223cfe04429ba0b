//! The program's answer to a scenario: the facts that `jobstile simulate` prints.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use jobstile_child::Limited as _;
use serde_json::Value;

/// Why there are no facts.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The exit code, or what happened instead of an exit.
    pub(crate) exit: String,
    pub(crate) words: String,
}

impl Failure {
    fn of(exit: impl std::fmt::Display, words: impl std::fmt::Display) -> Self {
        Self { exit: exit.to_string(), words: words.to_string() }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.exit, self.words)
    }
}

/// The facts of a scenario file, or why there are none.
pub(crate) fn simulate_file(file: &Path, flags: &[&str]) -> Result<Vec<Value>, Failure> {
    let mut program = Command::new(env!("CARGO_BIN_EXE_jobstile"));
    // Switches of the person who runs the tests are none of a scenario's.
    program.without_ours();
    program.args(["simulate", "-o", "jsonl", "--scenario"]).arg(file).args(flags);
    let output = program.limited().map_err(|e| Failure::of("no end", e))?;
    if !output.status.success() {
        return Err(Failure::of(output.status, String::from_utf8_lossy(&output.stderr)));
    }
    let text = String::from_utf8(output.stdout).map_err(|e| Failure::of("not UTF-8", e))?;
    text.lines().map(|line| serde_json::from_str(line).map_err(|e| Failure::of(e, line))).collect()
}

pub(crate) fn simulate(scenario: &str, flags: &[&str]) -> Result<Vec<Value>, Failure> {
    let unwritten = |e: std::io::Error| Failure::of("no file", e);
    let mut file = tempfile::Builder::new().suffix(".toml").tempfile().map_err(unwritten)?;
    file.write_all(scenario.as_bytes()).map_err(unwritten)?;
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
