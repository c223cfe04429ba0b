//! `forget`: takes a job that no live node defines out of the policy; its history stays.

use std::time::Duration;

use jobstile::client::Liveness;
use jobstile::op::Forget;

use crate::args::{Global, Output};
use crate::cmd::open::open;
use crate::error::Error;
use crate::exit::Code;
use crate::text;

/// Nodes that are looked at.
const NODES: usize = 200;
/// How long ago a node that lives was seen, at the most.
const LATELY: Duration = Duration::from_secs(60);

/// Arguments of `forget`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  jobstile forget old_sync      its history stays, and so do runs that wait")]
pub(crate) struct Args {
    /// The job
    job: String,
}

pub(crate) fn run(args: Args, global: &Global) -> Result<Code, Error> {
    let mut opened = open(global)?;
    let job = opened.job(&args.job)?;
    if job.policy.is_none() {
        return Err(Error::new(Code::NotFound, format!("{} is out of the policy already", job.name)));
    }
    // A node of which nothing can be said may be at work: it counts if it was seen a moment ago.
    let seen = opened.client.now().minus(LATELY);
    let nodes = opened.client.nodes(NODES)?;
    let at_work = nodes.iter().filter(|node| match node.liveness {
        Liveness::Alive => true,
        Liveness::Unknown => node.seen_at >= seen,
        _ => false,
    });
    for node in at_work {
        if opened.client.offers(&node.row.id)?.iter().any(|offer| *offer.job == *job.name) {
            let what = format!("{} is defined by {} (pid {}), which is at work", job.name, node.row.name, node.row.pid);
            return Err(Error::new(Code::Failed, what)
                .hint("take it out of its configuration file, then: kill -HUP the daemon      to hold it back: jobstile pause"));
        }
    }
    opened.client.execute(Forget { job: args.job })?;
    match global.output {
        Output::Table => text::out(&format!("forgotten: {} is out of the policy, its history stays\n", job.name))?,
        form => {
            let forgotten = serde_json::json!({ "forgotten": &*job.name });
            text::out(&crate::text::json::document(&forgotten, form == Output::Jsonl))?;
        }
    }
    Ok(Code::Done)
}
