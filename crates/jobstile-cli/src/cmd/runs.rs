//! `runs`: what runs, waits and has run.

use jobstile::answer::ListedRun;
use jobstile::client::RunFilter;
use jobstile_core::id::RunId;
use jobstile_core::run::State;
use serde_json::{Value, json};

use super::open::{open, run_id};
use crate::args::value::up_to;
use crate::args::{Global, Output};
use crate::error::Error;
use crate::exit::Code;
use crate::text;
use crate::text::table::{Cell, Paint, Table};
use crate::text::time::Times;
use crate::text::{duration, json, words};

/// Arguments of `runs`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  jobstile runs --failed --since 8h     what went wrong since this morning
  jobstile runs backup -o jsonl         one run a line, for programs
Runs that run or wait come first, then those that ended, latest first.")]
pub(crate) struct Args {
    /// Only runs of this job
    job: Option<String>,
    /// Only runs that ended dead or expired, or wait for a retry
    #[arg(long)]
    failed: bool,
    /// Only live runs and those that ended within this time, as 8h
    #[arg(long, value_name = "DURATION", value_parser = duration::given)]
    since: Option<std::time::Duration>,
    /// Print at most N runs
    #[arg(short, long, value_name = "N", default_value_t = 20, value_parser = up_to::<u16>(10_000))]
    limit: u16,
    /// Print the page after this run
    #[arg(long, value_name = "RUN", value_parser = run_id)]
    after: Option<RunId>,
}

pub(crate) fn run(args: Args, global: &Global) -> Result<Code, Error> {
    let opened = open(global)?;
    if let Some(job) = &args.job {
        opened.job(job)?;
    }
    if let Some(after) = args.after {
        opened.run(after)?;
    }
    let limit = usize::from(args.limit);
    let filter = RunFilter {
        job: args.job.clone(),
        states: if args.failed { vec![State::Retrying, State::Dead, State::Expired] } else { vec![] },
        since: args.since.map(|since| opened.client.now().minus(since)),
        after: args.after,
        limit: limit + 1,
    };
    let answer = opened.client.list(&filter)?;
    let (now, mut runs) = (answer.overview.at, answer.runs);
    let more = runs.len() > limit;
    runs.truncate(limit);
    let next = runs.last().filter(|_| more).map(|last| last.run.row.id);
    if global.output != Output::Table {
        let all = runs.iter().map(|run| json::answer::listed(run, now)).collect();
        let next = json!({ "after": next.map_or(Value::Null, json::id) });
        text::out(&json::list("runs", all, next, global.output == Output::Jsonl))?;
        return Ok(Code::Done);
    }
    if runs.is_empty() {
        text::say_line(&format!("no {}runs{}", if args.failed { "failed " } else { "" }, of(&args)));
        return Ok(Code::Done);
    }
    text::out(&table(&runs, &Times::here(now)))?;
    text::suggest(&hints(&args, &runs, next));
    Ok(Code::Done)
}

fn of(args: &Args) -> String {
    let job = args.job.as_ref().map_or(String::new(), |job| format!(" of {job}"));
    let since = args.since.map_or(String::new(), |since| format!(" within {}", duration::measured(since)));
    format!("{job}{since}")
}

fn table(runs: &[ListedRun], times: &Times) -> String {
    let started = format!("STARTED ({})", times.zone());
    let mut table = Table::new(&[">RUN", "JOB", "STATE", started.as_str(), ">TOOK", ">ATTEMPT", "ARGUMENTS", "WHY"]);
    for run in runs {
        let row = &run.run.row;
        let paint = if run.was_running { Paint::Attention } else { words::paint(row.state) };
        table.row([
            row.id.to_string().into(),
            (&*run.run.job).into(),
            Cell::new(words::state(run), paint),
            row.claimed_at.map_or(String::new(), |at| times.at(at)).into(),
            run.took(times.now()).map_or(String::new(), duration::measured).into(),
            if row.claims > 1 { row.claims.to_string() } else { String::new() }.into(),
            Cell::new(jobstile::text::clean_to(row.args.as_deref().unwrap_or_default(), 40), Paint::Faint),
            words::why(run, times).into(),
        ]);
    }
    table.render(text::colour_on_stdout())
}

fn hints(args: &Args, runs: &[ListedRun], next: Option<RunId>) -> Vec<String> {
    let mut lines = vec![];
    if let Some(next) = next {
        let job = args.job.as_ref().map_or(String::new(), |job| format!(" {job}"));
        let failed = if args.failed { " --failed" } else { "" };
        let since = args.since.map_or(String::new(), |since| format!(" --since '{}'", duration::short(since)));
        lines.push(format!("more: jobstile runs{job}{failed}{since} --after {next}"));
    }
    if let Some(dead) = runs.iter().find(|run| run.run.row.state == State::Dead) {
        lines.push(format!("what it printed: jobstile logs {0}      once more: jobstile retry {0}", dead.run.row.id));
    }
    lines
}
