//! `next`: what starts by itself, and when.

use jobstile::client::{JobInfo, RunInfo};
use jobstile_core::run::State;
use jobstile_core::time::Time;
use serde_json::{Value, json};

use crate::cmd::open::{Opened, open};
use crate::args::value::up_to;
use crate::args::{Global, Output};
use crate::error::Error;
use crate::exit::Code;
use crate::text;
use crate::text::table::Table;
use crate::text::time::Times;
use crate::text::{json, words};

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
struct Coming {
    at: Time,
    job: String,
    what: What,
}

enum What {
    Tick,
    Run(Box<RunInfo>),
}

pub(crate) fn run(args: Args, global: &Global) -> Result<Code, Error> {
    let opened = open(global)?;
    let jobs = match &args.job {
        Some(job) => vec![opened.job(job)?],
        None => opened.client.jobs()?,
    };
    let times = Times::here(opened.client.now());
    let limit = usize::from(args.limit);
    let coming = coming(&opened, &jobs, args.job.as_deref(), limit)?;
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
            let what = match &one.what {
                What::Tick => "tick".to_owned(),
                What::Run(run) if run.row.state == State::Retrying => {
                    format!("run {} again, attempt {}", run.row.id, run.row.claims + 1)
                }
                What::Run(run) => format!("run {}", run.row.id),
            };
            table.row([
                times.at(one.at).into(),
                times.ago(one.at).trim_start_matches("in ").into(),
                one.job.as_str().into(),
                what.into(),
            ]);
        }
        text::out(&table.render(text::colour_on_stdout()))?;
    }
    for job in &jobs {
        quiet(job, &times);
    }
    Ok(Code::Done)
}

fn coming(opened: &Opened, jobs: &[JobInfo], only: Option<&str>, limit: usize) -> Result<Vec<Coming>, Error> {
    let now = opened.client.now();
    let mut all: Vec<Coming> = jobs
        .iter()
        .flat_map(|job| {
            let name = job.name.to_string();
            job.fires(now, limit).into_iter().map(move |at| Coming { at, job: name.clone(), what: What::Tick })
        })
        .collect();
    // Of one job there may be many others before its first one.
    let asked = if only.is_some() { jobstile::client::MAX_PAGE } else { limit };
    for run in opened.client.upcoming(asked)? {
        if only.is_none_or(|only| only == &*run.job) {
            all.push(Coming { at: run.row.due, job: run.job.to_string(), what: What::Run(Box::new(run)) });
        }
    }
    all.sort_by(|a, b| (a.at, &a.job).cmp(&(b.at, &b.job)));
    all.truncate(limit);
    Ok(all)
}

// Jobs that do not fire although they have a schedule, or whose ticks lead to nothing.
fn quiet(job: &JobInfo, times: &Times) {
    let Some(policy) = &job.policy else { return };
    if policy.schedule.is_none() {
        return;
    }
    if !policy.enabled {
        text::say_line(&format!("{} is switched off: {}", job.name, words::origin_of(&job.origins, "enabled")));
    } else if let Some(pause) = job.paused(times.now()) {
        let until = pause.until.map_or(String::new(), |until| format!(" until {}", times.at(until)));
        let waiting = match job.tally.waiting() {
            0 => String::new(),
            n => format!(", and {} wait", words::count(n, "run")),
        };
        text::say_line(&format!("{} is paused{until}: its ticks are skipped{waiting}", job.name));
    }
}

impl Coming {
    fn as_json(&self) -> Value {
        let (run, what) = match &self.what {
            What::Tick => (Value::Null, "tick"),
            What::Run(run) => (json::id(run.row.id), run.row.state.as_str()),
        };
        json!({ "at": json::time(self.at), "job": self.job, "what": what, "run": run })
    }
}
