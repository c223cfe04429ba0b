//! `keys`: who holds what: the live runs, by job and key.

use jobstile::answer::ListedRun;
use jobstile::client::RunFilter;
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
    if let Some(job) = &args.job {
        opened.job(job)?;
    }
    let states = vec![State::Running, State::Queued, State::Retrying];
    let filter = RunFilter { job: args.job, states, limit: SHOWN, ..RunFilter::default() };
    let answer = opened.client.list(&filter)?;
    let (now, mut runs) = (answer.overview.at, answer.runs);
    let full = runs.len() == SHOWN;
    runs.retain(|run| run.run.row.identity.has_key());
    runs.sort_by(|a, b| {
        let (a, b) = (&a.run, &b.run);
        (&a.job, &a.row.key, a.row.first_due, a.row.id).cmp(&(&b.job, &b.row.key, b.row.first_due, b.row.id))
    });
    if global.output != Output::Table {
        let all = runs.iter().map(|run| json::answer::listed(run, now)).collect();
        text::out(&json::list("keys", all, serde_json::json!({}), global.output == Output::Jsonl))?;
        return Ok(Code::Done);
    }
    if runs.is_empty() {
        text::say_line("no key is held: no live run of a job with a dedup rule");
        return Ok(Code::Done);
    }
    let mut table = Table::new(&["JOB", "KEY", ">RUN", "STATE", ">FOR", ">TURNED AWAY", "NODE"]);
    for run in &runs {
        let (row, turned_away) = (&run.run.row, run.turned_away.count);
        table.row([
            Cell::from(&*run.run.job),
            Cell::from(key(run)),
            Cell::from(row.id.to_string()),
            Cell::new(words::state(run), if run.was_running { Paint::Attention } else { Paint::Plain }),
            Cell::from(measured(now.since(row.claimed_at.unwrap_or(row.first_due)))),
            Cell::from(if turned_away > 0 { words::number(turned_away) } else { String::new() }),
            Cell::new(run.node.as_deref().unwrap_or_default(), Paint::Faint),
        ]);
    }
    text::out(&table.render(text::colour_on_stdout()))?;
    text::suggest(&["a key is free when its run has ended: jobstile cancel RUN ends its processes first".to_owned()]);
    if full {
        text::say_line(&format!("only the first {}", words::count(SHOWN as u64, "live run")));
    }
    Ok(Code::Done)
}

fn key(run: &ListedRun) -> String {
    words::key(&run.run.row.key).unwrap_or_else(|| "(the job itself)".to_owned())
}
