//! `completions`: a script for the user's shell.

use crate::args::{self, Global};
use crate::error::Error;
use crate::exit::Code;
use crate::text;

/// Arguments of `completions`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  jobstile completions fish > ~/.config/fish/completions/jobstile.fish")]
pub(crate) struct Args {
    /// The shell
    shell: clap_complete::Shell,
}

pub(crate) fn run(args: Args, _: &Global) -> Result<Code, Error> {
    let mut script = vec![];
    clap_complete::generate(args.shell, &mut args::command(), "jobstile", &mut script);
    text::out(&String::from_utf8_lossy(&script))?;
    Ok(Code::Done)
}
