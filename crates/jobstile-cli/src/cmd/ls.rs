//! `ls`: the jobs, when they fire and where they stand.

use jobstile::answer::{InTheWay, Job, Overview};
use serde_json::{Value, json};

use crate::cmd::open::open_or_imagine;
use crate::args::{Global, Output};
use crate::error::Error;
use crate::exit::Code;
use crate::text;
use crate::text::duration::short;
use crate::text::table::{Cell, Paint, Table};
use crate::text::time::Times;
use crate::text::words::{self, standing};

/// Next instants in JSON.
const INSTANTS: usize = 3;

/// Arguments of `ls`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  jobstile ls -o jsonl | jq -r 'select(.paused) | .job'    the paused jobs")]
pub(crate) struct Args {
    /// Also list jobs that are no longer in the policy but have a history
    #[arg(short, long)]
    all: bool,
}

pub(crate) fn run(args: Args, global: &Global) -> Result<Code, Error> {
    let opened = open_or_imagine(global)?;
    let overview = opened.client.overview(None)?;
    let (jobs, former): (Vec<&Job>, Vec<&Job>) =
        overview.jobs.iter().partition(|job| args.all || job.is_current());
    if global.output != Output::Table {
        let all = jobs.iter().map(|job| as_json(&overview, job)).collect();
        let switches = json!({ "switches": text::json::switches(overview.switches) });
        text::out(&text::json::list("jobs", all, switches, global.output == Output::Jsonl))?;
        return Ok(Code::Done);
    }
    if jobs.is_empty() {
        match former.len() as u64 {
            0 => text::say_line("no jobs: no configuration was ever loaded into this store"),
            n => text::say_line(&format!("no jobs in the policy; {} with a history: jobstile ls --all", words::count(n, "job"))),
        }
        text::suggest(&["jobstile serve loads yours; jobstile init writes a first one".to_owned()]);
        return Ok(Code::Done);
    }
    text::out(&table(&overview, &jobs).render(text::colour_on_stdout()))?;
    Ok(Code::Done)
}

fn as_json(overview: &Overview, job: &Job) -> Value {
    let mut one = text::json::job(&job.info, overview.at, INSTANTS);
    one["cannot_run"] = job.cannot_run.as_deref().map(standing::cannot_run).into();
    one["runs"]["running"] = (job.info.tally.running - job.orphans()).into();
    one["runs"]["was_running"] = job.orphans().into();
    one["in_the_way"] = overview.stops(job).as_ref().map(text::json::answer::in_the_way).into();
    one
}

fn table(overview: &Overview, jobs: &[&Job]) -> Table {
    let times = Times::here(overview.at);
    let next = format!("NEXT ({})", times.zone());
    let mut table = Table::new(&["JOB", "", ">EVERY", next.as_str(), "NOW", "LAST END", "NOTE"]);
    for job in jobs {
        let (note, paint) = note(overview, job, &times);
        table.row([
            (&*job.info.name).into(),
            if job.is_monitoring() { "M" } else { "" }.into(),
            every(job).into(),
            job.info.fires(overview.at, 1).first().map_or(String::new(), |at| times.at(*at)).into(),
            standing::tally(job).into(),
            last_end(job, &times),
            Cell::new(note, paint),
        ]);
    }
    table
}

fn every(job: &Job) -> String {
    match (&job.info.policy, job.every()) {
        (None, _) => String::new(),
        (Some(_), None) => "-".to_owned(),
        (Some(_), Some(_)) if job.is_off() => "off".to_owned(),
        (Some(_), Some(every)) => short(every),
    }
}

fn last_end(job: &Job, times: &Times) -> Cell {
    job.last.as_ref().map_or_else(
        || "".into(),
        |run| {
            let ago = times.ago(run.row.ended_at.unwrap_or(run.row.due));
            Cell::new(format!("{} {ago}", run.row.state), words::paint(run.row.state))
        },
    )
}

// That nobody works on the store is said once, for all of them.
fn note(overview: &Overview, job: &Job, times: &Times) -> (String, Paint) {
    let Some(way) = overview.stops(job) else { return (String::new(), Paint::Plain) };
    match &way {
        InTheWay::NoConfiguration { .. } => {
            let paint = if job.is_current() { Paint::Bad } else { Paint::Faint };
            (standing::reason(&way, times), paint)
        }
        InTheWay::CannotRun(_) => (standing::reason(&way, times), Paint::Bad),
        InTheWay::SwitchedOff(_) => (standing::reason(&way, times), Paint::Faint),
        InTheWay::Paused(_) | InTheWay::Overdue { .. } | InTheWay::ClockBehind { .. } | InTheWay::Run { .. } => {
            (standing::reason(&way, times), Paint::Attention)
        }
        InTheWay::NoDaemon { .. } => (String::new(), Paint::Plain),
    }
}
