//! `backup`: a copy of the store while it is in use.

use std::path::PathBuf;

use crate::args::{Global, Output};
use crate::cmd::open::{open_quietly, show};
use crate::error::Error;
use crate::exit::Code;
use crate::text;
use crate::text::working::working;

/// Arguments of `backup`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  jobstile backup /backup/jobstile-$(date +%F).db
Never overwrites a file. To restore a copy, stop the daemon and put it in the place of the store.")]
pub(crate) struct Args {
    /// The new file
    file: PathBuf,
}

pub(crate) fn run(args: Args, global: &Global) -> Result<Code, Error> {
    let opened = open_quietly(global)?;
    let _working = working("copying the store");
    opened.client.backup(&args.file).map_err(|error| Error::from(error).hint("name a new file in a folder that you may write to"))?;
    let bytes = std::fs::metadata(&args.file)?.len();
    match global.output {
        Output::Table => text::out(&format!("{} copied to {} ({bytes} bytes)\n", opened.shown, show(&args.file)))?,
        form => {
            let copy = serde_json::json!({ "file": args.file, "bytes": bytes });
            text::out(&crate::text::json::document(&copy, form == Output::Jsonl))?;
        }
    }
    Ok(Code::Done)
}
