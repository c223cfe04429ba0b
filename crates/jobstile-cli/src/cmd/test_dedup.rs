//! `test-dedup`: triggers jobs again and again, through the real rules on a scratch store, and counts what is live.

mod judge;
mod live;
mod scratch;

use std::path::PathBuf;

use jobstile_core::policy::{Policy, Switches};
use serde_json::{Value, json};

use self::judge::{Judged, Verdict, judge};
use self::scratch::Counted;
use crate::cmd::in_force::in_force;
use crate::args::value::up_to;
use crate::args::{Global, Output};
use crate::cmd::open::no_such_job;
use crate::config::file::gather;
use crate::error::Error;
use crate::exit::Code;
use crate::text::table::{Cell, Table};
use crate::text::working::working;
use crate::text::{self, json};

/// The most triggers of one job.
const MOST_TRIGGERS: u64 = 10_000;

/// Arguments of `test-dedup`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  jobstile test-dedup                                  all monitoring jobs
  jobstile test-dedup chain_state_monitor -n 20
Nothing runs: the handlers are stubs that never end, and the store is a scratch one. A job passes if at most \
max_concurrent of its runs are live, for a monitoring job 1. A job that queues by design is said to. Exits with 1 if a \
job fails.")]
pub(crate) struct Args {
    /// Only this job
    #[arg(conflicts_with_all = ["all_types", "job_type"])]
    job: Option<String>,
    /// Only this job, as the predecessor had it
    #[arg(short, long, value_name = "JOB", conflicts_with = "all_types")]
    job_type: Option<String>,
    /// Test every job, not only monitoring ones
    #[arg(short, long)]
    all_types: bool,
    /// Trigger each job N times
    #[arg(short, long, value_name = "N", default_value_t = 5)]
    #[arg(value_parser = up_to::<u32>(MOST_TRIGGERS))]
    num_triggers: u32,
    /// Test the running system: real triggers, real runs
    #[arg(long)]
    live: bool,
    /// With --live: do start runs
    #[arg(long, requires = "live")]
    yes: bool,
    /// Also read variables from this file
    #[arg(long, value_name = "FILE", conflicts_with = "live")]
    env_file: Option<PathBuf>,
}

/// What was tested, and what came of it.
#[derive(Debug)]
struct Tested {
    /// The file or the store.
    of: String,
    how: &'static str,
    switches: Switches,
    /// Where deduplication and aggressive deduplication were set.
    causes: [String; 2],
    jobs: Vec<(String, Policy, Counted)>,
}

pub(crate) fn run(args: Args, global: &Global) -> Result<Code, Error> {
    let progress = working("triggering");
    let tested = if args.live { live::test(&args, global)? } else { test(&args, global)? };
    drop(progress);
    let judged: Vec<Judged> = tested
        .jobs
        .iter()
        .map(|(name, policy, counted)| judge(name, policy, tested.switches, counted, &tested.causes))
        .collect();
    let passes = judged.iter().all(|one| one.verdict != Verdict::Fails);
    let text = match global.output {
        Output::Table => table(&judged, &tested, args.num_triggers),
        Output::Json => json::document(&document(&judged, &tested, args.num_triggers, passes), false),
        Output::Jsonl => judged.iter().map(|one| json::document(&one.to_json(), true)).collect(),
    };
    text::out(&text)?;
    Ok(if passes { Code::Done } else { Code::Failed })
}

/// The configuration, on a scratch store for each job.
fn test(args: &Args, global: &Global) -> Result<Tested, Error> {
    let gathered = gather(global, args.env_file.as_deref())?;
    let loaded = gathered.read()?;
    let (policy, _) = in_force(&loaded, &gathered.folder, &gathered.path, vec![]);
    let all: Vec<(&str, bool)> =
        policy.jobs.iter().map(|job| (job.name.as_str(), job.policy.monitoring)).collect();
    let names = chosen(args, &all, &loaded.source.name)?;
    let mut jobs = vec![];
    for job in policy.jobs.iter().filter(|job| names.contains(&job.name)) {
        jobs.push((job.name.clone(), job.policy.clone(), scratch::count(&policy, job, args.num_triggers)?));
    }
    let cause = |key: &str| {
        loaded.settings.iter().find(|setting| setting.key == key).map_or(String::new(), |s| s.origin.to_string())
    };
    Ok(Tested {
        of: loaded.source.name.clone(),
        how: "on a scratch store with stub handlers",
        switches: loaded.switches,
        causes: ["deduplication", "aggressive deduplication"].map(cause),
        jobs,
    })
}

/// The jobs to test, of these, each with whether it is a monitoring one.
fn chosen(args: &Args, jobs: &[(&str, bool)], of: &str) -> Result<Vec<String>, Error> {
    if let Some(name) = args.job.as_ref().or(args.job_type.as_ref()) {
        if jobs.iter().any(|(other, _)| other == name) {
            return Ok(vec![name.clone()]);
        }
        return Err(no_such_job(name, of, jobs.iter().map(|(name, _)| *name))
            .hint("its jobs: jobstile check"));
    }
    let picked = jobs.iter().filter(|(_, monitoring)| args.all_types || *monitoring);
    let names: Vec<String> = picked.map(|(name, _)| (*name).to_owned()).collect();
    if !names.is_empty() {
        return Ok(names);
    }
    let kind = if args.all_types { "no jobs" } else { "no monitoring jobs" };
    Err(Error::new(Code::NotFound, format!("there are {kind} in {of}"))
        .hint("every job: jobstile test-dedup -a      one: jobstile test-dedup JOB"))
}

fn table(judged: &[Judged], tested: &Tested, triggers: u32) -> String {
    let noun = if triggers == 1 { "trigger" } else { "triggers" };
    let mut text = format!(
        "{} · {triggers} {noun} of each job, as its schedule gives them, {}\n{}\n\n",
        tested.of,
        tested.how,
        switches_line(tested.switches)
    );
    let mut table = Table::new(&["JOB", ">LIVE", ">ALLOWED", ">ADMITTED", "TURNED AWAY", "VERDICT"]);
    for one in judged {
        table.row(one.row().map(|(text, paint)| Cell::new(text, paint)));
    }
    text.push_str(&table.render(text::colour_on_stdout()));
    let failing: Vec<&Judged> = judged.iter().filter(|one| one.verdict == Verdict::Fails).collect();
    text.push_str(&match (failing.len(), judged.len()) {
        (0, 1) => "\nit passes\n".to_owned(),
        (0, n) => format!("\nall {n} jobs pass\n"),
        (1, 1) => "\nit FAILS: runs stack up\n".to_owned(),
        (some, n) => format!("\n{some} of {n} jobs FAIL: their runs stack up\n"),
    });
    let mut blames: Vec<&str> = failing.iter().map(|one| one.why.as_str()).collect();
    blames.dedup();
    for blame in blames {
        text.push_str(&format!("  {blame}\n"));
    }
    text
}

fn switches_line(switches: Switches) -> String {
    let word = |on| if on { "on" } else { "OFF" };
    format!(
        "switches  deduplication {} · aggressive {} · stacking prevention {}",
        word(switches.deduplication),
        word(switches.aggressive),
        word(switches.stacking_prevention)
    )
}

fn document(judged: &[Judged], tested: &Tested, triggers: u32, passes: bool) -> Value {
    json!({
        "passes": passes,
        "of": tested.of,
        "triggers": triggers,
        "switches": json::switches(tested.switches),
        "jobs": judged.iter().map(Judged::to_json).collect::<Vec<_>>(),
    })
}
