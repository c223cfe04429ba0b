//! `jobstile`: the daemon and the command line.

mod args;
mod cmd;
mod config;
mod error;
mod exit;
mod text;

use std::ffi::OsString;
use std::process::ExitCode;

use error::Error;

fn main() -> ExitCode {
    // The keeper comes before everything else: it must have one thread and open nothing.
    if std::env::args_os().nth(1).is_some_and(|verb| verb == "keep") {
        return u8::try_from(jobstile::runner::keeper::main()).map_or(ExitCode::FAILURE, ExitCode::from);
    }
    // Before anything needs one; another one cannot be there yet.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let line: Vec<OsString> = std::env::args_os().collect();
    text::set_form(args::line::output(&line));
    let code = run(&line).unwrap_or_else(|error| {
        text::error(&error);
        error.code
    });
    code.into()
}

fn run(line: &[OsString]) -> Result<exit::Code, Error> {
    match args::parse(line)? {
        args::Parsed::Verb(cli) => {
            text::set_colour(cli.global.color);
            // Only the daemon logs, but a value that is wrong is wrong for everybody who has it.
            text::log::Level::asked_for()?;
            cli.verb.run(&cli.global)
        }
        args::Parsed::Shown(code) => Ok(code),
    }
}
