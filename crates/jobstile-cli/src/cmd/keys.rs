//! `keys`: who holds what: the live runs, by job and key.

use jobstile::client::{RunFilter, RunInfo};
use jobstile_core::run::State;

use crate::args::{Global, Output};
use crate::cmd::open::open;
use crate::error::Error;
use crate::exit::Code;
use crate::text;
use crate::text::duration::measured;
use crate::text::{json, words};
use crate::text::table::{Cell, Paint, Table};

/// Live runs that are shown.
const SHOWN: usize = 500;

/// Arguments of `keys`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  jobstile keys sync_wallet      which wallets are being synced, and since when")]
pub(crate) struct Args {
    /// Only this job
    job: Option<String>,
}

pub(crate) fn run(args: Args, global: &Global) -> Result<Code, Error> {
    let opened = open(global)?;
    let client = &opened.client;
    if let Some(job) = &args.job {
        opened.job(job)?;
    }
    let states = vec![State::Running, State::Queued, State::Retrying];
    let mut runs = client.runs(&RunFilter { job: args.job, states, limit: SHOWN, ..RunFilter::default() })?;
    let full = runs.len() == SHOWN;
    runs.retain(|run| run.row.identity.has_key());
    runs.sort_by(|a, b| (&a.job, &a.row.key, a.row.first_due, a.row.id).cmp(&(&b.job, &b.row.key, b.row.first_due, b.row.id)));
    if global.output != Output::Table {
        let all = runs.iter().map(json::run).collect();
        text::out(&json::list("keys", all, serde_json::json!({}), global.output == Output::Jsonl))?;
        return Ok(Code::Done);
    }
    if runs.is_empty() {
        text::say_line("no key is held: no live run of a job with a dedup rule");
        return Ok(Code::Done);
    }
    let mut table = Table::new(&["JOB", "KEY", ">RUN", "STATE", ">FOR", ">TURNED AWAY", "NODE"]);
    for run in &runs {
        let turned_away = client.refusals_by(run.row.id)?.count;
        table.row([
            Cell::from(&*run.job),
            Cell::from(key(run)),
            Cell::from(run.row.id.to_string()),
            Cell::from(run.row.state.as_str()),
            Cell::from(measured(client.now().since(run.row.claimed_at.unwrap_or(run.row.first_due)))),
            Cell::from(if turned_away > 0 { turned_away.to_string() } else { String::new() }),
            Cell::new(run.row.node.as_deref().map_or(String::new(), |node| opened.node_name(node)), Paint::Faint),
        ]);
    }
    text::out(&table.render(text::colour_on_stdout()))?;
    text::suggest(&["a key is free when its run has ended: jobstile cancel RUN ends its processes first".to_owned()]);
    if full {
        text::say_line(&format!("only the first {}", words::count(SHOWN as u64, "live run")));
    }
    Ok(Code::Done)
}

fn key(run: &RunInfo) -> String {
    words::key(&run.row.key).unwrap_or_else(|| "(the job itself)".to_owned())
}
