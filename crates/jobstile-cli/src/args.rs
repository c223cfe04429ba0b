//! The command line: the options of every verb, and what is said if it cannot be understood.

mod brought;
pub(crate) mod line;
pub(crate) mod value;
mod wrong;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser, ValueEnum};

use crate::cmd::Verb;
use crate::error::Error;
use crate::exit::{self, Code};

/// Runs commands and HTTP calls on schedules, and never lets them pile up: while one is running, the next is skipped,
/// and every skip says why.
#[derive(Debug, Parser)]
#[command(
    name = "jobstile",
    version,
    subcommand_value_name = "COMMAND",
    max_term_width = 120,
    propagate_version = true
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) verb: Verb,
    #[command(flatten)]
    pub(crate) global: Global,
}

/// Options of every verb.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Everywhere")]
pub(crate) struct Global {
    /// The configuration file [default: ./jobstile.toml, ~/.config/jobstile/ or /etc/jobstile/jobstile.toml]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The store: a file or sqlite://FILE [default: JOBSTILE_STORE, `store` in that file, .jobstile/ beside it]
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) store: Option<String>,
    /// Form of the output: table, json (one document) or jsonl (one object a line)
    #[arg(short, long, global = true, value_name = "FORM", default_value = "table")]
    #[arg(hide_possible_values = true, hide_default_value = true)]
    pub(crate) output: Output,
    /// When to use colours: auto (on a terminal), always or never
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    #[arg(hide_possible_values = true, hide_default_value = true)]
    pub(crate) color: Colour,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal, unless `NO_COLOR` is set or the terminal is dumb
    Auto,
    /// Wherever the output goes
    Always,
    /// Nowhere
    Never,
}

/// How data is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people
    Table,
    /// One JSON document
    Json,
    /// One JSON object a line
    Jsonl,
}

/// What became of the command line.
#[derive(Debug)]
pub(crate) enum Parsed {
    /// Something to do.
    Verb(Box<Cli>),
    /// Help or version, printed already.
    Shown(Code),
}

/// Reads the command line.
///
/// # Errors
/// Exit code 2, with what to type instead.
pub(crate) fn parse(line: &[OsString]) -> Result<Parsed, Error> {
    let line = line::written_out(line.iter().cloned());
    let parsed = command().try_get_matches_from(&line).and_then(|matches| Cli::from_arg_matches(&matches));
    match parsed {
        Ok(cli) => Ok(Parsed::Verb(Box::new(cli))),
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            // Clap knows whether standard output takes colour.
            error.print()?;
            Ok(Parsed::Shown(Code::Done))
        }
        Err(error) => Err(wrong::say(&error, &line)),
    }
}

const ENVIRONMENT: &str = "\
Environment:
  JOBSTILE_STORE  as --store
  JOBSTILE_LOG    what the daemon logs: error, warn, info or debug
  NO_COLOR        no colours, as --color never
  others set configuration: jobstile config --help";

const EXAMPLES: &str = "\
Examples:
  jobstile init && jobstile serve       two jobs, and the daemon that runs them
  jobstile top                          watch what is going on
  jobstile explain chain_state_monitor  why does it not run?
  jobstile trigger backup --wait        run it now, exit with its code";

pub(crate) fn command() -> clap::Command {
    Cli::command().after_help(format!("{ENVIRONMENT}\n\n{}\n\n{EXAMPLES}", exit::TABLE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_says_its_role_in_a_line() {
        let mut all = command();
        all.build();
        all.clone().debug_assert();
        for verb in all.get_subcommands().filter(|verb| !verb.is_hide_set()) {
            let role = verb.get_about().map(ToString::to_string).unwrap_or_default();
            assert!(!role.is_empty() && role.len() <= 80 && !role.contains('\n'), "{}: {role:?}", verb.get_name());
        }
        let help = all.render_help().to_string();
        assert!(help.contains(exit::TABLE) && help.trim_end().ends_with(EXAMPLES), "{help}");
    }

    #[test]
    fn help_wraps_once() {
        let mut all = command();
        all.build();
        for verb in all.get_subcommands().filter(|verb| !verb.is_hide_set() && verb.get_name() != "help") {
            let text = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            assert!(lines.iter().any(|line| line.starts_with("Example")), "{} has no example", verb.get_name());
            for (line, next) in lines.iter().zip(lines.iter().skip(1).chain([&""])) {
                let example = line.starts_with("  ");
                assert!(!example || line.chars().count() <= 80, "{}: longer than a line: {line}", verb.get_name());
                // A paragraph is one line here, so that only the terminal breaks it.
                let ends = line.is_empty() || line.ends_with(['.', ':', '?']);
                assert!(example || ends || next.is_empty(), "{}: broken by hand: {line}", verb.get_name());
            }
        }
    }
}
