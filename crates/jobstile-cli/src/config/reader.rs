//! Reads the values of a TOML table, each with its place, and collects what is wrong with them.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::{Range, RangeInclusive};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use crate::config::diagnostic::{Diagnostic, Source};
use crate::config::origin::{Origin, Section, Spot};
use crate::text::duration::{self, BadDuration};

/// A value, and where it and its key stand.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) span: Range<usize>,
    pub(crate) key: Range<usize>,
    pub(crate) section: Section,
}

impl<T> At<T> {
    /// The same place, another value.
    pub(crate) fn with<U>(&self, value: U) -> At<U> {
        At { value, span: self.span.clone(), key: self.key.clone(), section: self.section }
    }

    /// Where it came from: the key and its value.
    pub(crate) fn origin(&self, source: &Arc<Source>) -> Origin {
        let span = self.key.start..self.span.end.max(self.key.end);
        Origin::File(Spot { source: Arc::clone(source), span }, self.section)
    }
}

/// A key with its value, as the parser gives them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Item<'a> {
    pub(crate) key: &'a Spanned<DeString<'a>>,
    pub(crate) value: &'a Spanned<DeValue<'a>>,
}

impl<'a> Item<'a> {
    pub(crate) fn name(&self) -> &'a str {
        self.key.get_ref()
    }

    /// The string, if it is one.
    pub(crate) fn as_str(&self) -> Option<&'a str> {
        self.value.get_ref().as_str()
    }
}

/// The entries of a table in the order of the file.
pub(crate) fn items<'a>(table: &'a DeTable<'a>) -> Vec<Item<'a>> {
    let mut items: Vec<Item<'a>> = table.iter().map(|(key, value)| Item { key, value }).collect();
    items.sort_by_key(|item| item.key.span().start);
    items
}

/// Reads values and collects what is wrong.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) source: Arc<Source>,
    /// Which part of the file is being read.
    pub(crate) section: Section,
    pub(crate) found: Vec<Diagnostic>,
}

impl Reader {
    pub(crate) fn new(source: &Arc<Source>) -> Self {
        Self { source: Arc::clone(source), section: Section::Own, found: vec![] }
    }

    /// This value, with its place.
    pub(crate) fn at<T>(&self, item: Item<'_>, value: T) -> At<T> {
        At { value, span: item.value.span(), key: item.key.span(), section: self.section }
    }

    /// Notes that something is wrong there.
    pub(crate) fn wrong(&mut self, span: Range<usize>, title: impl Into<String>, right: impl Into<String>) {
        let error = Diagnostic::error(title).at(&self.source, span, right);
        self.found.push(error);
    }

    /// As [`wrong`](Self::wrong), and what to do.
    pub(crate) fn wrong_help(
        &mut self,
        span: Range<usize>,
        title: impl Into<String>,
        right: impl Into<String>,
        help: impl Into<String>,
    ) {
        let error = Diagnostic::error(title).at(&self.source, span, right).help(help);
        self.found.push(error);
    }

    /// The value is of another type than it should be.
    pub(crate) fn mismatch(&mut self, item: Item<'_>, takes: &str, example: impl Into<String>) {
        let title = format!("`{}` takes {takes}, not {}", item.name(), type_name(item.value.get_ref()));
        self.wrong(item.value.span(), title, example);
    }

    pub(crate) fn text(&mut self, item: Item<'_>, example: &str) -> Option<At<String>> {
        match item.as_str() {
            Some("") => self.wrong(item.value.span(), format!("`{}` is empty", item.name()), example),
            Some(text) if text.contains('\0') => {
                self.wrong(item.value.span(), format!("`{}` has a NUL character", item.name()), "text without it");
            }
            Some(text) => return Some(self.at(item, text.to_owned())),
            None => self.mismatch(item, "a string", example),
        }
        None
    }

    pub(crate) fn boolean(&mut self, item: Item<'_>) -> Option<At<bool>> {
        match item.value.get_ref().as_bool() {
            Some(value) => Some(self.at(item, value)),
            None => {
                self.mismatch(item, "true or false", "true or false, without quotes");
                None
            }
        }
    }

    pub(crate) fn whole(&mut self, item: Item<'_>, range: RangeInclusive<u32>) -> Option<At<u32>> {
        let DeValue::Integer(number) = item.value.get_ref() else {
            self.mismatch(item, "a whole number", format!("{} to {}", range.start(), range.end()));
            return None;
        };
        let value = i64::from_str_radix(number.as_str(), number.radix()).ok().and_then(|n| u32::try_from(n).ok());
        match value.filter(|value| range.contains(value)) {
            Some(value) => Some(self.at(item, value)),
            None => {
                let title = format!("`{}` is out of range", item.name());
                self.wrong(item.value.span(), title, format!("{} to {}", range.start(), range.end()));
                None
            }
        }
    }

    pub(crate) fn number(&mut self, item: Item<'_>, range: RangeInclusive<f64>) -> Option<At<f64>> {
        let right = format!("{} to {}", range.start(), range.end());
        let value = match item.value.get_ref() {
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).ok().map(|n| n as f64),
            DeValue::Float(number) => number.as_str().parse().ok(),
            _ => {
                self.mismatch(item, "a number", right);
                return None;
            }
        };
        match value.filter(|value| range.contains(value)) {
            Some(value) => Some(self.at(item, value)),
            None => {
                self.wrong(item.value.span(), format!("`{}` is out of range", item.name()), right);
                None
            }
        }
    }

    pub(crate) fn duration(&mut self, item: Item<'_>, range: RangeInclusive<Duration>) -> Option<At<Duration>> {
        let wrong = match item.value.get_ref() {
            DeValue::String(text) => match duration::parse(text) {
                Ok(Duration::ZERO) => (format!("`{}` cannot be zero", item.name()), "longer than that".into()),
                Ok(value) if value < *range.start() => (
                    format!("`{}` is too short", item.name()),
                    format!("at least \"{}\"", duration::short(*range.start())),
                ),
                Ok(value) if value > *range.end() => {
                    (format!("`{}` is too long", item.name()), format!("at most \"{}\"", duration::short(*range.end())))
                }
                Ok(value) => return Some(self.at(item, value)),
                Err(error) => (error.to_string(), error.right()),
            },
            DeValue::Integer(number) if number.as_str().starts_with('-') => {
                (BadDuration::Negative.to_string(), BadDuration::Negative.right())
            }
            DeValue::Integer(number) => {
                let error = BadDuration::NoUnit(number.as_str().to_owned());
                (error.to_string(), error.right())
            }
            _ => {
                self.mismatch(item, "a duration", "as \"90s\", \"5m\" or \"1h 30m\"");
                return None;
            }
        };
        self.wrong(item.value.span(), wrong.0, wrong.1);
        None
    }

    /// A word of a closed set.
    pub(crate) fn word<T: FromStr + Display>(&mut self, item: Item<'_>, all: &[T]) -> Option<At<T>> {
        if let Some(word) = item.as_str().and_then(|word| word.parse().ok()) {
            return Some(self.at(item, word));
        }
        let all = one_of(all);
        match item.as_str() {
            Some(word) => {
                self.wrong(item.value.span(), format!("`{}` cannot be \"{word}\"", item.name()), all);
            }
            None => self.mismatch(item, "a word", all),
        }
        None
    }

    /// A list of strings, none of them empty.
    pub(crate) fn strings(&mut self, item: Item<'_>, example: &str) -> Option<At<Vec<String>>> {
        let Some(array) = item.value.get_ref().as_array() else {
            self.mismatch(item, "a list of strings", example);
            return None;
        };
        let mut all = vec![];
        for element in array.iter() {
            match element.get_ref().as_str() {
                Some(text) if !text.contains('\0') => all.push(text.to_owned()),
                _ => {
                    let title = format!("`{}` takes a list of strings", item.name());
                    self.wrong(element.span(), title, example);
                    return None;
                }
            }
        }
        Some(self.at(item, all))
    }

    /// A table of strings.
    pub(crate) fn string_table(&mut self, item: Item<'_>, example: &str) -> Option<At<BTreeMap<String, At<String>>>> {
        let table = self.table(item, example)?;
        let mut all = BTreeMap::new();
        for entry in items(table) {
            match entry.as_str() {
                Some(text) if !text.contains('\0') => {
                    all.insert(entry.name().to_owned(), self.at(entry, text.to_owned()));
                }
                _ => self.wrong(
                    entry.value.span(),
                    format!(
                        "`{}.{}` takes a string, not {}",
                        item.name(),
                        entry.name(),
                        type_name(entry.value.get_ref())
                    ),
                    "in quotes",
                ),
            }
        }
        Some(self.at(item, all))
    }

    pub(crate) fn table<'a>(&mut self, item: Item<'a>, example: &str) -> Option<&'a DeTable<'a>> {
        let table = item.value.get_ref().as_table();
        if table.is_none() {
            self.mismatch(item, "a table", example);
        }
        table
    }
}

/// `"a", "b" or "c"`.
pub(crate) fn one_of<T: Display>(words: &[T]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.join(""),
    }
}

/// With its article.
pub(crate) fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
