//! Reads the values of a TOML table, each with its place, and collects what is wrong with them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use jobstile_core::policy::keys::{Plain, Takes, Value};
use jobstile_core::policy::mistake::one_of;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use crate::config::diagnostic::{Diagnostic, Source};
use crate::config::origin::{Origin, Section, Spot};
use crate::config::value::args;
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
    pub(crate) fn mismatch<T>(&mut self, item: Item<'_>, takes: &str, example: impl Into<String>) -> Option<T> {
        let title = format!("`{}` takes {takes}, not {}", item.name(), type_name(item.value.get_ref()));
        self.wrong(item.value.span(), title, example);
        None
    }

    pub(crate) fn text(&mut self, item: Item<'_>, example: &str) -> Option<At<String>> {
        match item.as_str() {
            Some("") => self.wrong(item.value.span(), format!("`{}` is empty", item.name()), example),
            Some(text) if text.contains('\0') => {
                self.wrong(item.value.span(), format!("`{}` has a NUL character", item.name()), "text without it");
            }
            Some(text) => return Some(self.at(item, text.to_owned())),
            None => return self.mismatch(item, "a string", example),
        }
        None
    }

    /// The value of a key of the policy, checked against its bounds.
    pub(crate) fn value(&mut self, item: Item<'_>, takes: &Takes) -> Option<Value> {
        let value = match takes {
            Takes::Flag => match item.value.get_ref().as_bool() {
                Some(flag) => Value::Flag(flag),
                None => return self.mismatch(item, "true or false", "true or false, without quotes"),
            },
            Takes::Whole { or, .. } => match item.value.get_ref() {
                DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                    Ok(number) => Value::Whole(number),
                    // Beyond 64 bits, so beyond all bounds.
                    Err(_) => Value::Whole(i64::MAX),
                },
                other if or.is_some() && other.as_str() == *or => Value::Word(or.unwrap_or_default().to_owned()),
                _ => return self.mismatch(item, "a whole number", takes.in_words()),
            },
            Takes::Fraction { .. } => match item.value.get_ref() {
                DeValue::Integer(number) => {
                    let whole = i64::from_str_radix(number.as_str(), number.radix());
                    Value::Fraction(whole.map_or(f64::INFINITY, |number| number as f64))
                }
                DeValue::Float(number) => Value::Fraction(number.as_str().parse().unwrap_or(f64::INFINITY)),
                _ => return self.mismatch(item, "a number", takes.in_words()),
            },
            Takes::Span { or, .. } => match item.as_str() {
                Some(word) if *or == Some(word) => Value::Word(word.to_owned()),
                _ => Value::Span(self.span(item)?),
            },
            Takes::Word(words) => match item.as_str() {
                Some(word) => Value::Word(word.to_owned()),
                None => return self.mismatch(item, "a word", one_of(words)),
            },
            Takes::Fields { .. } => {
                Value::List(self.strings(item, "argument fields, as [\"wallet\"]; [] is the job itself")?.value)
            }
            Takes::Arguments => Value::Args(args(item, self)?),
            Takes::Table(_)
            | Takes::Jobs
            | Takes::Text
            | Takes::Argv
            | Takes::Address
            | Takes::Headers
            | Takes::Variables
            | Takes::Names => return None,
        };
        if let Some(why) = takes.refuses(&value) {
            self.wrong(item.value.span(), why.title(item.name(), ""), why.right());
            return None;
        }
        Some(value)
    }

    /// As [`value`](Self::value), of one type.
    fn plain<T: Plain>(&mut self, item: Item<'_>, takes: &Takes) -> Option<At<T>> {
        let value = self.value(item, takes).and_then(T::of)?;
        Some(self.at(item, value))
    }

    pub(crate) fn boolean(&mut self, item: Item<'_>) -> Option<At<bool>> {
        self.plain(item, &Takes::Flag)
    }

    pub(crate) fn whole(&mut self, item: Item<'_>, takes: &Takes) -> Option<At<u32>> {
        self.plain(item, takes)
    }

    pub(crate) fn duration(&mut self, item: Item<'_>, takes: &Takes) -> Option<At<Duration>> {
        self.plain(item, takes)
    }

    /// A word of a closed set.
    pub(crate) fn word<T: Plain>(&mut self, item: Item<'_>, words: &'static [&'static str]) -> Option<At<T>> {
        self.plain(item, &Takes::Word(words))
    }

    /// A duration, zero included.
    pub(crate) fn span(&mut self, item: Item<'_>) -> Option<Duration> {
        let wrong = match item.value.get_ref() {
            DeValue::String(text) => match duration::parse(text) {
                Ok(span) => return Some(span),
                Err(error) => error,
            },
            DeValue::Integer(number) if number.as_str().starts_with('-') => BadDuration::Negative,
            DeValue::Integer(number) => BadDuration::NoUnit(number.as_str().to_owned()),
            _ => return self.mismatch(item, "a duration", "as \"90s\", \"5m\" or \"1h 30m\""),
        };
        self.wrong(item.value.span(), wrong.to_string(), wrong.right());
        None
    }

    /// A list of strings.
    pub(crate) fn strings(&mut self, item: Item<'_>, example: &str) -> Option<At<Vec<String>>> {
        let Some(array) = item.value.get_ref().as_array() else {
            return self.mismatch(item, "a list of strings", example);
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
        match item.value.get_ref().as_table() {
            None => self.mismatch(item, "a table", example),
            table => table,
        }
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
