//! `next`: what starts by itself, and when.

use jobstile::answer::{InTheWay, Job, Overview, Waits};
use jobstile::client::RunInfo;
use jobstile_core::run::State;
use jobstile_core::time::Time;
use serde_json::{Value, json};

use crate::cmd::open::open_or_imagine;
use crate::args::value::up_to;
use crate::args::{Global, Output};
use crate::error::Error;
use crate::exit::Code;
use crate::text;
use crate::text::table::Table;
use crate::text::time::Times;
use crate::text::json;
use crate::text::words::{count, standing};

/// Arguments of `next`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  jobstile next backup -l 3
A tick is decided when it comes: it is skipped while an earlier run is in its way.")]
pub(crate) struct Args {
    /// Only this job
    job: Option<String>,
    /// Print at most N
    #[arg(short, long, value_name = "N", default_value_t = 20, value_parser = up_to::<u16>(10_000))]
    limit: u16,
}

/// Something that is to come.
struct Coming<'a> {
    at: Time,
    job: &'a Job,
    what: What<'a>,
}

enum What<'a> {
    Tick,
    Run(&'a RunInfo, Option<Waits>),
}

pub(crate) fn run(args: Args, global: &Global) -> Result<Code, Error> {
    let opened = open_or_imagine(global)?;
    if let Some(job) = &args.job {
        opened.job(job)?;
    }
    let overview = opened.client.overview(args.job.as_deref())?;
    let times = Times::here(overview.at);
    let coming = coming(&overview, usize::from(args.limit));
    if global.output != Output::Table {
        let all = coming.iter().map(Coming::as_json).collect();
        text::out(&json::list("next", all, Value::Null, global.output == Output::Jsonl))?;
        return Ok(Code::Done);
    }
    if coming.is_empty() {
        text::say_line("nothing starts by itself");
    } else {
        let at = format!("AT ({})", times.zone());
        let mut table = Table::new(&[at.as_str(), "IN", "JOB", "WHAT"]);
        for one in &coming {
            table.row([
                times.at(one.at).into(),
                times.ago(one.at).trim_start_matches("in ").into(),
                (&*one.job.info.name).into(),
                one.what.in_words(&times).into(),
            ]);
        }
        text::out(&table.render(text::colour_on_stdout()))?;
    }
    for job in overview.jobs.iter().filter(|job| job.every().is_some()) {
        quiet(&overview, job, &times);
    }
    Ok(Code::Done)
}

fn coming<'a>(overview: &'a Overview, limit: usize) -> Vec<Coming<'a>> {
    let of = |job: &'a Job| {
        let ticks = job.info.fires(overview.at, limit).into_iter().map(move |at| Coming { at, job, what: What::Tick });
        let runs = job.upcoming.iter().take(limit);
        ticks.chain(runs.map(move |run| Coming { at: run.row.due, job, what: What::Run(run, overview.waits(run)) }))
    };
    let mut all: Vec<Coming<'a>> = overview.jobs.iter().flat_map(of).collect();
    all.sort_by(|a, b| (a.at, &a.job.info.name).cmp(&(b.at, &b.job.info.name)));
    all.truncate(limit);
    all
}

// A job that does not fire although it has a schedule, or whose ticks lead to nothing. That nobody works on the store is
// said before.
fn quiet(overview: &Overview, job: &Job, times: &Times) {
    let Some(way) = overview.stops(job) else { return };
    let then = match &way {
        InTheWay::NoDaemon { .. } | InTheWay::NoConfiguration { .. } | InTheWay::Run { .. } => return,
        InTheWay::Paused(_) => match job.info.tally.waiting() {
            0 => ": its ticks are skipped".to_owned(),
            n => format!(": its ticks are skipped, and {} wait", count(n, "run")),
        },
        InTheWay::CannotRun(_)
        | InTheWay::SwitchedOff(_)
        | InTheWay::Overdue { .. }
        | InTheWay::ClockBehind { .. } => String::new(),
    };
    text::say_line(&format!("{} {}{then}", job.info.name, standing::blocked(&way, times)));
}

impl What<'_> {
    // A run that waits for its time alone needs no reason.
    fn in_words(&self, times: &Times) -> String {
        let (run, waits) = match self {
            Self::Tick => return "tick".to_owned(),
            Self::Run(run, waits) => (run, waits),
        };
        let what = match run.row.state {
            State::Retrying => format!("run {} again, attempt {}", run.row.id, run.row.claims + 1),
            _ => format!("run {}", run.row.id),
        };
        match waits {
            None | Some(Waits::Retry(_) | Waits::Later(_)) => what,
            Some(waits) => format!("{what}: {}", standing::waits(waits, times)),
        }
    }
}

impl Coming<'_> {
    fn as_json(&self) -> Value {
        let (run, what, waits) = match &self.what {
            What::Tick => (Value::Null, "tick", None),
            What::Run(run, waits) => (json::id(run.row.id), run.row.state.as_str(), waits.as_ref()),
        };
        let waits = waits.map(json::answer::waits);
        json!({ "at": json::time(self.at), "job": &*self.job.info.name, "what": what, "run": run, "waits": waits })
    }
}
