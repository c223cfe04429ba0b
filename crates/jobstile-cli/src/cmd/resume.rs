//! `resume`: a paused job goes on.

use jobstile::op::Resume;
use serde_json::Value;

use crate::args::Global;
use crate::cmd::open::open;
use crate::cmd::switched::{named, said};
use crate::error::Error;
use crate::exit::Code;

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
    let jobs = opened.client.execute(Resume { job })?.0;
    said(global, "resumed", &jobs, "", Value::Null, "what waited starts now")
}
