//! `nodes`: the processes that work on the store, and what each can run.

use jobstile::answer::Node;
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
    let overview = opened.client.overview(None)?;
    let listed = |node: &&Node| args.all || node.info.liveness != Liveness::Ended;
    let nodes: Vec<&Node> = overview.nodes.iter().filter(listed).take(SHOWN).collect();
    if global.output != Output::Table {
        let all = nodes.iter().map(|node| json::node(&node.info, &node.offers)).collect();
        text::out(&json::list("nodes", all, serde_json::json!({}), global.output == Output::Jsonl))?;
        return Ok(Code::Done);
    }
    if nodes.is_empty() {
        text::say_line(&format!("no node works on {}; those that have left: jobstile nodes --all", opened.shown));
        return Ok(Code::Done);
    }
    let times = Times::here(overview.at);
    let mut table = Table::new(&["NODE", "KIND", "STATE", "SEEN", "UP", ">BUSY", ">WORKERS", "USER", ">PID", "CANNOT RUN"]);
    for node in nodes {
        table.row(cells(node, &times));
    }
    text::out(&table.render(text::colour_on_stdout()))?;
    Ok(Code::Done)
}

fn cells(node: &Node, times: &Times) -> [Cell; 10] {
    let (info, row) = (&node.info, &node.info.row);
    let paint = match info.liveness {
        Liveness::Alive => Paint::Good,
        Liveness::Gone | Liveness::Unknown => Paint::Attention,
        Liveness::Ended => Paint::Faint,
    };
    let cannot = node.cannot_run().filter(|_| node.alive());
    let cannot: Vec<String> = cannot.map(|(job, why)| format!("{job}: {why}")).collect();
    [
        Cell::from(&row.name),
        Cell::from(&row.kind),
        Cell::new(info.liveness.as_str(), paint),
        Cell::from(times.ago(info.seen_at)),
        Cell::from(measured(node.until(times.now()).since(info.started_at))),
        Cell::from(node.busy.to_string()),
        Cell::from(row.workers.to_string()),
        Cell::from(&row.user),
        Cell::from(row.pid.to_string()),
        Cell::new(cannot.join("; "), Paint::Attention),
    ]
}
