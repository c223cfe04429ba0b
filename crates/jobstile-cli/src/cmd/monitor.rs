//! `monitor`: what goes on now, of the live system. The predecessor's script looked at its own empty process; this one
//! looks at the store, and says first whether anybody works on it.

mod counts;
mod events;
mod head;
mod json;
mod page;
mod rows;
mod screen;
mod state;
mod worries;

use std::io::IsTerminal;
use std::time::Duration;

use jobstile::engine::clock;

use crate::args::value::up_to;
use crate::args::{Global, Output};
use crate::cmd::open::{Opened, open_quietly};
use crate::error::Error;
use crate::exit::Code;
use crate::text;
use crate::text::fit::Form;
use state::State;

/// How often the continuous form looks.
const EVERY_S: u64 = 5;

/// Arguments of `monitor`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  jobstile monitor                   one look
  jobstile monitor backup -c -i 2    one job, every 2 seconds, until q
active = running; pending = queued and retrying; STACKING = more wait than the policy allows, or, with deduplication \
off, more than one.")]
pub(crate) struct Args {
    /// Look again and again, until q or Ctrl-C
    #[arg(short, long)]
    continuous: bool,
    /// Only this job
    job: Option<String>,
    /// Only this job, as the predecessor had it
    #[arg(short, long, value_name = "JOB", alias = "job", conflicts_with = "job")]
    job_type: Option<String>,
    /// Seconds between two looks
    #[arg(short, long, value_name = "S", default_value_t = EVERY_S, value_parser = up_to::<u64>(86_400))]
    interval: u64,
}

pub(crate) fn run(args: Args, global: &Global) -> Result<Code, Error> {
    let opened = open_quietly(global)?;
    let job = args.job.or(args.job_type);
    let job = job.as_deref();
    if let Some(job) = job {
        opened.job(job)?;
    }
    if !args.continuous {
        let state = State::look(&opened, job)?;
        text::out(&shown(&opened, &state, None, global.output))?;
        return Ok(Code::Done);
    }
    let every = Duration::from_secs(args.interval);
    if global.output == Output::Table && std::io::stdout().is_terminal() {
        return screen::run(global, job, every);
    }
    // Somebody reads it through a pipe: one look after the other.
    let mut before = None;
    loop {
        let opened = open_quietly(global)?;
        let state = State::look(&opened, job)?;
        text::out(&format!("{}\n", shown(&opened, &state, before.as_ref(), global.output)))?;
        before = Some(state);
        clock::block(every);
    }
}

fn shown(opened: &Opened, state: &State, before: Option<&State>, form: Output) -> String {
    match form {
        Output::Table => {
            let form = Form { width: width(), height: None, colour: text::colour_on_stdout() };
            page::of(opened, state, before, form).join("\n") + "\n"
        }
        form => text::json::document(&json::of(opened, state), form == Output::Jsonl),
    }
}

/// Columns of the terminal; `None` means unknown.
fn width() -> Option<usize> {
    if !std::io::stdout().is_terminal() {
        return None;
    }
    crossterm::terminal::size().ok().map(|(columns, _)| usize::from(columns))
}
