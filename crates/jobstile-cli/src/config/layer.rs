//! What one table says: a job's, or `[defaults]`. Every key may be absent; each value has its place.

use std::collections::{BTreeMap, BTreeSet};

use jobstile_core::policy::keys::{self, Field, Key, Meaning, Table, Takes, Value};
use jobstile_core::policy::mistake::one_of;
use jobstile_core::policy::{OnDuplicate, Until, Written};
use jobstile_core::schedule::CatchUp;
use toml::de::DeTable;

use crate::config::handler::Work;
use crate::config::keys::{BACKOFF, DEDUP, JOB, Names};
use crate::config::reader::{At, Item, Reader, items};
use crate::text::duration;

/// What a table says.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Layer {
    /// What the rules are made of.
    pub(crate) written: Written,
    /// Where each key of it stands, by its path.
    pub(crate) places: BTreeMap<&'static str, At<()>>,
    /// What is done, and how.
    pub(crate) work: Work,
    /// Keys that were written in a way that cannot be read, so that nobody complains that they are absent.
    pub(crate) wrong: BTreeSet<String>,
}

/// Reads a job's table or `[defaults]`; `place` is as in «in job `backup`».
pub(crate) fn read(table: &DeTable<'_>, place: &str, reader: &mut Reader) -> Layer {
    let mut layer = Layer::default();
    for item in items(table) {
        let before = reader.found.len();
        match keys::find(Table::Job, item.name()) {
            None => layer.wrong.extend(JOB.unknown(item, place, reader).map(str::to_owned)),
            Some(key) => match &key.meaning {
                Meaning::Policy(field) => layer.policy(item, key, field, place, reader),
                Meaning::Program => layer.work.read(item, place, reader),
            },
        }
        if reader.found.len() > before {
            layer.wrong.insert(item.name().to_owned());
        }
    }
    layer
}

impl Layer {
    /// Reads a key of the rules.
    fn policy(&mut self, item: Item<'_>, key: &'static Key, field: &Field, place: &str, reader: &mut Reader) {
        if is_meant_otherwise(item, key, reader) {
            return;
        }
        let value = match key.takes {
            Takes::Table(inner) => self.inner(item, inner, place, reader),
            _ => reader.value(item, &key.takes),
        };
        if value.is_some_and(|value| (field.put)(&mut self.written, value)) {
            self.places.insert(key.path, reader.at(item, ()));
        }
    }

    /// Reads a table that belongs to the rules.
    fn inner(&mut self, item: Item<'_>, inner: Table, place: &str, reader: &mut Reader) -> Option<Value> {
        let (names, example): (&Names, _) = match inner {
            Table::Backoff => (&BACKOFF, "as { delay = \"30s\" }"),
            _ => (&DEDUP, "as { key = [\"wallet\"] }"),
        };
        let table = reader.table(item, example)?;
        let place = format!("in `{}` {place}", item.name());
        for item in items(table) {
            match keys::find(inner, item.name()).and_then(|key| Some((key, key.field()?))) {
                Some((key, field)) => self.policy(item, key, field, &place, reader),
                None => drop(names.unknown(item, &place, reader)),
            }
        }
        Some(Value::Table)
    }
}

/// Values that people write for something else, and those that are planned.
fn is_meant_otherwise(item: Item<'_>, key: &Key, reader: &mut Reader) -> bool {
    match (key.path, item.as_str()) {
        ("dedup.key", Some(word)) => {
            reader.wrong(item.value.span(), "`key` takes a list of argument fields", format!("[\"{word}\"]"));
        }
        ("dedup.until", Some(time)) if duration::parse(time).is_ok() => reader.wrong_help(
            item.value.span(),
            "`until` names a moment in a run's life, not a time",
            one_of(Until::WORDS),
            format!("a window of time is `for = \"{time}\"`, which is not in this version yet"),
        ),
        ("dedup.on_duplicate", Some("replace" | "merge" | "preempt")) => not_yet(item, OnDuplicate::WORDS, reader),
        ("overlap", Some("replace")) => {
            let Takes::Word(words) = key.takes else { return false };
            not_yet(item, words, reader);
        }
        ("catch_up", Some("all")) => not_yet(item, CatchUp::WORDS, reader),
        ("catch_up", None) if item.value.get_ref().is_table() => not_yet(item, CatchUp::WORDS, reader),
        ("backoff", Some(_)) => {
            if let Some(delay) = reader.span(item) {
                let right = format!("{{ delay = \"{}\" }}", duration::short(delay));
                reader.mismatch::<()>(item, "a table", right);
            }
        }
        _ => return false,
    }
    true
}

/// A value that is planned.
fn not_yet(item: Item<'_>, words: &[&str], reader: &mut Reader) {
    let value = item.as_str().map_or("a table".into(), |word| format!("\"{word}\""));
    let title = format!("`{}` cannot be {value} in this version yet", item.name());
    reader.wrong(item.value.span(), title, one_of(words));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::diagnostic::Source;

    /// Every key of the table is read, and complains about a date.
    #[test]
    fn the_keys_of_a_job_are_read() {
        for key in keys::of(Table::Job) {
            let text = format!("{} = 2020-01-01", key.name());
            let source = Source::new("jobstile.toml", text.as_str());
            let Ok(table) = DeTable::parse(&text) else { panic!("{text}") };
            let mut reader = Reader::new(&source);
            read(table.get_ref(), "in job `x`", &mut reader);
            let titles: Vec<&str> = reader.found.iter().map(|d| d.title.as_str()).collect();
            assert!(titles.len() == 1 && !titles[0].contains("unknown"), "{}: {titles:?}", key.path);
        }
    }
}
