//! `decisions`: every trigger and what became of it.

use std::time::Duration;

use jobstile::client::{DecisionFilter, DecisionInfo, DecisionPlace};
use jobstile_core::time::Time;

use crate::args::value::up_to;
use crate::args::{Global, Output};
use crate::cmd::open::open;
use crate::error::Error;
use crate::exit::Code;
use crate::text;
use crate::text::{duration, json, words};
use crate::text::table::{Cell, Paint, Table};
use crate::text::time::Times;

/// Arguments of `decisions`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  jobstile decisions backup --refused --since 1h    what was skipped, and why")]
pub(crate) struct Args {
    /// Only this job
    job: Option<String>,
    /// Only triggers that did not become a run
    #[arg(long)]
    refused: bool,
    /// Only decisions within this time, as 8h
    #[arg(long, value_name = "DURATION", value_parser = duration::given)]
    since: Option<Duration>,
    /// Print at most N
    #[arg(short, long, value_name = "N", default_value_t = 20, value_parser = up_to::<u16>(10_000))]
    limit: u16,
    /// Print the page after this place
    #[arg(long, value_name = "PLACE", value_parser = place)]
    after: Option<DecisionPlace>,
}

pub(crate) fn run(args: Args, global: &Global) -> Result<Code, Error> {
    let opened = open(global)?;
    let client = &opened.client;
    if let Some(job) = &args.job {
        opened.job(job)?;
    }
    let limit = usize::from(args.limit);
    let filter = DecisionFilter {
        job: args.job.clone(),
        since: args.since.map(|since| client.now().minus(since)),
        refused_only: args.refused,
        after: args.after,
        limit: limit + 1,
        ..DecisionFilter::default()
    };
    let mut decisions = client.decisions(&filter)?;
    let more = decisions.len() > limit;
    decisions.truncate(limit);
    let next = decisions.last().filter(|_| more).map(|last| written(last.place));
    if global.output != Output::Table {
        let all = decisions.iter().map(json::decision).collect();
        let next = serde_json::json!({ "after": next });
        text::out(&json::list("decisions", all, next, global.output == Output::Jsonl))?;
        return Ok(Code::Done);
    }
    if decisions.is_empty() {
        text::say_line("no such decisions; they are kept for 30 days");
        return Ok(Code::Done);
    }
    let times = Times::here(client.now());
    let at = format!("AT ({})", times.zone());
    let mut table = Table::new(&[at.as_str(), "JOB", "FROM", "DECISION", "CODE", ">RUN", ">BY", ">TIMES", "SINCE", "WHO"]);
    for decision in &jobstile::answer::together(&decisions) {
        table.row(cells(decision, &times));
    }
    text::out(&table.render(text::colour_on_stdout()))?;
    if let Some(next) = next {
        let job = args.job.as_ref().map_or(String::new(), |job| format!(" {job}"));
        let refused = if args.refused { " --refused" } else { "" };
        let since = args.since.map_or(String::new(), |since| format!(" --since '{}'", duration::short(since)));
        text::suggest(&[format!("more: jobstile decisions{job}{refused}{since} --after {next}")]);
    }
    Ok(Code::Done)
}

/// A place as it is written: its time in microseconds, whose number follows, the number.
fn written(place: DecisionPlace) -> String {
    format!("{}{}{}", place.at.0, if place.refusal { 'd' } else { 'r' }, place.id)
}

fn place(text: &str) -> Result<DecisionPlace, String> {
    let parsed = text.find(['d', 'r']).and_then(|at| {
        let (time, id) = (text[..at].parse().ok()?, text[at + 1..].parse().ok()?);
        Some(DecisionPlace { at: Time(time), refusal: text[at..].starts_with('d'), id })
    });
    parsed.ok_or_else(|| "not a place\nwrite what the end of the page before says".to_owned())
}

fn cells(decision: &DecisionInfo, times: &Times) -> [Cell; 10] {
    let number = |id: Option<jobstile_core::id::RunId>| id.map_or(String::new(), |id| id.to_string());
    let paint = match decision.decision.as_str() {
        "admitted" => Paint::Good,
        "rejected" | "missed" => Paint::Bad,
        _ => Paint::Attention,
    };
    let (many, since) = match decision.count {
        1 => (String::new(), String::new()),
        n => (words::number(n), times.at(decision.first_at)),
    };
    [
        Cell::from(times.at(decision.last_at)),
        Cell::from(&*decision.job),
        Cell::from(decision.source.as_str()),
        Cell::new(decision.decision.as_str(), paint),
        Cell::from(decision.code.as_str()),
        Cell::from(number(decision.run)),
        Cell::from(number(decision.by)),
        Cell::from(many),
        Cell::from(since),
        Cell::new(&decision.by_whom, Paint::Faint),
    ]
}
