//! `resume`: a paused job goes on.

use jobstile::op::{Answer, Op};
use serde_json::{Value, json};

use crate::args::{Global, Output};
use crate::cmd::open::{Opened, open};
use crate::error::Error;
use crate::exit::Code;
use crate::text;
use crate::text::json;

/// Arguments of `resume`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  jobstile resume --all      every job that is paused")]
pub(crate) struct Args {
    /// The job
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    job: Option<String>,
    /// Every job
    #[arg(long)]
    all: bool,
}

pub(crate) fn run(args: Args, global: &Global) -> Result<Code, Error> {
    let mut opened = open(global)?;
    let job = named(&opened, args.job)?;
    let answer = opened.client.execute(Op::Resume { job })?.0;
    said(global, "resumed", &answer, "", Value::Null, "what waited starts now")
}

/// A job that is in the policy; `None` means every job.
pub(super) fn named(opened: &Opened, job: Option<String>) -> Result<Option<String>, Error> {
    if let Some(name) = &job
        && opened.job(name)?.policy.is_none()
    {
        return Err(Error::new(Code::NotFound, format!("{name} is not in the policy any more"))
            .hint("its history: jobstile runs      all jobs: jobstile ls"));
    }
    Ok(job)
}

/// Says which jobs were touched.
pub(super) fn said(
    global: &Global,
    what: &str,
    answer: &Answer,
    how_long: &str,
    more: Value,
    next: &str,
) -> Result<Code, Error> {
    let Answer::Jobs(jobs) = answer else { return Ok(Code::Done) };
    match global.output {
        Output::Table if jobs.is_empty() => text::say_line(&format!("nothing to be {what}")),
        Output::Table => {
            let space = if how_long.is_empty() { "" } else { " " };
            let line = format!("{what}: {}{space}{how_long}", jobs.join(", "));
            text::out(&format!("{}\n", jobstile::text::clean(&line)))?;
            text::suggest(&[next.to_owned()]);
        }
        form => {
            let all = jobs.iter().map(|job| json!({ "job": job, "became": what })).collect();
            text::out(&json::list("jobs", all, more, form == Output::Jsonl))?;
        }
    }
    Ok(Code::Done)
}
