//! A command line that cannot be understood: one sentence that names the thing, and one that says what to do.

use std::error::Error as _;
use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::brought;
use super::line::Typed;
use crate::config::suggest::nearest;
use crate::error::Error;
use crate::exit::Code;

/// What to type when a command is given without what it needs: the verb, the missing argument, the question, the answer.
const MISSING: [(&str, &str, &str, &str); 16] = [
    ("trigger", "<JOB>", "which job?", "jobstile trigger JOB      all jobs: jobstile ls"),
    ("show", "<JOB>", "which job?", "jobstile show JOB      all jobs: jobstile ls"),
    ("forget", "<JOB>", "which job?", "jobstile forget JOB      all jobs: jobstile ls --all"),
    ("pause", "<JOB>", "which job?", "jobstile pause JOB, or jobstile pause --all"),
    ("resume", "<JOB>", "which job?", "jobstile resume JOB, or jobstile resume --all"),
    ("explain", "<JOB|RUN>", "which job or run?", "jobstile explain JOB, or jobstile explain RUN"),
    ("logs", "<RUN|JOB>", "of which run?", "jobstile logs RUN, or of a job's latest: jobstile logs JOB"),
    ("cancel", "<RUN>...", "which run?", "jobstile cancel RUN      what runs and waits: jobstile runs"),
    ("retry", "--dead", "which of its runs?", "all that are dead: jobstile retry --dead --job JOB"),
    ("retry", "--job <JOB>", "of which job?", "jobstile retry --dead --job JOB"),
    ("retry", "<RUN>...", "which run?", "jobstile retry RUN      what failed: jobstile runs --failed"),
    ("explain", "--key", "fields go with --key", "jobstile explain --key JOB FIELD=VALUE"),
    ("test-dedup", "--live", "--yes goes with --live", "on the running system: jobstile test-dedup --live --yes"),
    ("backup", "<FILE>", "where to?", "jobstile backup FILE"),
    ("completions", "<SHELL>", "for which shell?", "jobstile completions bash, elvish, fish, powershell or zsh"),
    ("simulate", "--scenario <FILE>", "which scenario?", "jobstile simulate --scenario FILE"),
];

/// What the value of an option looks like, by the name that its help gives it.
const VALUES: [(&str, &str); 7] = [
    ("DURATION", "90s, 5m or 1h 30m"),
    ("TIME", "18:30, or 2026-11-23T18:30:00Z"),
    ("JOB", "a job, as jobstile ls shows it"),
    ("RUN", "a run, as jobstile runs shows it"),
    ("URL", "a file, or sqlite://FILE"),
    ("JSON", "'{\"wallet\":\"SP2X0\"}', @FILE, or - for standard input"),
    ("PRIORITY", "low, normal, medium, high or critical"),
];

/// Words clap's error in ours.
pub(super) fn say(error: &clap::Error, line: &[OsString]) -> Error {
    let typed = Typed::of(line);
    let context = Context(error);
    let invalid = context.text(ContextKind::InvalidArg).unwrap_or_default();
    match error.kind() {
        ErrorKind::InvalidSubcommand => no_such_command(&context, &typed),
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            usage("there is no command")
                .hint("the first steps: jobstile init, jobstile serve      all commands: jobstile --help")
        }
        ErrorKind::UnknownArgument if invalid.starts_with('-') && invalid.len() > 1 => no_such_option(&invalid, &typed),
        ErrorKind::UnknownArgument => too_much(&invalid, &typed),
        ErrorKind::MissingRequiredArgument => missing(&context, &typed),
        ErrorKind::ArgumentConflict => conflict(&context, &invalid),
        ErrorKind::InvalidValue | ErrorKind::NoEquals => invalid_value(&context, &invalid),
        ErrorKind::ValueValidation => refused_value(&context, &invalid, error),
        ErrorKind::TooManyValues if context.value().is_some() => {
            usage(format!("{} takes no value", plain(&invalid))).hint(format!("write {} alone", plain(&invalid)))
        }
        ErrorKind::InvalidUtf8 => usage("the command line has bytes that are not UTF-8")
            .hint("only files may have such names: --config FILE, --store FILE"),
        _ => usage(format!("`{}` is not understood", typed.shown())).hint(typed.help()),
    }
}

struct Context<'a>(&'a clap::Error);

impl Context<'_> {
    fn texts(&self, kind: ContextKind) -> Vec<String> {
        match self.0.get(kind) {
            Some(ContextValue::String(one)) => vec![one.clone()],
            Some(ContextValue::Strings(all)) => all.clone(),
            _ => vec![],
        }
    }

    fn text(&self, kind: ContextKind) -> Option<String> {
        self.texts(kind).into_iter().next()
    }

    /// The value that was given, if one was.
    fn value(&self) -> Option<String> {
        self.text(ContextKind::InvalidValue).filter(|value| !value.is_empty())
    }
}

fn usage(what: impl Into<String>) -> Error {
    Error::new(Code::Usage, what)
}

/// An argument as people type it: `--since <DURATION>` is `--since`, `<RUN>...` is `RUN`.
fn plain(argument: &str) -> String {
    let name = match argument.starts_with('-') {
        true => argument.split([' ', '=', '[']).next().unwrap_or_default(),
        false => argument,
    };
    name.trim_matches(|c: char| "<>[].".contains(c)).to_owned()
}

/// A value that is refused: `--since 8: …`, or `` `x` is not a run ``.
fn refused(argument: &str, value: &str, what: &str) -> String {
    let value = jobstile::text::clean_to(value, 80);
    match argument.starts_with('-') {
        true => format!("{} {value}: {what}", plain(argument)),
        false => format!("`{value}` is {what}"),
    }
}

fn no_such_command(context: &Context<'_>, typed: &Typed) -> Error {
    let asked = context.text(ContextKind::InvalidSubcommand).unwrap_or_default();
    let ours = usage(format!("there is no command `{}`", jobstile::text::clean_to(&asked, 80)));
    if let Some(meaning) = brought::word(&asked) {
        return ours.hint(meaning);
    }
    match nearest(&asked, typed.verbs()) {
        Some(near) => ours.hint(format!("did you mean: jobstile {near}")),
        None => ours.hint("all commands: jobstile --help"),
    }
}

fn no_such_option(option: &str, typed: &Typed) -> Error {
    let ours = usage(format!("`{}` has no option {}", typed.shown(), jobstile::text::clean_to(option, 80)));
    if let Some(meaning) = brought::option(option) {
        return ours.hint(meaning);
    }
    if option[1..].starts_with(|c: char| c.is_ascii_digit()) {
        return ours.hint("write the value without a minus sign");
    }
    let near = option.strip_prefix("--").and_then(|name| nearest(name, typed.options()));
    match near {
        Some(near) => ours.hint(format!("did you mean --{near}?")),
        None => ours.hint(typed.help()),
    }
}

fn too_much(word: &str, typed: &Typed) -> Error {
    let word = jobstile::text::clean_to(word, 80);
    let ours = usage(format!("`{}` has no use for `{word}`", typed.shown()));
    match typed.before(&word) {
        // `--wait 1s`: the value would be taken for something else.
        Some(option) if option.starts_with("--") && typed.takes_with_equals(option) => {
            ours.hint(format!("write {option}={word}"))
        }
        _ => match typed.verb() {
            Some("ls" | "config") => ours.hint(format!("one job: jobstile show {word}")),
            Some(verb @ ("init" | "check")) => ours.hint(format!("name the file: jobstile {verb} --config {word}")),
            Some("simulate") => ours.hint(format!("name the scenario: jobstile simulate --scenario {word}")),
            _ => ours.hint(typed.usage()),
        },
    }
}

fn missing(context: &Context<'_>, typed: &Typed) -> Error {
    let all = context.texts(ContextKind::InvalidArg);
    let known =
        MISSING.iter().find(|(verb, argument, ..)| typed.verb() == Some(verb) && all.iter().any(|one| one == argument));
    match known {
        Some((verb, _, question, answer)) => usage(format!("jobstile {verb}: {question}")).hint(*answer),
        None => usage(format!("`{}` needs {}", typed.shown(), all.join(" and "))).hint(typed.usage()),
    }
}

fn conflict(context: &Context<'_>, invalid: &str) -> Error {
    let one = plain(invalid);
    let others: Vec<String> = context.texts(ContextKind::PriorArg).iter().map(|other| plain(other)).collect();
    match others.first() {
        Some(other) if *other != one => {
            usage(format!("{one} and {other} exclude each other")).hint("give one of the two")
        }
        _ => usage(format!("{one} is given twice")).hint("give it once"),
    }
}

fn invalid_value(context: &Context<'_>, invalid: &str) -> Error {
    let good = context.texts(ContextKind::ValidValue);
    let Some(value) = context.value() else {
        let name = invalid.rsplit(['<', '[']).next().unwrap_or_default().trim_end_matches(['>', ']', '.']);
        let looks = VALUES.iter().find(|(known, _)| *known == name).map(|(_, looks)| format!(": {looks}"));
        let looks = if good.is_empty() { looks.unwrap_or_default() } else { format!(": {}", good.join(", ")) };
        return usage(format!("{} needs a value", plain(invalid)))
            .hint(format!("write {}{looks}", example(invalid, name)));
    };
    let near = nearest(&value, good.iter().map(String::as_str));
    let meant = near.map_or(String::new(), |near| format!("; did you mean {near}?"));
    usage(refused(invalid, &value, &format!("not a valid value{meant}")))
        .hint(format!("write one of {}", good.join(", ")))
}

// `--wait` takes its value after `=`, if any.
fn example(invalid: &str, name: &str) -> String {
    let between = if invalid.contains("[=") { "=" } else { " " };
    format!("{}{between}{name}", plain(invalid))
}

fn refused_value(context: &Context<'_>, invalid: &str, error: &clap::Error) -> Error {
    let value = context.value().unwrap_or_default();
    let why = error.source().map(ToString::to_string).unwrap_or_default();
    let (what, instead) = why.split_once('\n').unwrap_or((&why, "see --help"));
    usage(refused(invalid, &value, what)).hint(instead)
}
