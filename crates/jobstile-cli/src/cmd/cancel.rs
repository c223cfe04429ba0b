//! `cancel`: ends runs before their time.

use jobstile::client::RunInfo;
use jobstile::op::{Cancel, Changed};
use jobstile_core::id::RunId;
use jobstile_core::run::State;
use serde_json::{Value, json};

use crate::args::{Global, Output};
use crate::cmd::open::{Opened, by, open, run_id};
use crate::error::Error;
use crate::exit::Code;
use crate::text;
use crate::text::json;

/// Arguments of `cancel`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  jobstile cancel 815 816
A waiting or scheduled run ends at once. A running one is asked to end: TERM first, KILL after kill_after. Its slot is \
free when its whole process tree is dead. It ends cancelled, or succeeded if its attempt did.")]
pub(crate) struct Args {
    /// The runs
    #[arg(required = true, value_name = "RUN", value_parser = run_id)]
    runs: Vec<RunId>,
}

pub(crate) fn run(args: Args, global: &Global) -> Result<Code, Error> {
    let mut opened = open(global)?;
    // All of them are there, or none is touched.
    let runs: Vec<RunInfo> = args.runs.iter().map(|run| opened.run(*run)).collect::<Result<_, _>>()?;
    let (mut code, mut all) = (Code::Done, vec![]);
    for run in runs {
        let id = run.row.id;
        let Changed { from, to, asked } = opened.client.execute(Cancel { run: id, by: by() })?.0;
        if from.is_terminal() {
            code = Code::Failed;
        }
        if global.output == Output::Table {
            text::out(&format!("{}\n", jobstile::text::clean(&sentence(&opened, &run, from, asked))))?;
        }
        all.push(json!({
            "run": json::id(id), "job": &*run.job, "from": from.as_str(), "state": to.as_str(), "asked_to_end": asked,
        }));
    }
    if global.output != Output::Table {
        text::out(&json::list("runs", all, Value::Null, global.output == Output::Jsonl))?;
    }
    Ok(code)
}

fn sentence(opened: &Opened, run: &RunInfo, from: State, asked: bool) -> String {
    let name = format!("run {} of {}", run.row.id, run.job);
    match (asked, from.is_terminal()) {
        (true, _) if opened.alive.is_empty() && !opened.unsure => {
            format!("{name} is asked to end; no daemon works here, the next one ends it")
        }
        (true, _) => format!("{name} is asked to end; its slot is free when its processes are dead"),
        (false, true) => format!("{name} has ended already: {from}"),
        (false, false) => format!("{name} was {from}, and is cancelled"),
    }
}
