//! `monitor`: what goes on now, of the live system. The predecessor's script looked at its own empty process; this one
//! looks at the store, and says first whether anybody works on it.

mod head;
mod page;
mod rows;
mod screen;
mod worries;

use std::io::IsTerminal;
use std::time::Duration;

use jobstile::answer::{Live, Overview};
use jobstile::clock;

use crate::args::value::up_to;
use crate::args::{Global, Output};
use crate::cmd::open::{Opened, open_quietly};
use crate::error::Error;
use crate::exit::Code;
use crate::text;
use crate::text::fit::Form;
use crate::text::json;
use crate::text::time::Times;
use crate::text::words::attention::attention;

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
    /// End with 0 if all is well, 1 if something needs attention, 3 if nobody works on the store
    #[arg(long, conflicts_with = "continuous")]
    exit_code: bool,
}

pub(crate) fn run(args: Args, global: &Global) -> Result<Code, Error> {
    let opened = open_quietly(global)?;
    let job = args.job.or(args.job_type);
    let job = job.as_deref();
    if let Some(job) = job {
        opened.job(job)?;
    }
    if !args.continuous {
        let look = opened.client.overview(job)?;
        text::out(&shown(&opened, &look, None, global.output))?;
        return Ok(if args.exit_code { code(&look) } else { Code::Done });
    }
    let every = Duration::from_secs(args.interval);
    if global.output == Output::Table && std::io::stdout().is_terminal() {
        return screen::run(global, job, every);
    }
    // Somebody reads it through a pipe: one look after the other.
    let mut before = None;
    loop {
        let opened = open_quietly(global)?;
        let look = opened.client.overview(job)?;
        text::out(&format!("{}\n", shown(&opened, &look, before.as_ref(), global.output)))?;
        before = Some(look);
        clock::block(every);
    }
}

// For scripts and health checks.
fn code(look: &Overview) -> Code {
    match look.live {
        Live::Left | Live::Never | Live::Unsure => Code::NotFound,
        Live::Yes | Live::Silent if look.attention().is_empty() => Code::Done,
        Live::Yes | Live::Silent => Code::Failed,
    }
}

fn shown(opened: &Opened, look: &Overview, before: Option<&Overview>, form: Output) -> String {
    if form == Output::Table {
        return page::of(opened, look, before, Form::of_stdout()).join("\n") + "\n";
    }
    let times = Times::here(look.at);
    let document = json::answer::overview(look, opened.client.path(), |one| {
        let said = attention(one, &times);
        (said.says, said.commands)
    });
    json::document(&document, form == Output::Jsonl)
}
