//! `pause`: nothing of a job starts any more; what runs goes on.

use std::time::Duration;

use jobstile::op::{Pause, Paused};
use serde_json::json;

use crate::args::Global;
use crate::cmd::open::{by, open};
use crate::cmd::switched::{named, said};
use crate::error::Error;
use crate::exit::Code;
use crate::text::duration;
use crate::text::json;
use crate::text::time::Times;

/// Arguments of `pause`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  jobstile pause sync-prices --for 2h --reason 'the vendor is down'
While a job is paused its ticks are skipped and other triggers wait. A pause outlives restarts.")]
pub(crate) struct Args {
    /// The job
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    job: Option<String>,
    /// Every job
    #[arg(long)]
    all: bool,
    /// Resume by itself after this time, as 2h
    #[arg(long = "for", value_name = "DURATION", value_parser = duration::given)]
    length: Option<Duration>,
    /// The reason, shown to anyone who asks
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

pub(crate) fn run(args: Args, global: &Global) -> Result<Code, Error> {
    let mut opened = open(global)?;
    let job = named(&opened, args.job)?;
    let times = Times::here(opened.client.now());
    let until = args.length.map(|length| times.now().plus(length));
    let pause = Paused { until, by: by(), why: args.reason };
    let jobs = opened.client.execute(Pause { job, pause })?.0;
    let how_long = match until {
        None => "until resumed".to_owned(),
        Some(until) => format!("until {} ({})", times.at(until), times.zone()),
    };
    let more = json!({ "until": json::maybe_time(until) });
    said(global, "paused", &jobs, &how_long, more, "what runs goes on      end the pause: jobstile resume")
}
