//! A scenario file as a whole: `[scenario]`, its events, and the policy that each change of it makes.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jobstile::args::Args;
use jobstile::scenario::{Happening, InForce, Scenario, Take};
use jobstile_core::id::{RunId, TriggerId};
use jobstile_core::policy::Priority;
use jobstile_core::policy::keys::Takes;
use jobstile_core::time::Time;
use toml::de::{DeTable, DeValue};

use super::{Jobs, State};
use crate::config::diagnostic::{Diagnostic, Failed, Source};
use crate::config::job::rules::of_the_file;
use crate::config::keys::{EVENT, SCENARIO};
use crate::config::parse;
use crate::config::reader::{Item, Reader, items};
use crate::config::suggest::nearest;
use crate::config::value::json;
use crate::text::duration;

/// When a scenario begins, unless it says so: 2026-01-01T00:00:00Z.
const START: Time = Time(1_767_225_600_000_000);
/// Attempts at once, unless it says so.
const WORKERS: u32 = 1000;
/// What an event can do; it does one of them.
const VERBS: [&str; 8] = ["trigger", "pause", "resume", "cancel", "retry", "env", "jobs", "crash"];
/// What a trigger has besides.
const OF_A_TRIGGER: [&str; 4] = ["args", "priority", "in", "id"];

/// A scenario file that can be replayed.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) source: Arc<Source>,
    pub(crate) scenario: Scenario,
    /// Where its events stand, in their order of time.
    pub(crate) events: Vec<Range<usize>>,
    /// What looks wrong.
    pub(crate) warnings: Vec<Diagnostic>,
}

/// Reads a scenario file.
///
/// # Errors
/// Everything that is wrong with it, as far as it was read.
pub(crate) fn read(source: &Arc<Source>) -> Result<Script, Failed> {
    let table = parse(source)?;
    let jobs = Jobs::read(source, &table)?;
    let Some(script) = items(&table).into_iter().find(|item| item.name() == "scenario") else {
        let right = "[scenario] with `until`, how long it lasts";
        let end = source.text.len();
        return Err(Diagnostic::error(format!("{} has no script", source.name)).at(source, end..end, right).into());
    };
    let mut reading = Reading { reader: Reader::new(source), warnings: vec![], names: BTreeSet::new() };
    let settings = reading.settings(script);
    let mut events = reading.events(script);
    Failed::unless_good(reading.reader.found)?;
    reading.reader = Reader::new(source);
    events.sort_by_key(|event| event.at);

    let mut jobs = jobs;
    if let Some(env) = settings.env {
        jobs.merge_env(env)?;
    }
    let policy = reading.in_force(&jobs)?;
    reading.check_names(&settings, &events);
    let mut script = Scenario {
        start: settings.start,
        until: settings.until,
        policy,
        workers: usize::try_from(settings.workers).unwrap_or(usize::MAX),
        takes: settings.takes.iter().map(|(name, (_, takes))| (name.clone(), takes.clone())).collect(),
        dies: settings.dies.iter().map(|(name, (_, dies))| (name.clone(), *dies)).collect(),
        events: vec![],
    };
    let mut spans = vec![];
    for event in events {
        spans.push(event.span.clone());
        let (at, happening) = reading.resolve(event, &mut jobs)?;
        if at > script.until {
            let span = spans.last().cloned().unwrap_or_default();
            reading.warn(span, "this event comes after the end of the scenario: it never happens", "after `until`");
        }
        script.events.push((at, happening));
    }
    Failed::unless_good(reading.reader.found)?;
    Ok(Script { source: Arc::clone(source), scenario: script, events: spans, warnings: reading.warnings })
}

/// `[scenario]` without its events.
struct Settings<'a> {
    start: Time,
    until: Duration,
    workers: u32,
    takes: HashMap<String, (Range<usize>, Vec<Take>)>,
    dies: HashMap<String, (Range<usize>, Duration)>,
    env: Option<Item<'a>>,
}

/// An event as it was written.
struct Event<'a> {
    at: Duration,
    span: Range<usize>,
    what: What<'a>,
}

enum What<'a> {
    /// Names a job that must be there when it happens.
    OfJob(String, Range<usize>, Happening),
    Env(Item<'a>),
    Jobs(Item<'a>),
    Plain(Happening),
}

struct Reading {
    reader: Reader,
    warnings: Vec<Diagnostic>,
    /// Every job that is there at some time.
    names: BTreeSet<String>,
}

impl Reading {
    fn settings<'a>(&mut self, script: Item<'a>) -> Settings<'a> {
        let mut settings = Settings {
            start: START,
            until: Duration::ZERO,
            workers: WORKERS,
            takes: HashMap::new(),
            dies: HashMap::new(),
            env: None,
        };
        let Some(table) = self.reader.table(script, "[scenario]") else { return settings };
        let mut until = None;
        for item in items(table) {
            match item.name() {
                "until" => until = Some(self.reader.span(item)),
                "start" => settings.start = self.start(item).unwrap_or(START),
                "workers" => {
                    settings.workers = self.reader.whole(item, &of_the_file("workers")).map_or(WORKERS, |at| at.value);
                }
                "env" => settings.env = Some(item),
                "takes" => settings.takes = self.by_job(item, Self::takes),
                "dies" => settings.dies = self.by_job(item, |script, item| script.reader.span(item)),
                "event" => {}
                _ => drop(SCENARIO.unknown(item, "in [scenario]", &mut self.reader)),
            }
        }
        match until {
            Some(until) => settings.until = until.unwrap_or_default(),
            None => self.reader.wrong(script.key.span(), "the scenario has no end", "until = \"10m\""),
        }
        settings
    }

    fn start(&mut self, item: Item<'_>) -> Option<Time> {
        let written = match item.value.get_ref() {
            DeValue::Datetime(date) => date.to_string(),
            other => other.as_str().unwrap_or_default().to_owned(),
        };
        let time = written.parse::<Timestamp>().ok().map(|at| Time(at.as_microsecond()));
        if time.is_none() {
            let right = "date, time and offset, as 2026-01-01T00:00:00Z";
            self.reader.wrong(item.value.span(), "`start` is not a point in time", right);
        }
        time
    }

    fn by_job<T>(
        &mut self,
        item: Item<'_>,
        read: impl Fn(&mut Self, Item<'_>) -> Option<T>,
    ) -> HashMap<String, (Range<usize>, T)> {
        let mut all = HashMap::new();
        let example = format!("as {{ sync = \"{}\" }}", if item.name() == "takes" { "10s fail" } else { "2s" });
        let Some(table) = self.reader.table(item, &example) else { return all };
        for entry in items(table) {
            if let Some(value) = read(self, entry) {
                all.insert(entry.name().to_owned(), (entry.key.span(), value));
            }
        }
        all
    }

    /// How the attempts of one job go: one word or a list of them.
    fn takes(&mut self, item: Item<'_>) -> Option<Vec<Take>> {
        let right = "as \"10s\", \"10s fail\", \"hang\", or a list of such";
        let all = match item.value.get_ref() {
            DeValue::Array(array) if !array.is_empty() => array.iter().collect(),
            DeValue::String(_) => vec![item.value],
            _ => {
                return self.reader.mismatch(item, "a duration and an end", right);
            }
        };
        let mut takes = vec![];
        for one in all {
            match one.get_ref().as_str().map(take) {
                Some(Ok(take)) => takes.push(take),
                Some(Err((what, right))) => self.reader.wrong(one.span(), what, right),
                None => self.reader.wrong(one.span(), format!("`{}` takes durations and ends", item.name()), right),
            }
        }
        Some(takes)
    }

    fn events<'a>(&mut self, script: Item<'a>) -> Vec<Event<'a>> {
        let item = script.value.get_ref().as_table().and_then(|table| items(table).into_iter().find(is_event));
        let Some(item) = item else { return vec![] };
        let Some(array) = item.value.get_ref().as_array() else {
            self.reader.mismatch::<()>(item, "a list of tables", "[[scenario.event]]");
            return vec![];
        };
        let mut events = vec![];
        for one in array.iter() {
            match one.get_ref().as_table() {
                Some(table) => events.extend(self.event(table, one.span())),
                None => self.reader.wrong(one.span(), "an event is a table", "[[scenario.event]]"),
            }
        }
        events
    }

    fn event<'a>(&mut self, table: &'a DeTable<'a>, whole: Range<usize>) -> Option<Event<'a>> {
        let all = items(table);
        let of = |name: &str| all.iter().copied().find(|item| item.name() == name);
        for item in &all {
            if !EVENT.known().contains(&item.name()) {
                EVENT.unknown(*item, "in an event", &mut self.reader);
            }
        }
        // The head of its table, or its first key.
        let span = all.first().map_or(whole.clone(), |item| item.key.span());
        let mut verbs = all.iter().copied().filter(|item| VERBS.contains(&item.name()));
        let Some(verb) = verbs.next() else {
            self.reader.wrong(span, "this event does nothing", format!("one of {}", VERBS.join(", ")));
            return None;
        };
        if let Some(other) = verbs.next() {
            let title = format!("an event does one thing, this one `{}` and `{}`", verb.name(), other.name());
            self.reader.wrong(other.key.span(), title, "another [[scenario.event]]");
        }
        for item in all.iter().filter(|item| OF_A_TRIGGER.contains(&item.name()) && verb.name() != "trigger") {
            let title = format!("`{}` belongs to a trigger, not to `{}`", item.name(), verb.name());
            self.reader.wrong(item.key.span(), title, "take it out");
        }
        let at = match of("at") {
            Some(at) => self.reader.span(at)?,
            None => {
                self.reader.wrong(verb.key.span(), "this event has no time", "at = \"30s\", from the start");
                return None;
            }
        };
        let what = match verb.name() {
            "trigger" => What::Plain(self.trigger(verb, &of)?),
            "pause" | "resume" => {
                let job = self.reader.text(verb, "the name of a job")?.value;
                let pause = if verb.name() == "pause" { Happening::Pause } else { Happening::Resume };
                What::OfJob(job.clone(), verb.value.span(), pause(job))
            }
            "cancel" => What::Plain(Happening::Cancel(self.run(verb)?)),
            "retry" => What::Plain(Happening::Retry(self.run(verb)?)),
            "env" => What::Env(verb),
            "jobs" => What::Jobs(verb),
            _ => What::Plain(Happening::Crash(self.reader.span(verb)?)),
        };
        Some(Event { at, span: verb.key.span(), what })
    }

    fn trigger<'a>(&mut self, verb: Item<'a>, of: &impl Fn(&str) -> Option<Item<'a>>) -> Option<Happening> {
        let job = self.reader.text(verb, "the name of a job")?.value;
        let args = match of("args") {
            None => Ok(Args::none()),
            Some(item) => match json(item.value, 1) {
                Ok(value) => Args::of(value),
                Err((span, what)) => {
                    self.reader.wrong(span, format!("`args` {what}"), "");
                    return None;
                }
            },
        };
        let priority =
            of("priority").and_then(|item| self.reader.word::<Priority>(item, Priority::WORDS)).map(|at| at.value);
        let later = of("in").and_then(|item| self.reader.span(item));
        let id = of("id").and_then(|item| self.trigger_id(item));
        Some(Happening::Trigger { job, args, priority, later, id })
    }

    fn trigger_id(&mut self, item: Item<'_>) -> Option<TriggerId> {
        let id = TriggerId::new(&self.reader.text(item, "a name for this trigger")?.value);
        if id.is_err() {
            let right = "1 to 200 bytes, no control characters, no `@` first";
            self.reader.wrong(item.value.span(), "not a valid trigger id", right);
        }
        id.ok()
    }

    /// The number of a run.
    fn run(&mut self, item: Item<'_>) -> Option<RunId> {
        self.reader
            .whole(item, &Takes::Whole { least: 1, most: u32::MAX.into(), or: None })
            .map(|at| RunId(at.value.into()))
    }

    fn warn(&mut self, span: Range<usize>, title: impl Into<String>, label: &str) {
        let warning = Diagnostic::warning(title).at(&self.reader.source, span, label);
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// The policy as the file and the script so far make it.
    fn in_force(&mut self, jobs: &Jobs) -> Result<InForce, Failed> {
        let State { jobs, switches, warnings } = jobs.state()?;
        for warning in warnings {
            if !self.warnings.contains(&warning) {
                self.warnings.push(warning);
            }
        }
        self.names.extend(jobs.keys().map(ToString::to_string));
        let jobs = jobs.into_iter().map(|(name, job)| (name.to_string(), job.policy)).collect();
        Ok(InForce { switches, jobs })
    }

    /// The event as it happens: a change of the policy becomes the whole policy.
    fn resolve(&mut self, event: Event<'_>, jobs: &mut Jobs) -> Result<(Duration, Happening), Failed> {
        let happening = match event.what {
            What::Env(item) => {
                jobs.merge_env(item)?;
                Happening::Policy(self.in_force(jobs)?)
            }
            What::Jobs(item) => {
                jobs.merge_jobs(item)?;
                Happening::Policy(self.in_force(jobs)?)
            }
            What::OfJob(name, span, happening) => {
                if !self.names.contains(&name) {
                    let right = self.did_you_mean(&name);
                    self.reader.wrong(span, format!("there is no job `{name}` at this time"), right);
                }
                happening
            }
            What::Plain(happening) => happening,
        };
        Ok((event.at, happening))
    }

    /// Jobs that are named in `takes` and `dies` and never there.
    fn check_names(&mut self, settings: &Settings<'_>, events: &[Event<'_>]) {
        let mut there = self.names.clone();
        for event in events {
            if let What::Jobs(item) = &event.what {
                let table = item.value.get_ref().as_table();
                there.extend(table.into_iter().flat_map(items).map(|item| item.name().to_owned()));
            }
        }
        let takes = settings.takes.iter().map(|(name, (span, _))| (name, span));
        let dies = settings.dies.iter().map(|(name, (span, _))| (name, span));
        let mut absent: Vec<_> = takes.chain(dies).filter(|(name, _)| !there.contains(*name)).collect();
        absent.sort_by_key(|(_, span)| span.start);
        for (name, span) in absent {
            let right = self.did_you_mean(name);
            self.warn(span.clone(), format!("there is no job `{name}`"), &right);
        }
    }

    fn did_you_mean(&self, name: &str) -> String {
        match nearest(name, self.names.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "no such job".to_owned(),
        }
    }
}

fn is_event(item: &Item<'_>) -> bool {
    item.name() == "event"
}

/// `10s`, `10s ok`, `10s fail` or `hang`.
fn take(text: &str) -> Result<Take, (String, String)> {
    let text = text.trim();
    let (time, end) = match text.rsplit_once(char::is_whitespace) {
        Some((time, end @ ("ok" | "fail" | "hang"))) => (time, end),
        _ if text == "hang" => return Ok(Take::Hangs),
        _ => (text, "ok"),
    };
    let time = duration::parse(time).map_err(|error| match text.rsplit_once(char::is_whitespace) {
        Some((time, word)) if duration::parse(time).is_ok() => {
            (format!("`{word}` is not a way for an attempt to end"), "ok, fail or hang".to_owned())
        }
        _ => (error.to_string(), error.right()),
    })?;
    Ok(match end {
        "fail" => Take::Fails(time),
        "hang" => Take::Hangs,
        _ => Take::Well(time),
    })
}

#[cfg(test)]
mod tests;
