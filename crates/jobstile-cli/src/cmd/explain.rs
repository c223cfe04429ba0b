//! `explain`: why did my job not run, and who holds it?

mod key;
mod page;

use jobstile::answer::{Attention, Explained, ExplainedRun, Overview};
use jobstile_core::id::RunId;
use jobstile_core::run::State;
use serde_json::Value;

use crate::args::{Global, Output};
use crate::cmd::open::{Opened, open_quietly};
use crate::error::Error;
use crate::exit::Code;
use crate::text;
use crate::text::fit::Form;
use crate::text::time::Times;
use crate::text::words::{self, count};
use page::Page;

/// How much of a result is shown to people, in characters.
const RESULT: usize = 200;

/// Arguments of `explain`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  jobstile explain chain_state_monitor               why does it not run?
  jobstile explain 812                               what became of this run?
  jobstile explain --key sync_wallet wallet=SP2X0    who holds this key?")]
pub(crate) struct Args {
    /// A job, or a run
    #[arg(value_name = "JOB|RUN")]
    what: String,
    /// Say who holds the key of these argument fields
    #[arg(long)]
    key: bool,
    /// With --key: the fields of the key
    #[arg(value_name = "FIELD=VALUE", requires = "key")]
    fields: Vec<String>,
}

pub(crate) fn run(args: Args, global: &Global) -> Result<Code, Error> {
    let opened = open_quietly(global)?;
    let (page, json) = match args.what.parse::<i64>() {
        _ if args.key && args.fields.is_empty() && args.what.contains('=') => return Err(whose_key(&args.what)),
        _ if args.key => key::explain(&opened, &args.what, &args.fields)?,
        // A job may have a number as its name.
        Ok(number) if number > 0 && (opened.client.run(RunId(number))?.is_some() || opened.client.job(&args.what)?.is_none()) => {
            run_of(&opened, RunId(number))?
        }
        _ => job(&opened, &args.what)?,
    };
    match global.output {
        Output::Table => text::out(&page.to_text(Form::of_stdout()))?,
        form => text::out(&text::json::document(&json, form == Output::Jsonl))?,
    }
    Ok(Code::Done)
}

// A field stands where the job belongs.
fn whose_key(field: &str) -> Error {
    let field = jobstile::text::clean_to(field, 80);
    Error::new(Code::Usage, "--key: of which job?").hint(format!("write jobstile explain --key JOB {field}"))
}

fn job(opened: &Opened, name: &str) -> Result<(Page, Value), Error> {
    let Some(all) = opened.client.explain(name)? else { return Err(opened.no_job(name)?) };
    let times = Times::here(all.overview.at);
    let sentence = words::standing::job(&all, &times);
    let json = text::json::answer::explained(&all, &sentence);
    let mut page = Page::new(sentence, &times);
    page.happened(&all.happened);
    if let Some(run) = all.job.retrying() {
        let (of, next) = (all.job.info.policy.as_ref().map_or(1, |policy| policy.attempts), run.row.failures + 1);
        let (at, ago) = (times.at(run.row.due), times.ago(run.row.due));
        page.now(format!("attempt {next} of {of} starts at {at}, {ago}"));
    }
    sections(&mut page, &all, &times);
    Ok((page, json))
}

fn sections(page: &mut Page, all: &Explained, times: &Times) {
    let name = &*all.job.info.name;
    let queued = all.job.info.tally.queued;
    // The sentence names one that waits, unless it is about something else.
    let named = matches!(all.standing, jobstile::answer::Standing::Waiting { .. }) && all.in_the_way.is_none();
    if queued > u64::from(named) {
        let shown: Vec<String> = all.waiting.iter().take(5).map(|run| run.row.id.to_string()).collect();
        let more = if all.waiting.len() > 5 { ", …" } else { "" };
        page.says("waiting", format!("{}: {}{more}", count(queued, "run"), shown.join(", ")));
    }
    if let (Some(run), n) = (all.job.later(), all.job.info.tally.scheduled) {
        let (at, ago) = (times.at(run.row.due), times.ago(run.row.due));
        page.says("later", format!("{}, the next is run {}, due {at}, {ago}", count(n, "run"), run.row.id));
    }
    held(page, &all.overview, None, times);
    if let Some(rule) = &all.rule {
        page.says("rule", words::standing::rule(rule));
    }
    if let Some(run) = all.may_miss {
        let began = all.job.running.iter().find(|one| one.run.row.id == run).and_then(|one| one.run.row.claimed_at);
        let began = began.map_or(String::new(), |at| times.at(at));
        page.says("lost?", format!("run {run} began at {began} and may not see what changed since; the next run will"));
    }
    if let Some(run) = &all.catch_up {
        let row = &run.row;
        let (tick, ran) = (row.nominal.unwrap_or(row.due), row.claimed_at.unwrap_or(row.admitted_at));
        let (tick, ran, how) = (times.at(tick), times.at(ran), words::became(row.state));
        page.says("catch-up", format!("the missed {tick} ran at {ran} as run {}: it {how}", row.id));
    }
    if let Some(pattern) = words::pattern::pattern(&all.pattern, times) {
        page.says("pattern", pattern);
    }
    for advice in &all.advice {
        let (word, says) = words::pattern::advice(advice, name);
        page.says(word, says);
    }
    if all.job.info.policy.is_none() {
        page.says("history", format!("jobstile runs {name}"));
    }
}

fn run_of(opened: &Opened, id: RunId) -> Result<(Page, Value), Error> {
    let Some(all) = opened.client.explain_run(id)? else { return Err(opened.no_run(id)?) };
    let times = Times::here(all.overview.at);
    let sentence = words::standing::run(&all, &times);
    let json = text::json::answer::explained_run(&all, &sentence);
    let mut page = Page::new(sentence, &times);
    page.happened(&all.happened);
    let row = &all.run.row;
    if row.state == State::Retrying {
        page.now(format!("attempt {} starts {}", row.claims + 1, times.ago(row.due)));
    }
    if let Some(replacement) = all.replacement {
        page.says("lost?", words::standing::replacement(replacement));
    }
    held(&mut page, &all.overview, Some(id), &times);
    turned_away(&mut page, &all, &times);
    if let Some(result) = &all.result {
        page.says("result", shown(result, id));
    }
    match row.state {
        State::Running if row.cancel_at.is_some() || all.was_running => {}
        State::Running => page.says("to end it", format!("jobstile cancel {id}")),
        State::Retrying => page.says("now", format!("jobstile retry {id}   (starts it at once)")),
        State::Dead => page.says("again", format!("jobstile retry {id}")),
        State::Scheduled | State::Queued | State::Succeeded | State::Cancelled | State::Refused | State::Expired => {}
    }
    if row.started() {
        page.says("output", format!("jobstile logs {id}"));
    }
    Ok((page, json))
}

// Runs that no node can end or vouch for, or one of them.
fn held(page: &mut Page, overview: &Overview, only: Option<RunId>, times: &Times) {
    for one in overview.attention() {
        let Attention::Remains { run, .. } = &one else { continue };
        if only.is_none_or(|only| only == *run) {
            let said = words::attention::attention(&one, times);
            page.says("held", format!("{} {}", said.says, said.commands.join(" · ")));
        }
    }
}

// A long result by its beginning, and where the whole of it is.
fn shown(result: &str, id: RunId) -> String {
    let shown = jobstile::text::clean_to(result, RESULT);
    if result.chars().count() <= RESULT { shown } else { format!("{shown}   (jobstile explain {id} -o json has all)") }
}

// What a run kept from running.
fn turned_away(page: &mut Page, all: &ExplainedRun, times: &Times) {
    if let (n, Some(first)) = (all.turned_away.count, all.turned_away.first_at) {
        page.says("behind it", format!("{} turned away since {}", count(n, "trigger"), times.at(first)));
    }
}
