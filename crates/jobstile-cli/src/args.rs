//! The command line: what holds for every verb, and what is said where it cannot be understood.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, FromArgMatches, Parser, ValueEnum};

use crate::cmd::Verb;
use crate::error::Error;
use crate::exit::{self, Code};
use crate::text;

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
    /// How to print: table, json (one document) or jsonl (one object a line)
    #[arg(short, long, global = true, value_name = "FORM", default_value = "table")]
    #[arg(hide_possible_values = true, hide_default_value = true)]
    pub(crate) output: Output,
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
/// Exit code 2, with suggestions.
pub(crate) fn parse(line: impl IntoIterator<Item = OsString>) -> Result<Parsed, Error> {
    let parsed = command().try_get_matches_from(written_out(line)).and_then(|matches| Cli::from_arg_matches(&matches));
    match parsed {
        Ok(cli) => Ok(Parsed::Verb(Box::new(cli))),
        Err(error) => match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
                // Clap knows whether standard output takes colour.
                error.print()?;
                Ok(Parsed::Shown(Code::Done))
            }
            ErrorKind::InvalidSubcommand => Err(no_such_command(&error)),
            _ => Err(Error::rendered(Code::Usage, coloured(&error))),
        },
    }
}

/// `top` is `monitor -c`.
fn written_out(line: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut line: Vec<OsString> = line.into_iter().collect();
    if line.get(1).is_some_and(|verb| verb == "top") {
        line.splice(1..2, ["monitor".into(), "-c".into()]);
    }
    line
}

const ENVIRONMENT: &str = "\
Environment:
  JOBSTILE_STORE  as --store
  JOBSTILE_LOG    what is logged: error, warn, info or debug
  NO_COLOR        no colours
  others change the configuration: jobstile config --help";

const EXAMPLES: &str = "\
Examples:
  jobstile init && jobstile serve       two jobs, and the daemon that runs them
  jobstile top                          what goes on now, again and again
  jobstile explain chain_state_monitor  why does it not run?
  jobstile trigger backup --wait        now, with its command's exit code";

pub(crate) fn command() -> clap::Command {
    Cli::command().after_help(format!("{ENVIRONMENT}\n\n{}\n\n{EXAMPLES}", exit::TABLE))
}

fn coloured(error: &clap::Error) -> String {
    let text = error.render();
    if text::colour_on_stderr() { text.ansi().to_string() } else { text.to_string() }
}

/// Words that people bring along, and what they mean here.
const ALSO_KNOWN_AS: [(&[&str], &str); 9] = [
    (
        &["run", "start", "exec"],
        "to start the daemon: jobstile serve      to run a job now: jobstile trigger JOB --wait      past runs: jobstile runs",
    ),
    (&["daemon", "up", "server", "worker", "scheduler"], "to start the daemon: jobstile serve"),
    (&["status", "ps", "stat"], "what is going on now: jobstile monitor"),
    (&["list", "jobs"], "the jobs: jobstile ls      past runs: jobstile runs"),
    (
        &["stop", "kill"],
        "to end a run: jobstile cancel RUN      to hold a job back: jobstile pause JOB      the daemon: Ctrl-C or TERM",
    ),
    (&["history", "past"], "past runs: jobstile runs      every trigger and what became of it: jobstile decisions"),
    (&["why"], "why a job did not run: jobstile explain JOB"),
    (&["validate", "lint"], "is the configuration good: jobstile check"),
    (&["enable", "disable"], "to hold a job back: jobstile pause JOB      to let it go on: jobstile resume JOB"),
];

fn no_such_command(error: &clap::Error) -> Error {
    let asked = match error.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(word)) => word.as_str(),
        _ => "",
    };
    let ours = Error::new(Code::Usage, format!("there is no command `{asked}`"));
    if let Some((_, meaning)) = ALSO_KNOWN_AS.iter().find(|(words, _)| words.contains(&asked)) {
        return ours.hint(*meaning);
    }
    match error.get(ContextKind::SuggestedSubcommand) {
        Some(ContextValue::String(word)) => ours.hint(format!("did you mean: jobstile {word}")),
        Some(ContextValue::Strings(words)) if !words.is_empty() => {
            ours.hint(format!("did you mean: jobstile {}", words.join(", jobstile ")))
        }
        _ => ours.hint("all commands: jobstile --help"),
    }
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
    fn what_people_bring_along_is_no_command() {
        let mut all = command();
        all.build();
        for (words, _) in ALSO_KNOWN_AS {
            for word in words {
                let taken = all.get_subcommands().any(|verb| verb.get_name_and_visible_aliases().contains(word));
                assert!(!taken, "{word}");
            }
        }
    }
}
