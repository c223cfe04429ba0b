//! Figures of the whole product beside their aims, and beside what the disk and bare SQLite give in the same run.
//!
//! `scripts/bench` builds and runs it. Every durable figure is measured on a file, with the durability that the product
//! has in earnest.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a table is what this program is for")]

mod ceiling;
mod daemon;
mod figure;
mod million;
mod other;
mod place;
mod rules;
mod runs;
mod schedules;
mod triggers;

use std::process::ExitCode;

use figure::Report;

/// What can be measured, in this order.
const GROUPS: [(&str, &str); 9] = [
    ("ceiling", "one fsync, bare SQLite"),
    ("rules", "the decision alone"),
    ("triggers", "durable triggers: distinct, duplicate, bulk"),
    ("runs", "runs drained, from trigger to start"),
    ("second", "what a second process waits"),
    ("daemon", "an idle daemon: processor, memory"),
    ("spread", "10,000 schedules, evenly spread"),
    ("herd", "10,000 schedules at one instant"),
    ("million", "with a million waiting runs; takes minutes"),
];

/// How much time a measurement has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    /// Measurements of one rate; the median counts.
    pub(crate) rounds: usize,
    /// Milliseconds of one of them.
    pub(crate) round_ms: u64,
    /// Samples of a latency.
    pub(crate) samples: usize,
    /// Runs that are drained.
    pub(crate) runs: usize,
    /// Seconds that a daemon is watched.
    pub(crate) watch_s: u64,
}

const FULL: Effort = Effort { rounds: 5, round_ms: 1_000, samples: 2_000, runs: 100_000, watch_s: 20 };
const QUICK: Effort = Effort { rounds: 3, round_ms: 500, samples: 400, runs: 30_000, watch_s: 10 };

fn main() -> ExitCode {
    match run(std::env::args().skip(1).collect()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(mut words: Vec<String>) -> anyhow::Result<ExitCode> {
    if words.first().is_some_and(|word| word == other::VERB) {
        other::run(&words[1..])?;
        return Ok(ExitCode::SUCCESS);
    }
    // Cargo says that it is a benchmark.
    words.retain(|word| word != "--bench");
    let quick = words.iter().any(|word| word == "--quick");
    words.retain(|word| word != "--quick");
    if let Some(unknown) = words.iter().find(|word| !GROUPS.iter().any(|(name, _)| name == word)) {
        eprintln!("error: there is nothing named {unknown} to measure; there are");
        for (name, what) in GROUPS {
            eprintln!("  {name:<10}{what}");
        }
        return Ok(ExitCode::from(2));
    }
    let chosen = |name: &str| match words.is_empty() {
        true => name != "million" || !quick,
        false => words.iter().any(|word| word == name),
    };
    let effort = if quick { QUICK } else { FULL };
    let mut report = Report::begin(quick);
    for (name, what) in GROUPS.into_iter().filter(|(name, _)| chosen(name)) {
        report.group(name, what);
        match name {
            "ceiling" => ceiling::measure(&mut report, effort)?,
            "rules" => rules::measure(&mut report, effort),
            "triggers" => triggers::measure(&mut report, effort)?,
            "runs" => runs::measure(&mut report, effort)?,
            "second" => runs::second_process(&mut report, effort)?,
            "daemon" => daemon::measure(&mut report, effort)?,
            "spread" => schedules::spread(&mut report, effort)?,
            "herd" => schedules::herd(&mut report, effort)?,
            _ => million::measure(&mut report, effort)?,
        }
    }
    report.write()?;
    Ok(ExitCode::SUCCESS)
}

/// An executor like that of a program that embeds the library.
pub(crate) fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}
