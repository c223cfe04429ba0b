//! Jobs that `pause` and `resume` have touched.

use serde_json::{Value, json};

use crate::args::{Global, Output};
use crate::cmd::open::Opened;
use crate::error::Error;
use crate::exit::Code;
use crate::text;
use crate::text::json;

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
    jobs: &[String],
    how_long: &str,
    more: Value,
    next: &str,
) -> Result<Code, Error> {
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
