//! `nodes`: the processes that work on the store, and what each can run.

use jobstile::client::Liveness;

use crate::args::{Global, Output};
use crate::cmd::open::open_quietly;
use crate::error::Error;
use crate::exit::Code;
use crate::text;
use crate::text::duration::measured;
use crate::text::json;
use crate::text::table::{Cell, Paint, Table};
use crate::text::time::Times;

/// Nodes that are shown.
const SHOWN: usize = 50;

/// Arguments of `nodes`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  jobstile nodes      who works here, since when, and what each cannot run")]
pub(crate) struct Args {
    /// Also list those that have left
    #[arg(long)]
    all: bool,
}

pub(crate) fn run(args: Args, global: &Global) -> Result<Code, Error> {
    let opened = open_quietly(global)?;
    let client = &opened.client;
    let mut nodes = client.nodes(SHOWN)?;
    nodes.retain(|node| args.all || node.liveness != Liveness::Ended);
    if global.output != Output::Table {
        let all: Result<Vec<_>, Error> =
            nodes.iter().map(|node| Ok(json::node(node, &client.offers(&node.row.id)?))).collect();
        text::out(&json::list("nodes", all?, serde_json::json!({}), global.output == Output::Jsonl))?;
        return Ok(Code::Done);
    }
    if nodes.is_empty() {
        text::say_line(&format!("no node works on {}; those that have left: jobstile nodes --all", opened.shown));
        return Ok(Code::Done);
    }
    let times = Times::here(client.now());
    let running = client.running(10_000)?;
    let mut table = Table::new(&["NODE", "KIND", "STATE", "SEEN", "UP", ">BUSY", ">WORKERS", "USER", ">PID", "CANNOT RUN"]);
    for node in &nodes {
        let busy = running.iter().filter(|run| run.row.node.as_deref() == Some(&node.row.id)).count();
        let paint = match node.liveness {
            Liveness::Alive => Paint::Good,
            Liveness::Gone | Liveness::Unknown => Paint::Attention,
            Liveness::Ended => Paint::Faint,
        };
        let until = node.ended_at.unwrap_or(client.now());
        let cannot: Vec<String> = client
            .offers(&node.row.id)?
            .into_iter()
            .filter(|_| node.liveness == Liveness::Alive)
            .filter_map(|offer| offer.reason.map(|reason| format!("{}: {reason}", offer.job)))
            .collect();
        table.row([
            Cell::from(&node.row.name),
            Cell::from(&node.row.kind),
            Cell::new(node.liveness.as_str(), paint),
            Cell::from(times.ago(node.seen_at)),
            Cell::from(measured(until.since(node.started_at))),
            Cell::from(busy.to_string()),
            Cell::from(node.row.workers.to_string()),
            Cell::from(&node.row.user),
            Cell::from(node.row.pid.to_string()),
            Cell::new(cannot.join("; "), Paint::Attention),
        ]);
    }
    text::out(&table.render(text::colour_on_stdout()))?;
    Ok(Code::Done)
}
