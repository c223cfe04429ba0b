//! The table of keys: what a configuration may say, one row a key.
//!
//! From these rows are made what the reader of a file accepts and suggests, the lists of `show` and `config`, the
//! reference page and the JSON Schema for editors.

mod rows;
mod value;

use std::time::Duration;

pub use rows::KEYS;
pub use value::{Plain, Value};

use crate::policy::mistake::{Mistake, Why, one_of};
use crate::policy::{Policy, Written};
use crate::time::in_short;

/// The longest duration that anybody may write: ten years. A longer one is a mistake.
pub const LONGEST: Duration = Duration::from_secs(10 * 366 * 86_400);
/// The shortest interval of a schedule.
pub const SHORTEST_EVERY: Duration = Duration::from_millis(100);
/// The shortest of the other durations.
pub const SHORTEST: Duration = Duration::from_millis(1);
/// The most executions of a run.
pub const MOST_ATTEMPTS: i64 = 1000;
/// The most places to wait.
pub const MOST_WAITING: i64 = 10_000_000;
/// The most fields of a key.
pub const MOST_KEY_FIELDS: usize = 16;
/// The most attempts at once in one process.
pub const MOST_WORKERS: i64 = 100_000;

/// One key.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its path in the table of a job, or of the whole file: `backoff.delay`.
    pub path: &'static str,
    /// The table that it stands in.
    pub table: Table,
    /// Its values.
    pub takes: Takes,
    /// What holds if nobody writes it: a value as it is written, or words.
    pub default: Default,
    /// What it is for, in one sentence.
    pub about: &'static str,
    /// Who understands it.
    pub meaning: Meaning,
}

/// A table that has keys of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    /// The whole file.
    File,
    /// A job, or `[defaults]`.
    Job,
    /// `dedup` of a job.
    Dedup,
    /// `backoff` of a job.
    Backoff,
    /// `http` of a job.
    Http,
    /// `on_cancel` of `http`.
    OnCancel,
}

/// What holds if nobody writes a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Default {
    /// This value, as it is written in a file.
    Value(&'static str),
    /// What these words say.
    Words(&'static str),
    /// Nothing.
    Nothing,
}

/// The values of a key.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Takes {
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Whole {
        /// The least.
        least: i64,
        /// The most.
        most: i64,
        /// A word that may stand instead.
        or: Option<&'static str>,
    },
    /// A number.
    Fraction {
        /// The least.
        least: f64,
        /// The most.
        most: f64,
    },
    /// A duration with its unit, as a string.
    Span {
        /// The shortest.
        least: Duration,
        /// The longest.
        most: Duration,
        /// A word that may stand instead.
        or: Option<&'static str>,
    },
    /// One of these words.
    Word(&'static [&'static str]),
    /// Names of argument fields.
    Fields {
        /// The most of them.
        most: usize,
    },
    /// A table of arguments.
    Arguments,
    /// A table with keys of its own.
    Table(Table),
    /// A table of jobs by their names.
    Jobs,
    /// A string.
    Text,
    /// The program and its arguments.
    Argv,
    /// An http:// or https:// address.
    Address,
    /// A table of headers by their names.
    Headers,
    /// A table of variables by their names.
    Variables,
    /// Names of variables; a `*` at the end stands for any ending.
    Names,
}

/// Who understands a key.
#[derive(Debug, Clone, Copy)]
pub enum Meaning {
    /// The rules: it is part of a [`Policy`].
    Policy(Field),
    /// The program: how and where a job's work is done, or the daemon itself.
    Program,
}

/// How a key of the policy is written and read.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Puts a value into what was written. `false` means that the value is of another type.
    pub put: fn(&mut Written, Value) -> bool,
    /// The value that was written.
    pub written: fn(&Written) -> Option<Value>,
    /// The value that holds. `None` means that the key means nothing in this policy.
    pub holds: fn(&Policy) -> Option<Value>,
}

impl Key {
    /// The key as it stands in its own table: `delay` of `backoff.delay`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.path.rsplit('.').next().unwrap_or(self.path)
    }

    /// How the policy reads it, if it is part of one.
    #[must_use]
    pub fn field(&self) -> Option<&Field> {
        match &self.meaning {
            Meaning::Policy(field) => Some(field),
            Meaning::Program => None,
        }
    }
}

/// The keys of one table, in their order.
pub fn of(table: Table) -> impl Iterator<Item = &'static Key> {
    KEYS.iter().filter(move |key| key.table == table)
}

/// A key of a table by its name.
#[must_use]
pub fn find(table: Table, name: &str) -> Option<&'static Key> {
    of(table).find(|key| key.name() == name)
}

/// A policy key by key, in the order of the table.
#[must_use]
pub fn values(policy: &Policy) -> Vec<(&'static str, Value)> {
    KEYS.iter().filter_map(|key| Some((key.path, (key.field()?.holds)(policy)?))).collect()
}

/// Every written value that is out of its bounds.
pub(crate) fn out_of_bounds(written: &Written) -> Vec<Mistake> {
    let wrong = |key: &Key| {
        let value = (key.field()?.written)(written)?;
        Some(Mistake { field: key.path, why: key.takes.refuses(&value)? })
    };
    KEYS.iter().filter_map(wrong).collect()
}

impl Takes {
    /// Why a value of the right type cannot be had.
    #[must_use]
    pub fn refuses(&self, value: &Value) -> Option<Why> {
        match (self, value) {
            (Self::Whole { or: Some(or), .. } | Self::Span { or: Some(or), .. }, Value::Word(word)) if word == or => {
                None
            }
            (Self::Whole { least, most, .. }, Value::Whole(number)) => {
                (!(least..=most).contains(&number)).then_some(Why::OutOfRange(*self))
            }
            (Self::Fraction { least, most }, Value::Fraction(number)) => {
                (!(least..=most).contains(&number)).then_some(Why::OutOfRange(*self))
            }
            (Self::Span { .. }, Value::Span(Duration::ZERO)) => Some(Why::Zero),
            (Self::Span { least, .. }, Value::Span(span)) if span < least => Some(Why::TooShort(*least)),
            (Self::Span { most, .. }, Value::Span(span)) if span > most => Some(Why::TooLong(*most)),
            (Self::Word(words), Value::Word(word)) if !words.contains(&word.as_str()) => {
                Some(Why::UnknownWord { word: word.clone(), words })
            }
            (Self::Fields { most }, Value::List(fields)) => {
                let twice = fields.iter().enumerate().find(|(i, field)| fields[..*i].contains(field));
                match twice {
                    Some((_, field)) => Some(Why::Twice(field.clone())),
                    None if fields.len() > *most || fields.iter().any(String::is_empty) => {
                        Some(Why::Names { most: *most })
                    }
                    None => None,
                }
            }
            _ => None,
        }
    }

    /// The bounds in words: `1 to 10000, or "unlimited"`.
    #[must_use]
    pub fn in_words(&self) -> String {
        let or = |or: &Option<&str>| or.map_or(String::new(), |word| format!(", or \"{word}\""));
        match self {
            Self::Flag => "true or false".to_owned(),
            Self::Whole { least, most, or: word } => format!("{least} to {most}{}", or(word)),
            Self::Fraction { least, most } => format!("{least} to {most}"),
            Self::Span { least, most, or: word } => {
                format!("\"{}\" to \"{}\"{}", in_short(*least), in_short(*most), or(word))
            }
            Self::Word(words) => one_of(words),
            Self::Fields { most } => format!("argument fields, at most {most}"),
            Self::Arguments => "a table of arguments".to_owned(),
            Self::Table(_) => "a table".to_owned(),
            Self::Jobs => "a table of jobs".to_owned(),
            Self::Text => "a string".to_owned(),
            Self::Argv => "a list: the program and its arguments".to_owned(),
            Self::Address => "an http:// or https:// address".to_owned(),
            Self::Headers => "a table of headers".to_owned(),
            Self::Variables => "a table of variables".to_owned(),
            Self::Names => "a list of names; a * at the end stands for any ending".to_owned(),
        }
    }
}
