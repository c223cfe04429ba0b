//! What one table says: a job's, or `[defaults]`. Every key may be absent; each value has its place.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jobstile_core::policy::{Concurrency, DEFAULT_MAX_WAITING, MAX_CONCURRENT, OnDuplicate, OnFull, Priority, Until};
use jobstile_core::schedule::{CatchUp, First};
use toml::de::{DeTable, DeValue};

use crate::config::handler::{self, Call};
use crate::config::keys::{BACKOFF, DEDUP, JOB};
use crate::config::reader::{At, Item, Reader, items, one_of};
use crate::config::value;
use crate::text::duration::{self, LONGEST};

/// The shortest interval of a schedule.
pub(crate) const SHORTEST_EVERY: Duration = Duration::from_millis(100);
/// The shortest of the other durations.
pub(crate) const SHORTEST: Duration = Duration::from_millis(1);
/// The most executions of a run.
pub(crate) const MOST_ATTEMPTS: u32 = 1000;
/// The most places to wait.
pub(crate) const MOST_WAITING: u32 = 10_000_000;
/// The most fields of a key.
pub(crate) const MOST_KEY_FIELDS: usize = 16;

/// What a table says.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Written {
    pub(crate) every: Option<At<Duration>>,
    pub(crate) first: Option<At<First>>,
    pub(crate) catch_up: Option<At<CatchUp>>,
    pub(crate) args: Option<At<serde_json::Value>>,
    pub(crate) enabled: Option<At<bool>>,
    pub(crate) monitoring: Option<At<bool>>,
    pub(crate) dedup: Option<At<Dedup>>,
    pub(crate) overlap: Option<At<Overlap>>,
    pub(crate) max_concurrent: Option<At<Concurrency>>,
    pub(crate) max_waiting: Option<At<u32>>,
    pub(crate) on_full: Option<At<OnFull>>,
    pub(crate) priority: Option<At<Priority>>,
    pub(crate) attempts: Option<At<u32>>,
    pub(crate) backoff: Option<At<Backoff>>,
    /// Inside: `"none"`.
    pub(crate) timeout: Option<At<Option<Duration>>>,
    pub(crate) call: Option<At<Call>>,
    pub(crate) cwd: Option<At<String>>,
    pub(crate) env: Option<At<BTreeMap<String, At<String>>>>,
    pub(crate) env_file: Option<At<String>>,
    pub(crate) pass_env: Option<At<Vec<String>>>,
    pub(crate) inherit_lock: Option<At<bool>>,
    /// Keys that were written in a way that cannot be read, so that nobody complains that they are absent.
    pub(crate) wrong: BTreeSet<String>,
}

/// A `dedup` table.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Dedup {
    pub(crate) key: Option<At<Vec<String>>>,
    pub(crate) until: Option<At<Until>>,
    pub(crate) on_duplicate: Option<At<OnDuplicate>>,
}

/// A `backoff` table.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Backoff {
    pub(crate) delay: Option<At<Duration>>,
    pub(crate) factor: Option<At<f64>>,
    pub(crate) max: Option<At<Duration>>,
}

/// The one word that writes both rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overlap {
    Skip,
    QueueOne,
    Queue,
    Allow,
}

impl Overlap {
    const ALL: [(&'static str, Self); 4] =
        [("skip", Self::Skip), ("queue-one", Self::QueueOne), ("queue", Self::Queue), ("allow", Self::Allow)];

    pub(crate) fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, overlap)| *overlap == self).map_or("", |(word, _)| word)
    }

    /// The identity rule it writes.
    pub(crate) fn until(self) -> Option<Until> {
        (self == Self::QueueOne).then_some(Until::Start)
    }

    pub(crate) fn max_concurrent(self) -> Concurrency {
        if self == Self::Allow { Concurrency::Unlimited } else { Concurrency::Limited(1) }
    }

    /// `None` means the default of what it writes besides.
    pub(crate) fn max_waiting(self) -> Option<u32> {
        match self {
            Self::Skip => Some(0),
            Self::Queue => Some(DEFAULT_MAX_WAITING),
            Self::QueueOne | Self::Allow => None,
        }
    }
}

/// Reads a job's table or `[defaults]`; `place` is as in «in job `backup`».
pub(crate) fn read(table: &DeTable<'_>, place: &str, reader: &mut Reader) -> Written {
    let mut written = Written::default();
    let w = &mut written;
    for item in items(table) {
        let before = reader.found.len();
        match item.name() {
            "every" => w.every = reader.duration(item, SHORTEST_EVERY..=LONGEST),
            "first" => w.first = reader.word(item, First::ALL),
            "catch_up" => w.catch_up = catch_up(item, reader),
            "args" => w.args = value::args(item, reader),
            "enabled" => w.enabled = reader.boolean(item),
            "monitoring" => w.monitoring = reader.boolean(item),
            "dedup" => w.dedup = dedup(item, place, reader),
            "overlap" => w.overlap = overlap(item, reader),
            "max_concurrent" => w.max_concurrent = max_concurrent(item, reader),
            "max_waiting" => w.max_waiting = reader.whole(item, 0..=MOST_WAITING),
            "on_full" => w.on_full = reader.word(item, OnFull::ALL),
            "priority" => w.priority = reader.word(item, Priority::ALL),
            "attempts" => w.attempts = reader.whole(item, 1..=MOST_ATTEMPTS),
            "backoff" => w.backoff = backoff(item, place, reader),
            "timeout" => w.timeout = timeout(item, reader),
            "command" | "shell" | "http" => {
                if let Some(call) = handler::call(item, place, reader) {
                    one_call(&mut w.call, call, place, reader);
                }
            }
            "cwd" => w.cwd = reader.text(item, "a folder, as \"/srv/app\""),
            "env" => w.env = handler::env(item, reader),
            "env_file" => w.env_file = reader.text(item, "a file, as \"/etc/app/env\""),
            "pass_env" => w.pass_env = handler::pass_env(item, reader),
            "inherit_lock" => w.inherit_lock = reader.boolean(item),
            _ => w.wrong.extend(JOB.unknown(item, place, reader).map(str::to_owned)),
        }
        if reader.found.len() > before {
            w.wrong.insert(item.name().to_owned());
        }
    }
    overlap_alone(w, reader);
    written
}

fn one_call(known: &mut Option<At<Call>>, call: At<Call>, place: &str, reader: &mut Reader) {
    match known {
        None => *known = Some(call),
        Some(first) => {
            let title = format!("two handlers {place}: `{}` and `{}`", first.value.word(), call.value.word());
            reader.wrong(call.key, title, "one of command, shell and http");
        }
    }
}

/// Beside `overlap` stands none of what it writes.
fn overlap_alone(w: &Written, reader: &mut Reader) {
    let Some(overlap) = &w.overlap else { return };
    let beside = [
        w.dedup.as_ref().map(|at| ("dedup", &at.key)),
        w.max_concurrent.as_ref().map(|at| ("max_concurrent", &at.key)),
        w.max_waiting.as_ref().map(|at| ("max_waiting", &at.key)),
    ];
    let writes = match overlap.value {
        Overlap::Skip => "max_concurrent = 1, max_waiting = 0",
        Overlap::QueueOne => "dedup = { until = \"start\" }, max_concurrent = 1",
        Overlap::Queue => "max_concurrent = 1, max_waiting = 100000",
        Overlap::Allow => "max_concurrent = \"unlimited\"",
    };
    for (name, key) in beside.into_iter().flatten() {
        reader.wrong_help(
            key.clone(),
            format!("`{name}` beside `overlap`, which writes it"),
            "one of the two",
            format!("overlap = \"{}\" writes {writes}", overlap.value.as_str()),
        );
    }
}

fn dedup(item: Item<'_>, place: &str, reader: &mut Reader) -> Option<At<Dedup>> {
    let table = reader.table(item, "as { key = [\"wallet\"] }")?;
    let mut dedup = Dedup::default();
    for item in items(table) {
        match item.name() {
            "key" => dedup.key = key(item, reader),
            "until" => dedup.until = until(item, reader),
            "on_duplicate" => dedup.on_duplicate = on_duplicate(item, reader),
            _ => drop(DEDUP.unknown(item, &format!("in `dedup` {place}"), reader)),
        }
    }
    Some(reader.at(item, dedup))
}

fn key(item: Item<'_>, reader: &mut Reader) -> Option<At<Vec<String>>> {
    if let Some(word) = item.as_str() {
        reader.wrong(item.value.span(), "`key` takes a list of argument fields", format!("[\"{word}\"]"));
        return None;
    }
    let key = reader.strings(item, "argument fields, as [\"wallet\"]; [] is the job itself")?;
    let twice = key.value.iter().enumerate().find(|(i, field)| key.value[..*i].contains(field));
    if let Some((_, field)) = twice {
        reader.wrong(key.span, format!("`key` names `{field}` twice"), "each field once");
        return None;
    }
    if key.value.len() > MOST_KEY_FIELDS || key.value.iter().any(String::is_empty) {
        reader.wrong(key.span, "`key` names argument fields", format!("at most {MOST_KEY_FIELDS}, none of them empty"));
        return None;
    }
    Some(key)
}

fn until(item: Item<'_>, reader: &mut Reader) -> Option<At<Until>> {
    let is_time = item.as_str().is_some_and(|text| duration::parse(text).is_ok());
    if !is_time {
        return reader.word(item, Until::ALL);
    }
    reader.wrong_help(
        item.value.span(),
        "`until` names a moment in a run's life, not a time",
        one_of(Until::ALL),
        format!(
            "a window of time is `for = \"{}\"`, which is not in this version yet",
            item.as_str().unwrap_or_default()
        ),
    );
    None
}

fn on_duplicate(item: Item<'_>, reader: &mut Reader) -> Option<At<OnDuplicate>> {
    if matches!(item.as_str(), Some("replace" | "merge" | "preempt")) {
        not_yet(item, &one_of(OnDuplicate::ALL), reader);
        return None;
    }
    reader.word(item, OnDuplicate::ALL)
}

fn catch_up(item: Item<'_>, reader: &mut Reader) -> Option<At<CatchUp>> {
    if item.as_str() == Some("all") || item.value.get_ref().is_table() {
        not_yet(item, &one_of(CatchUp::ALL), reader);
        return None;
    }
    reader.word(item, CatchUp::ALL)
}

fn overlap(item: Item<'_>, reader: &mut Reader) -> Option<At<Overlap>> {
    let words = Overlap::ALL.map(|(word, _)| word);
    match item.as_str() {
        Some("replace") => not_yet(item, &one_of(&words), reader),
        Some(asked) => match Overlap::ALL.iter().find(|(word, _)| *word == asked) {
            Some((_, overlap)) => return Some(reader.at(item, *overlap)),
            None => reader.wrong(item.value.span(), format!("`overlap` cannot be \"{asked}\""), one_of(&words)),
        },
        None => reader.mismatch(item, "a word", one_of(&words)),
    }
    None
}

/// A value that is planned.
fn not_yet(item: Item<'_>, right: &str, reader: &mut Reader) {
    let value = item.as_str().map_or("a table".into(), |word| format!("\"{word}\""));
    let title = format!("`{}` cannot be {value} in this version yet", item.name());
    reader.wrong(item.value.span(), title, right);
}

fn max_concurrent(item: Item<'_>, reader: &mut Reader) -> Option<At<Concurrency>> {
    match item.value.get_ref() {
        DeValue::String(word) if word == "unlimited" => Some(reader.at(item, Concurrency::Unlimited)),
        DeValue::Integer(_) => {
            let number = reader.whole(item, 1..=MAX_CONCURRENT)?;
            Some(number.with(Concurrency::Limited(number.value)))
        }
        _ => {
            reader.mismatch(item, "a whole number", format!("1 to {MAX_CONCURRENT}, or \"unlimited\""));
            None
        }
    }
}

fn backoff(item: Item<'_>, place: &str, reader: &mut Reader) -> Option<At<Backoff>> {
    let range = SHORTEST..=LONGEST;
    if item.as_str().is_some() {
        let delay = reader.duration(item, range)?;
        let right = format!("{{ delay = \"{}\" }}", duration::short(delay.value));
        reader.mismatch(item, "a table", right);
        return None;
    }
    let table = reader.table(item, "as { delay = \"30s\" }")?;
    let mut backoff = Backoff::default();
    for item in items(table) {
        match item.name() {
            "delay" => backoff.delay = reader.duration(item, range.clone()),
            "factor" => backoff.factor = reader.number(item, 1.0..=100.0),
            "max" => backoff.max = reader.duration(item, range.clone()),
            _ => drop(BACKOFF.unknown(item, &format!("in `backoff` {place}"), reader)),
        }
    }
    Some(reader.at(item, backoff))
}

fn timeout(item: Item<'_>, reader: &mut Reader) -> Option<At<Option<Duration>>> {
    if item.as_str() == Some("none") {
        return Some(reader.at(item, None));
    }
    let timeout = reader.duration(item, SHORTEST..=LONGEST)?;
    Some(timeout.with(Some(timeout.value)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::diagnostic::Source;

    /// Every key that is suggested is read, and the other way round.
    #[test]
    fn the_keys_of_a_job_are_read() {
        for key in JOB.known {
            let text = format!("{key} = 2020-01-01");
            let source = Source::new("jobstile.toml", text.as_str());
            let Ok(table) = DeTable::parse(&text) else { panic!("{text}") };
            let mut reader = Reader::new(&source);
            read(table.get_ref(), "in job `x`", &mut reader);
            let titles: Vec<&str> = reader.found.iter().map(|d| d.title.as_str()).collect();
            assert!(titles.len() == 1 && !titles[0].contains("unknown"), "{key}: {titles:?}");
        }
    }
}
