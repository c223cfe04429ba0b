//! `simulate`: replays a scenario file through the real rules on a virtual clock, and tells what happens.

mod facts;
mod timeline;

use std::path::PathBuf;

use jobstile::scenario::{Stopped, replay};
use jobstile_core::time::Time;

use crate::args::{Global, Output};
use crate::config::diagnostic::{Diagnostic, Failed, render_all};
use crate::config::file;
use crate::config::scenario::{self, Script};
use crate::error::Error;
use crate::exit::Code;
use crate::text;

/// Arguments of `simulate`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  jobstile simulate --scenario scenarios/seed_after_240s.toml
A scenario is a configuration whose jobs need no handler, and a script:
  [scenario]
  until = \"10m\"
  takes = { sync = [\"10s fail\", \"10s\"] }     # by attempt, the last repeats
  [[scenario.event]]
  at = \"45s\"
  trigger = \"sync\"      # or: pause, resume, cancel, retry, env, jobs, crash")]
pub(crate) struct Args {
    /// The scenario file
    #[arg(long, value_name = "FILE")]
    scenario: PathBuf,
    /// Also show the log lines
    #[arg(long)]
    log: bool,
}

pub(crate) fn run(args: Args, global: &Global) -> Result<Code, Error> {
    let script = scenario::read(&file::source(&args.scenario)?)?;
    if !script.warnings.is_empty() {
        text::say(&format!("{}\n\n", render_all(&script.warnings, text::colour_on_stderr())));
    }
    let Script { source, scenario, events, .. } = script;
    let start = scenario.start;
    let end = start.plus(scenario.until);
    let one_job = scenario.policy.jobs.len() == 1;
    let facts = replay(scenario).map_err(|Stopped { event, error }| {
        let what = Diagnostic::error(error.to_string());
        Failed::from(match event.and_then(|n| events.get(n)) {
            Some(span) => what.at(&source, span.clone(), "at this time"),
            None => what,
        })
    })?;
    let told = facts::tell(facts, end, args.log);
    let text = match global.output {
        Output::Table => timeline::render(&told, start, one_job),
        Output::Jsonl => told.iter().map(|told| told.to_json(start) + "\n").collect(),
        Output::Json => array(told.iter().map(|told| told.to_json(start))),
    };
    text::out(&text)?;
    Ok(Code::Done)
}

fn array(lines: impl Iterator<Item = String>) -> String {
    let lines: Vec<String> = lines.map(|line| format!("  {line}")).collect();
    if lines.is_empty() { "[]\n".to_owned() } else { format!("[\n{}\n]\n", lines.join(",\n")) }
}

/// Seconds from the start.
fn since(start: Time, at: Time) -> f64 {
    (at.0 - start.0) as f64 / 1e6
}
