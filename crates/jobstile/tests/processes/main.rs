//! Real commands under a real keeper: what they see, how they end, and that nothing of them is left.
//!
//! This program has several roles. Called with the verb `keep` it is the keeper, with `daemon` a daemon that can be killed,
//! with `sweep` one that clears up, and else it runs the tests that are named on the command line, or all of them.

mod commands;
mod daemon;
mod support;
mod trees;

use std::panic::catch_unwind;
use std::process::exit;
use std::time::Instant;

/// A test: its name says the rule.
pub(crate) type Test = (&'static str, fn());

/// Writes down functions as tests.
macro_rules! tests {
    ($($name:ident),* $(,)?) => { pub(crate) const TESTS: &[crate::Test] = &[$((stringify!($name), $name)),*]; };
}
pub(crate) use tests;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.first().map(String::as_str) {
        Some("keep") => exit(jobstile::runner::keeper::main()),
        Some("daemon") => daemon::work(&words[1..]),
        Some("sweep") => daemon::sweep_own(),
        _ => run(&words),
    }
}

#[expect(clippy::print_stdout, reason = "a test harness says what it does")]
fn run(words: &[String]) {
    let tests = [commands::TESTS, trees::TESTS, daemon::TESTS].concat();
    let wanted: Vec<&String> = words.iter().filter(|word| !word.starts_with('-')).collect();
    let exact = words.iter().any(|word| word == "--exact");
    let is_wanted = |name: &str| {
        wanted.is_empty() || wanted.iter().any(|word| if exact { *word == name } else { name.contains(word.as_str()) })
    };
    let tests: Vec<_> = tests.into_iter().filter(|(name, _)| is_wanted(name)).collect();
    if words.iter().any(|word| word == "--list") {
        for (name, _) in tests {
            println!("{name}: test");
        }
        return;
    }
    println!("running {} tests", tests.len());
    let mut failed = Vec::new();
    for (name, test) in &tests {
        let start = Instant::now();
        let passed = catch_unwind(test).is_ok();
        println!("test {name} ... {} ({:.2?})", if passed { "ok" } else { "FAILED" }, start.elapsed());
        if !passed {
            failed.push(name);
        }
    }
    println!("\n{} passed, {} failed {failed:?}", tests.len() - failed.len(), failed.len());
    if !failed.is_empty() {
        exit(101);
    }
}
