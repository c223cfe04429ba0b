//! `migrate`: brings the store's schema up to date; `serve` does so by itself.

use jobstile::store::sqlite::{self, OpenAs, Store};

use crate::args::{Global, Output};
use crate::cmd::open::{place, show};
use crate::error::Error;
use crate::exit::Code;
use crate::text;

/// Arguments of `migrate`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  jobstile migrate --sql      print the statements, change nothing
Before an older schema is changed, a copy of the file is kept.")]
pub(crate) struct Args {
    /// Print the statements of all schemas instead
    #[arg(long)]
    sql: bool,
}

pub(crate) fn run(args: Args, global: &Global) -> Result<Code, Error> {
    if args.sql {
        for (at, sql) in sqlite::migrations().iter().enumerate() {
            text::out(&format!("-- schema {}\n{sql}\n", at + 1))?;
        }
        return Ok(Code::Done);
    }
    let place = place(global)?;
    let shown = show(&place.store);
    if !place.store.exists() {
        return Err(Error::new(Code::NotFound, format!("there is no store at {shown}")).hint("jobstile serve makes one"));
    }
    if std::fs::metadata(&place.store)?.len() == 0 {
        let empty = format!("there is no store at {shown}: the file is empty");
        return Err(Error::new(Code::NotFound, empty).hint("jobstile serve makes one"));
    }
    Store::open(&place.store, OpenAs::Owner)?;
    match global.output {
        Output::Table => text::out(&format!("{shown} has schema {}, the newest this program knows\n", sqlite::SCHEMA))?,
        form => {
            let schema = serde_json::json!({ "store": place.store, "schema": sqlite::SCHEMA });
            text::out(&crate::text::json::document(&schema, form == Output::Jsonl))?;
        }
    }
    Ok(Code::Done)
}
