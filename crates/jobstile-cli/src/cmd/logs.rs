//! `logs`: what a run printed.

use std::io::Write;
use std::time::Duration;

use jobstile::client::{Found, OutputInfo, RunFilter, RunInfo};
use jobstile::clock;
use jobstile::runner::output::Next;
use jobstile_core::id::RunId;
use jobstile_core::run::State;
use serde_json::json;

use super::open::{Opened, open};
use crate::args::value::up_to;
use crate::args::{Global, Output};
use crate::error::Error;
use crate::exit::Code;
use crate::text;
use crate::text::safe::Safe;
use crate::text::time::Times;
use crate::text::{json, words};

/// How often a run that is followed is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// Arguments of `logs`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  jobstile logs 812 -f               while it runs, until it has ended
  jobstile logs backup --failed      the latest failure of a job
The first 16 KiB and the last 48 KiB of an attempt are kept; while it runs, the last 2 MiB. Control characters are shown as \\x1b; --raw prints bytes as they are.")]
pub(crate) struct Args {
    /// A run, or a job for its latest run
    #[arg(value_name = "RUN|JOB")]
    what: String,
    /// Follow the output until the run ends
    #[arg(short, long)]
    follow: bool,
    /// Show the latest attempt that failed
    #[arg(long, conflicts_with_all = ["attempt", "follow"])]
    failed: bool,
    /// Show this attempt [default: the latest]
    #[arg(long, value_name = "N", value_parser = up_to::<u32>(1_000_000))]
    attempt: Option<u32>,
    /// Print bytes as they are, colours and all
    #[arg(long)]
    raw: bool,
}

pub(crate) fn run(args: Args, global: &Global) -> Result<Code, Error> {
    let opened = open(global)?;
    let (run, attempt) = which(&opened, &args)?;
    let id = run.row.id;
    if global.output != Output::Table {
        let output = output(&opened, &run, attempt)?;
        let document = as_json(&run, &output);
        text::out(&text::json::document(&document, global.output == Output::Jsonl))?;
        return Ok(Code::Done);
    }
    if args.follow {
        return follow(&opened, id, &args);
    }
    let output = output(&opened, &run, attempt)?;
    heading(&opened, &run, output.n);
    print(&opened, &run, &output, args.raw)?;
    Ok(Code::Done)
}

fn output(opened: &Opened, run: &RunInfo, attempt: Option<u32>) -> Result<OutputInfo, Error> {
    let (id, claims) = (run.row.id, run.row.claims);
    match attempt {
        Some(n) if n > claims => Err(Error::new(Code::NotFound, format!("run {id} has no attempt {n}"))
            .hint(format!("it has {}: jobstile logs {id}", words::count(claims.into(), "attempt")))),
        _ => Ok(opened.client.output(id, attempt)?),
    }
}

/// The run that is meant, and the attempt; `None` means its latest.
fn which(opened: &Opened, args: &Args) -> Result<(RunInfo, Option<u32>), Error> {
    let number = args.what.parse().ok().filter(|id| *id > 0).map(RunId);
    let run = match number {
        Some(id) => opened.client.run(id)?,
        None => None,
    };
    let run = match run {
        Some(run) => run,
        None => match (number, opened.client.job(&args.what)?) {
            (Some(id), None) => return Err(opened.no_run(id)?),
            (_, None) => return Err(opened.no_job(&args.what)?),
            (_, Some(_)) => latest(opened, args)?,
        },
    };
    if !args.failed {
        return Ok((run, args.attempt));
    }
    let attempts = opened.client.attempts(run.row.id)?;
    let failed = attempts.iter().rev().find(|attempt| {
        attempt.outcome.is_some_and(|outcome| outcome != jobstile_core::outcome::Outcome::Success)
    });
    match failed {
        Some(attempt) => Ok((run, Some(attempt.n))),
        None => Err(Error::new(Code::NotFound, format!("no attempt of run {} has failed", run.row.id))),
    }
}

// Of a job: the run that started last, or with --failed the one that failed last.
fn latest(opened: &Opened, args: &Args) -> Result<RunInfo, Error> {
    let job = Some(args.what.clone());
    let states = match args.failed {
        true => vec![State::Dead, State::Retrying],
        false => vec![],
    };
    let filter = RunFilter { job, states, limit: if args.failed { 1 } else { 200 }, ..RunFilter::default() };
    let runs = opened.client.runs(&filter)?;
    // One that has not started yet can be followed.
    let waits = runs.iter().filter(|run| args.follow && run.row.state == State::Queued).max_by_key(|run| run.row.id);
    if let (Some(run), false) = (waits, runs.iter().any(|run| run.row.state == State::Running)) {
        return Ok(run.clone());
    }
    let started = runs.into_iter().filter(|run| run.row.claims > 0).max_by_key(|run| run.row.claimed_at);
    started.ok_or_else(|| {
        let what = if args.failed { "no run of it has failed" } else { "no run of it was started yet" };
        Error::new(Code::NotFound, format!("nothing to show of {}: {what}", args.what))
            .hint(format!("its runs: jobstile runs {}", args.what))
    })
}

/// Which attempt this is, in a line on standard error.
fn heading(opened: &Opened, run: &RunInfo, n: u32) {
    let times = Times::here(opened.client.now());
    let of = if run.row.claims > 1 { format!(" of {}", run.row.claims) } else { String::new() };
    let what = match n {
        0 => "not started yet".to_owned(),
        n => format!("attempt {n}{of}"),
    };
    text::say_line(&format!("run {} of {}, {what}; {}", run.row.id, run.job, words::doing(run, &times)));
}

fn print(opened: &Opened, run: &RunInfo, output: &OutputInfo, raw: bool) -> Result<(), Error> {
    let printed = &output.printed;
    let mut out = Safe::new(std::io::stdout().lock(), raw);
    out.write_all(&printed.head)?;
    if printed.dropped > 0 {
        not_kept(&mut out, printed.dropped, raw)?;
    }
    out.write_all(&printed.tail)?;
    out.line_end()?;
    out.flush()?;
    if printed.head.is_empty() && printed.dropped == 0 {
        text::say_line(&nothing(opened, run, output)?);
    }
    Ok(())
}

// Why there is nothing to show; what ended without a word has its reason all the same.
fn nothing(opened: &Opened, run: &RunInfo, output: &OutputInfo) -> Result<String, Error> {
    if output.n == 0 {
        return Ok("nothing was started that could print".to_owned());
    }
    let attempts = opened.client.attempts(run.row.id)?;
    let ended = attempts.into_iter().find(|attempt| attempt.n == output.n).and_then(|attempt| attempt.message);
    let what = match output.found {
        Found::Nowhere => "it printed nothing, or nothing of it is kept here",
        _ => "it printed nothing",
    };
    Ok(ended.map_or(what.to_owned(), |message| format!("{what}; how it ended: {message}")))
}

/// Says in the text itself what is missing there; bytes as they are stay so.
fn not_kept(out: &mut Safe<impl Write>, bytes: u64, raw: bool) -> Result<(), Error> {
    let missing = format!("… {} not kept …", words::count(bytes, "byte"));
    out.line_end()?;
    if raw {
        out.flush()?;
        text::say_line(&missing);
    } else {
        out.write_all(format!("{missing}\n").as_bytes())?;
    }
    Ok(())
}

/// Prints what comes until the run has ended, through all its attempts.
fn follow(opened: &Opened, id: RunId, args: &Args) -> Result<Code, Error> {
    let mut shown = 0;
    let mut waiting = false;
    loop {
        let run = opened.run(id)?;
        let (state, n) = (run.row.state, run.row.claims);
        if state == State::Running && n > shown && args.attempt.is_none_or(|wanted| wanted == n) {
            heading(opened, &run, n);
            if follow_attempt(opened, id, n, args.raw)? {
                shown = n;
                waiting = false;
                continue;
            }
        }
        // An attempt that ended before its file was opened is in the store.
        if state != State::Running && n > shown {
            let output = opened.client.output(id, args.attempt)?;
            heading(opened, &run, output.n);
            print(opened, &run, &output, args.raw)?;
            shown = n;
        }
        if state.is_terminal() || args.attempt.is_some_and(|wanted| wanted <= shown) {
            text::say_line(&format!("run {id} {}", ended(&run)));
            return Ok(Code::Done);
        }
        if !waiting && state != State::Running {
            waiting = true;
            text::say_line(&format!("run {id} {}", words::doing(&run, &Times::here(opened.client.now()))));
        }
        clock::block(LOOK);
    }
}

fn ended(run: &RunInfo) -> String {
    let code = run.row.code.map_or(String::new(), |code| format!(": {code}"));
    format!("{}{code}", run.row.state)
}

/// Prints one attempt while it runs; false where its output is not there (yet).
fn follow_attempt(opened: &Opened, id: RunId, n: u32, raw: bool) -> Result<bool, Error> {
    let Some(mut follow) = opened.client.follow(id)? else { return Ok(false) };
    let mut out = Safe::new(std::io::stdout().lock(), raw);
    let mut over = false;
    loop {
        let next = follow.next().map_err(|e| Error::new(Code::Failed, format!("the output of run {id}: {e}")))?;
        match next {
            Next::Data(bytes) => {
                out.write_all(&bytes)?;
                out.flush()?;
            }
            Next::Skipped(bytes) => not_kept(&mut out, bytes, raw)?,
            // It wrote its last before the store said so.
            Next::End => break,
            Next::Wait if over => break,
            Next::Wait => {
                let run = opened.run(id)?;
                over = run.row.state != State::Running || run.row.claims != n;
                if !over {
                    clock::block(LOOK);
                }
            }
        }
    }
    out.line_end()?;
    out.flush()?;
    // Its end comes into the store when its process tree is gone.
    while opened.run(id)?.row.state == State::Running && opened.run(id)?.row.claims == n {
        clock::block(LOOK);
    }
    Ok(true)
}

fn as_json(run: &RunInfo, output: &OutputInfo) -> serde_json::Value {
    let printed = &output.printed;
    json!({
        "run": json::id(run.row.id),
        "job": &*run.job,
        "attempt": output.n,
        "state": run.row.state.as_str(),
        "found": match output.found {
            Found::Stored => "stored",
            Found::File => "running",
            Found::Nowhere => "nowhere",
        },
        "head": String::from_utf8_lossy(&printed.head),
        "dropped": printed.dropped,
        "tail": String::from_utf8_lossy(&printed.tail),
    })
}
