//! `verify`: does the store keep its promises? Queries that must find nothing.

use std::time::Duration;

use jobstile::store::sqlite::{self, Checked};

use crate::args::{Global, Output};
use crate::cmd::open::open_quietly;
use crate::error::Error;
use crate::exit::Code;
use crate::text;
use crate::text::working::working;
use crate::text::json;

/// How long the file may be looked at for damage.
const PATIENCE: Duration = Duration::from_secs(600);

/// Arguments of `verify`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  jobstile verify      exits with 1 if a promise is broken")]
pub(crate) struct Args {}

pub(crate) fn run(_: Args, global: &Global) -> Result<Code, Error> {
    let opened = open_quietly(global)?;
    let working = working("checking the store");
    let bad = match sqlite::quick_check(opened.client.path(), PATIENCE)? {
        Checked::Whole => None,
        Checked::Unfinished => Some(format!("is too large to be looked at in {} s", PATIENCE.as_secs())),
        Checked::Damaged(damage) => Some(format!("is damaged: {damage}")),
    };
    if let Some(bad) = bad {
        return Err(Error::new(Code::Store, format!("{} {bad}", opened.shown)));
    }
    let broken = opened.client.verify()?;
    drop(working);
    let code = if broken.is_empty() { Code::Done } else { Code::Failed };
    if global.output != Output::Table {
        let all = broken.iter().map(json::violation).collect();
        text::out(&json::list("violations", all, serde_json::json!({}), global.output == Output::Jsonl))?;
        return Ok(code);
    }
    if broken.is_empty() {
        text::out(&format!("{} keeps every promise\n", opened.shown))?;
    }
    for violation in broken {
        let line = format!("broken: {}: {}      ({})", violation.demands, violation.found, violation.check);
        text::out(&format!("{}\n", jobstile::text::clean(&line)))?;
    }
    Ok(code)
}
