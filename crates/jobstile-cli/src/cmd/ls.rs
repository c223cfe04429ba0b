//! `ls`: the jobs, when they fire and where they stand.

use jobstile::client::{JobInfo, RunFilter};
use jobstile_core::run::State;
use serde_json::{Value, json};

use crate::cmd::able::cannot_run;
use crate::cmd::open::{Opened, open};
use crate::args::{Global, Output};
use crate::error::Error;
use crate::exit::Code;
use crate::text;
use crate::text::duration::short;
use crate::text::table::{Cell, Paint, Table};
use crate::text::time::Times;
use crate::text::{json, words};

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
    let opened = open(global)?;
    let now = opened.client.now();
    let (jobs, former): (Vec<JobInfo>, Vec<JobInfo>) =
        opened.client.jobs()?.into_iter().partition(|job| args.all || job.policy.is_some());
    let stuck = cannot_run(&opened)?;
    if global.output != Output::Table {
        let all = jobs.iter().map(|job| {
            let mut one = json::job(job, now, INSTANTS);
            one["cannot_run"] = stuck.get(&*job.name).map_or(Value::Null, |why| why.as_str().into());
            one
        });
        let switches = json!({ "switches": json::switches(opened.client.switches()?) });
        text::out(&json::list("jobs", all.collect(), switches, global.output == Output::Jsonl))?;
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
    let times = Times::here(now);
    let next = format!("NEXT ({})", times.zone());
    let mut table = Table::new(&["JOB", "", ">EVERY", next.as_str(), "NOW", "LAST END", "NOTE"]);
    for job in &jobs {
        let (note, paint) = note(job, stuck.get(&*job.name), &times);
        let last = last_end(&opened, job, &times)?;
        table.row([
            (&*job.name).into(),
            if job.policy.as_ref().is_some_and(|policy| policy.monitoring) { "M" } else { "" }.into(),
            every(job).into(),
            job.fires(now, 1).first().map_or(String::new(), |at| times.at(*at)).into(),
            words::live(job.tally).into(),
            last,
            Cell::new(note, paint),
        ]);
    }
    text::out(&table.render(text::colour_on_stdout()))?;
    Ok(Code::Done)
}

fn every(job: &JobInfo) -> String {
    match job.policy.as_ref() {
        None => String::new(),
        Some(policy) => match policy.schedule {
            None => "-".into(),
            Some(_) if !policy.enabled => "off".into(),
            Some(schedule) => short(schedule.every),
        },
    }
}

fn last_end(opened: &Opened, job: &JobInfo, times: &Times) -> Result<Cell, Error> {
    let terminal = State::ALL.iter().copied().filter(|state| state.is_terminal()).collect();
    let filter = RunFilter { job: Some(job.name.to_string()), states: terminal, limit: 1, ..RunFilter::default() };
    Ok(match opened.client.runs(&filter)?.pop() {
        None => "".into(),
        Some(run) => {
            let ago = times.ago(run.row.ended_at.unwrap_or(run.row.due));
            Cell::new(format!("{} {ago}", run.row.state), words::paint(run.row.state))
        }
    })
}

fn note(job: &JobInfo, stuck: Option<&String>, times: &Times) -> (String, Paint) {
    let Some(policy) = &job.policy else { return ("not in the policy any more".into(), Paint::Faint) };
    if let Some(pause) = job.paused(times.now()) {
        let until = pause.until.map_or(String::new(), |until| format!(" until {}", times.at(until)));
        let why = pause.why.as_ref().map_or(String::new(), |why| format!(": {why}"));
        return (format!("paused by {}{until}{why}", pause.by), Paint::Attention);
    }
    if let Some(why) = stuck {
        return (format!("no node can run it: {why}"), Paint::Bad);
    }
    if !policy.enabled {
        return (format!("switched off: {}", words::origin_of(&job.origins, "enabled")), Paint::Faint);
    }
    (String::new(), Paint::Plain)
}
