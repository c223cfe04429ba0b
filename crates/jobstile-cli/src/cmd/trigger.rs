//! `trigger`: asks for a run, says what became of it and why, and waits for its end where it is asked to.

mod answer;
mod wait;

use std::io::Read;
use std::time::Duration;

use jobstile::args::{Args as Arguments, BadArgs, MAX_BYTES};
use jobstile::op::{Decided, Trigger};
use jobstile_core::decide::{Code as Why, Decision};
use jobstile_core::id::TriggerId;
use jobstile_core::policy::Priority;
use jobstile_core::time::Time;
use jobstile_core::trigger::{Source, When};
use serde_json::{Value, json};

use crate::args::value::object;
use crate::args::{Global, Output};
use crate::cmd::open::{Opened, by, no_such_job, open};
use crate::config::file::gather;
use crate::error::Error;
use crate::exit::Code;
use crate::text;
use crate::text::time::Times;
use crate::text::{duration, json};
use answer::Answer;

/// A time that has passed by more than this is a mistake.
const PAST: Duration = Duration::from_secs(60);

/// Arguments of `trigger`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  jobstile trigger sync_wallet wallet=SP2X0
  jobstile trigger backup --wait || echo \"backup: $?\"     its own exit code
  jobstile trigger report --at 18:30 --id report-1123     once, however often
A trigger meets the rules like any tick: it may be skipped, and the answer names the run that is in its way.")]
pub(crate) struct Args {
    /// The job
    job: String,
    /// Arguments one by one: wallet=SP2X0, n=3. A value that is JSON is taken as JSON, anything else as text
    #[arg(value_name = "FIELD=VALUE", conflicts_with = "args")]
    fields: Vec<String>,
    /// All arguments at once: a JSON object, @FILE, or - for standard input
    #[arg(long, value_name = "JSON")]
    args: Option<String>,
    /// A head start in line: low, normal, medium, high or critical [default: the job's]
    #[arg(long, value_name = "PRIORITY", value_parser = priority)]
    priority: Option<Priority>,
    /// Run at this time: 18:30 (the next one), or 2026-11-23T18:30:00Z
    #[arg(long, value_name = "TIME", conflicts_with = "later")]
    at: Option<String>,
    /// Run after this time, as 1h
    #[arg(long = "in", id = "later", value_name = "DURATION", value_parser = duration::given)]
    later: Option<Duration>,
    /// Run once per ID: for 24 hours the same ID gets the first answer again
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// Wait until the run ends, for at most DURATION, and exit with its code
    #[arg(long, value_name = "DURATION", num_args = 0..=1, require_equals = true, value_parser = duration::given)]
    wait: Option<Option<Duration>>,
    /// Exit with 75 if the trigger is skipped
    #[arg(long)]
    fail_if_skipped: bool,
}

fn priority(text: &str) -> Result<Priority, String> {
    text.parse().map_err(|e: jobstile_core::words::UnknownWord| format!("not a priority\nwrite one of {}", e.allowed))
}

pub(crate) fn run(args: Args, global: &Global) -> Result<Code, Error> {
    let arguments = arguments(&args)?;
    let mut opened = open(global).map_err(|error| before_the_first_start(global, &args.job, error))?;
    let now = opened.client.now();
    let times = Times::here(now);
    let when = when(&args, &times)?;
    let decided = opened.client.trigger(Trigger {
        job: args.job.as_str().into(),
        args: arguments.clone(),
        priority: args.priority,
        when,
        id: args.id.as_deref().map(TriggerId::new).transpose().map_err(jobstile::Error::from)?,
        source: Source::Cli,
        by: by().into(),
    })?;
    refused(&opened, &args.job, &decided, &arguments)?;
    let answer = Answer::new(&opened, &args.job, &decided)?;
    let waits_for = args.wait.and_then(|limit| Some((covering(&decided)?, limit)));
    if global.output == Output::Table {
        text::out(&answer.sentence(&opened, &args)?)?;
        text::suggest(&answer.hints(args.wait.is_some()));
        return match waits_for {
            Some((run, limit)) => wait::until_ended(&opened, run, limit).map(|end| end.say()),
            None => Ok(exit(&args, &decided)),
        };
    }
    let end = match waits_for {
        Some((run, limit)) => Some(wait::until_ended(&opened, run, limit)?),
        None => None,
    };
    let mut document = as_json(&args.job, &decided, &answer);
    let code = match &end {
        Some(end) => {
            document["ended"] = end.as_json();
            end.code
        }
        None => exit(&args, &decided),
    };
    text::out(&json::document(&document, global.output == Output::Jsonl))?;
    Ok(code)
}

// There is no store yet: whether the job has that name is known from the file.
fn before_the_first_start(global: &Global, job: &str, error: Error) -> Error {
    if error.code != Code::NotFound {
        return error;
    }
    let Some(loaded) = gather(global, None).ok().and_then(|gathered| gathered.read().ok()) else { return error };
    match loaded.jobs.keys().any(|name| name.as_str() == job) {
        true => error,
        false => no_such_job(job, &loaded.source.name, loaded.jobs.keys().map(|name| name.as_str()))
            .hint("its jobs: jobstile check"),
    }
}

/// The run that does the work of this trigger, new or covering; `None` means that nothing does that starts after it.
fn covering(decided: &Decided) -> Option<jobstile_core::id::RunId> {
    match decided.decision {
        Decision::Skipped if decided.code == Why::DuplicateWaiting => decided.by,
        Decision::Skipped | Decision::Rejected | Decision::Missed => None,
        _ => decided.run,
    }
}

fn exit(args: &Args, decided: &Decided) -> Code {
    match decided.decision {
        Decision::Rejected => Code::Failed,
        Decision::Skipped | Decision::Missed if args.fail_if_skipped || args.wait.is_some() => Code::Skipped,
        _ => Code::Done,
    }
}

/// What cannot be decided in the caller's favour by waiting: the trigger itself is wrong.
fn refused(opened: &Opened, job: &str, decided: &Decided, args: &Result<Arguments, BadArgs>) -> Result<(), Error> {
    match decided.code {
        Why::UnknownJob => Err(opened.no_job(job)?),
        Why::BadArguments => {
            let why = match args {
                Err(why) => why.to_string(),
                Ok(_) => format!("the key of {job} is made of strings, whole numbers, true and false"),
            };
            Err(Error::new(Code::Usage, format!("trigger refused: {why}")).hint(r#"write fields, as in wallet=SP2X0, or --args '{"wallet":"SP2X0"}'"#))
        }
        Why::MissingKeyField => Err(answer::missing_key_field(opened, job, args.as_ref().ok())?),
        _ => Ok(()),
    }
}

/// The arguments as they are given, at most a byte more than is allowed.
fn arguments(args: &Args) -> Result<Result<Arguments, BadArgs>, Error> {
    if !args.fields.is_empty() {
        return Ok(Arguments::parse(object(without_equals(&args.fields, args)?)?.as_bytes()));
    }
    let cannot = |what: &str, e: std::io::Error| {
        Error::new(Code::Usage, format!("--args: {what} cannot be read: {e}"))
            .hint("write a JSON object, @FILE or -, or the fields one by one: wallet=SP2X0")
    };
    let read = |from: &mut dyn Read| {
        let mut bytes = vec![];
        from.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes).map(|_| bytes)
    };
    let bytes = match args.args.as_deref() {
        None => return Ok(Ok(Arguments::none())),
        Some("-") => read(&mut std::io::stdin().lock()).map_err(|e| cannot("standard input", e))?,
        Some(text) => match text.strip_prefix('@') {
            Some(file) => {
                let mut opened = std::fs::File::open(file).map_err(|e| cannot(file, e))?;
                read(&mut opened).map_err(|e| cannot(file, e))?
            }
            None => text.as_bytes().to_vec(),
        },
    };
    Ok(Arguments::parse(&bytes))
}

// `--wait 1s` is a wait without a limit, and `1s`.
fn without_equals<'a>(fields: &'a [String], args: &Args) -> Result<&'a [String], Error> {
    let limit = fields.iter().find(|field| duration::given(field).is_ok());
    match limit.filter(|_| args.wait == Some(None)) {
        Some(limit) => Err(Error::new(Code::Usage, format!("`{limit}` is not a field with its value"))
            .hint(format!("to wait at most so long: --wait={limit}"))),
        None => Ok(fields),
    }
}

fn when(args: &Args, times: &Times) -> Result<When, Error> {
    if let Some(later) = args.later {
        return Ok(When::In(later));
    }
    let Some(at) = &args.at else { return Ok(When::Now) };
    let wrong = |what: &str| {
        Error::new(Code::Usage, format!("--at {at}: {what}"))
            .hint(format!("18:30 or 18:30:00 (the next one, in {}), or 2026-11-23T18:30:00+01:00", times.zone()))
    };
    if let Ok(time) = at.parse::<jiff::civil::Time>()
        && !at.contains(['T', '-'])
    {
        return times.next(time).map(When::At).ok_or_else(|| wrong("there is no such time today or tomorrow"));
    }
    let instant: jiff::Timestamp = at.parse().map_err(|_| wrong("not a valid time"))?;
    let instant = Time(instant.as_microsecond());
    if times.now().since(instant) > PAST {
        return Err(wrong(&format!("that was {}", times.ago(instant))));
    }
    Ok(When::At(instant))
}

fn as_json(job: &str, decided: &Decided, answer: &Answer<'_>) -> Value {
    json!({
        "job": job,
        "decision": decided.decision.as_str(),
        "code": decided.code.as_str(),
        "run": decided.run.map(|run| run.to_string()),
        "by": decided.by.map(|run| run.to_string()),
        "due_at": json::maybe_time(decided.due),
        "replayed": decided.replayed,
        "causing_run": answer.causing().map(json::run),
        "usually_takes_s": answer.usually().map(|d| d.as_secs_f64()),
    })
}
