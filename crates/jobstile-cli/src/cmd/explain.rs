//! `explain`: why did my job not run, and who holds it?

mod events;
mod job;
mod key;
mod page;
mod run;

use jobstile_core::id::RunId;

use crate::args::{Global, Output};
use crate::cmd::open::open_quietly;
use crate::error::Error;
use crate::exit::Code;
use crate::text;

pub(crate) use run::ended;

/// Arguments of `explain`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  jobstile explain chain_state_monitor               why does it not run?
  jobstile explain 812                               what became of this run?
  jobstile explain --key sync_wallet wallet=SP2X0    who holds this key?")]
pub(crate) struct Args {
    /// A job, or a run
    #[arg(value_name = "JOB|RUN")]
    what: String,
    /// Say who holds the key of these argument fields
    #[arg(long)]
    key: bool,
    /// With --key: the fields of the key
    #[arg(value_name = "FIELD=VALUE", requires = "key")]
    fields: Vec<String>,
}

pub(crate) fn run(args: Args, global: &Global) -> Result<Code, Error> {
    let opened = open_quietly(global)?;
    let page = match args.what.parse::<i64>() {
        _ if args.key && args.fields.is_empty() && args.what.contains('=') => return Err(whose_key(&args.what)),
        _ if args.key => key::explain(&opened, &args.what, &args.fields)?,
        // A job may have a number as its name.
        Ok(number) if number > 0 && (opened.client.run(RunId(number))?.is_some() || opened.client.job(&args.what)?.is_none()) => {
            run::explain(&opened, RunId(number))?
        }
        _ => job::explain(&opened, &args.what)?,
    };
    match global.output {
        Output::Table => text::out(&page.to_text(text::colour_on_stdout()))?,
        form => text::out(&text::json::document(&page.to_json(), form == Output::Jsonl))?,
    }
    Ok(Code::Done)
}

// A field stands where the job belongs.
fn whose_key(field: &str) -> Error {
    let field = jobstile::text::clean_to(field, 80);
    Error::new(Code::Usage, "--key: of which job?").hint(format!("write jobstile explain --key JOB {field}"))
}
