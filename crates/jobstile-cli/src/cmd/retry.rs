//! `retry`: a retrying run starts now; an ended one is triggered again.

use std::collections::BTreeSet;
use std::time::Duration;

use jobstile::client::RunFilter;
use jobstile::op::{Changed, Retried, Retry};
use jobstile_core::id::RunId;
use jobstile_core::run::State;
use jobstile_core::trigger::Source;
use serde_json::{Value, json};

use crate::args::{Global, Output};
use crate::cmd::open::{Opened, by, open, run_id};
use crate::error::Error;
use crate::exit::Code;
use crate::text;
use crate::text::words::with_code;
use crate::text::{duration, json, words};

/// Dead runs that one command triggers again.
const AT_ONCE: usize = 1_000;

/// Arguments of `retry`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  jobstile retry 815                             start it now
  jobstile retry --job sync --dead --since 8h    what died in the last 8 hours
A retrying run starts now, whatever its delay. For an ended one the same arguments are triggered again, and that \
trigger meets the rules like any other.")]
pub(crate) struct Args {
    /// The runs
    #[arg(value_name = "RUN", value_parser = run_id, required_unless_present = "dead")]
    runs: Vec<RunId>,
    /// The job whose dead runs to retry
    #[arg(long, requires = "dead", conflicts_with = "runs", value_name = "JOB")]
    job: Option<String>,
    /// Dead runs that were not retried yet and that no later run of the same key made up for
    #[arg(long, requires = "job", conflicts_with = "runs")]
    dead: bool,
    /// Only runs that died within this time, as 8h
    #[arg(long, requires = "dead", conflicts_with = "runs", value_name = "DURATION", value_parser = duration::given)]
    since: Option<Duration>,
}

pub(crate) fn run(args: Args, global: &Global) -> Result<Code, Error> {
    let mut opened = open(global)?;
    let runs = if args.dead { dead(&args, &opened)? } else { args.runs };
    for run in &runs {
        opened.run(*run)?;
    }
    if runs.is_empty() {
        text::say_line("no dead run is left to be tried again");
    }
    let (mut code, mut all) = (Code::Done, vec![]);
    for run in runs {
        let answer = opened.client.execute(Retry { run, by: by(), source: Source::Cli })?.0;
        let retried = Told::of(run, &answer);
        if !retried.starts {
            code = Code::Failed;
        }
        if global.output == Output::Table {
            text::out(&retried.sentence)?;
        }
        all.push(retried.document);
    }
    if global.output != Output::Table {
        text::out(&json::list("runs", all, Value::Null, global.output == Output::Jsonl))?;
    }
    Ok(code)
}

fn dead(args: &Args, opened: &Opened) -> Result<Vec<RunId>, Error> {
    let job = args.job.clone();
    if let Some(job) = &job {
        opened.job(job)?;
    }
    let since = args.since.map(|since| opened.client.now().minus(since));
    let all = opened.client.dead(&RunFilter { job, since, limit: AT_ONCE, ..RunFilter::default() })?;
    let (recovered, lost): (Vec<_>, Vec<_>) = all.into_iter().partition(|dead| dead.recovered_by.is_some());
    let first = lost.iter().min_by_key(|dead| dead.run.row.ended_at).map(|dead| &dead.run.row);
    let rerun = match first.and_then(|row| Some((row.job, row.ended_at?))) {
        Some((job, since)) => opened.client.rerun(job, since)?,
        None => BTreeSet::new(),
    };
    let (rerun, lost): (Vec<_>, Vec<_>) = lost.into_iter().partition(|dead| rerun.contains(&dead.run.row.id));
    if !recovered.is_empty() {
        let n = recovered.len() as u64;
        text::say_line(&format!("left out: {} that a later run has made up for", words::count(n, "dead run")));
    }
    if !rerun.is_empty() {
        let n = rerun.len() as u64;
        text::say_line(&format!("left out: {} that a newer run was started for", words::count(n, "dead run")));
    }
    let mut runs: Vec<RunId> = lost.into_iter().map(|dead| dead.run.row.id).collect();
    runs.sort();
    Ok(runs)
}

struct Told {
    sentence: String,
    document: Value,
    /// An attempt of it will start.
    starts: bool,
}

impl Told {
    fn of(run: RunId, answer: &Retried) -> Self {
        match answer {
            Retried::Decided(decided) => {
                let what = match (decided.run, decided.by) {
                    (Some(new), _) => format!("run {run}: admitted again as run {new}\n"),
                    (None, Some(by)) => {
                        with_code(&format!("run {run}: {} because of run {by}", decided.decision), decided.code.as_str())
                    }
                    (None, None) => with_code(&format!("run {run}: {}", decided.decision), decided.code.as_str()),
                };
                let document = json!({
                    "run": json::id(run),
                    "decision": decided.decision.as_str(),
                    "code": decided.code.as_str(),
                    "rerun": decided.run.map(|run| run.to_string()),
                    "by": decided.by.map(|run| run.to_string()),
                });
                Self { sentence: what, document, starts: decided.run.is_some() }
            }
            Retried::Changed(Changed { from, to, .. }) => {
                let document = json!({ "run": json::id(run), "from": from.as_str(), "state": to.as_str() });
                let (what, starts) = match (from, to) {
                    (State::Retrying, State::Queued) => ("starts again now".to_owned(), true),
                    (State::Retrying, _) => (format!("is {to}: a newer run of its key does the work"), true),
                    (State::Running, _) => ("is running; it can be retried when it has ended".to_owned(), false),
                    (from, _) => (format!("is {from}: it will start by itself"), true),
                };
                Self { sentence: format!("run {run} {what}\n"), document, starts }
            }
        }
    }
}
