//! One line: level, message, fields; as text and as JSON.

use std::borrow::Cow;
use std::fmt::{Display, Write as _};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use jobstile::fact;
use jobstile::text::clean;
use jobstile_core::id::RunId;
use jobstile_core::time::Time;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

use crate::error::Error;
use crate::exit::Code;
use crate::text::duration::measured;
use crate::text::json;

/// How important a line is; the most important first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Error,
    Warn,
    Info,
    Debug,
}

impl From<fact::Level> for Level {
    fn from(level: fact::Level) -> Self {
        match level {
            fact::Level::Error => Self::Error,
            fact::Level::Warn => Self::Warn,
            fact::Level::Info => Self::Info,
            fact::Level::Debug => Self::Debug,
        }
    }
}

impl Level {
    /// The least important that is printed, as `JOBSTILE_LOG` says.
    pub(crate) fn asked_for() -> Result<Self, Error> {
        let asked = std::env::var_os("JOBSTILE_LOG").unwrap_or_default().to_string_lossy().into_owned();
        match asked.to_ascii_lowercase().as_str() {
            "" | "info" => Ok(Self::Info),
            "error" => Ok(Self::Error),
            "warn" => Ok(Self::Warn),
            "debug" | "trace" => Ok(Self::Debug),
            _ => Err(Error::new(Code::Configuration, format!("JOBSTILE_LOG={asked} is not a level"))
                .hint("error, warn, info or debug")),
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Error => "ERROR",
            Self::Warn => "WARN",
            Self::Info => "INFO",
            Self::Debug => "DEBUG",
        }
    }
}

/// What a line of text begins with.
#[derive(Debug, Clone)]
pub(crate) enum Stamp {
    /// On a terminal: `14:07:03`, in this zone.
    Clock(TimeZone),
    /// Elsewhere: RFC 3339, UTC, milliseconds.
    Rfc3339,
    /// Under the journal, which has its own.
    Nothing,
}

/// One line of the log.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line {
    at: Time,
    level: Level,
    message: Cow<'static, str>,
    fields: Vec<Field>,
    /// How many of them are the seed's.
    seed: usize,
}

#[derive(Debug, Clone, PartialEq)]
struct Field {
    name: &'static str,
    text: String,
    /// Other names in JSON, where a unit belongs to them.
    json: Vec<(&'static str, Value)>,
}

/// How often the line stands for the same.
const REPEATED: &str = "repeated";

impl Line {
    pub(crate) fn new(at: Time, level: Level, message: impl Into<Cow<'static, str>>) -> Self {
        Self { at, level, message: message.into(), fields: vec![], seed: 0 }
    }

    pub(crate) fn level(&self) -> Level {
        self.level
    }

    /// The fields so far are the seed's.
    pub(super) fn end_of_seed(mut self) -> Self {
        self.seed = self.fields.len();
        self
    }

    pub(super) fn time(&self) -> Time {
        self.at
    }

    pub(crate) fn at(mut self, at: Time) -> Self {
        self.at = at;
        self
    }

    fn field(mut self, name: &'static str, text: String, json: Vec<(&'static str, Value)>) -> Self {
        self.fields.push(Field { name, text, json });
        self
    }

    pub(crate) fn text(self, name: &'static str, value: impl Display) -> Self {
        let text = value.to_string();
        let json = vec![(name, Value::String(text.clone()))];
        self.field(name, text, json)
    }

    pub(crate) fn number(self, name: &'static str, value: u64) -> Self {
        self.field(name, value.to_string(), vec![(name, value.into())])
    }

    /// Ids are strings in JSON, as everywhere but in scenario facts.
    pub(crate) fn id(self, name: &'static str, value: RunId) -> Self {
        self.text(name, value)
    }

    pub(crate) fn maybe_id(self, name: &'static str, value: Option<RunId>) -> Self {
        match value {
            Some(value) => self.id(name, value),
            None => self,
        }
    }

    /// `True`, as the seed writes it.
    pub(super) fn yes(self, name: &'static str) -> Self {
        self.field(name, "True".into(), vec![(name, true.into())])
    }

    /// `1/3`; lost attempts do not count against the bound, so their number may pass it and then stands alone.
    pub(super) fn attempt(self, attempt: u32, attempts: u32) -> Self {
        let text = if attempt <= attempts { format!("{attempt}/{attempts}") } else { attempt.to_string() };
        self.field("attempt", text, vec![("attempt", attempt.into()), ("attempts", attempts.into())])
    }

    pub(super) fn seconds(self, name: &'static str, duration: Duration) -> Self {
        let json = match name {
            "took" => "took_s",
            _ => "retry_in_s",
        };
        let value = (duration.as_secs_f64() * 1e6).round() / 1e6;
        self.field(name, measured(duration), vec![(json, value.into())])
    }

    /// The line comes so late that others of a later time were printed before it: it is printed at theirs and says its
    /// own.
    pub(super) fn late(self, at: Time) -> Self {
        let own = Timestamp::from_microsecond(self.at.0);
        let own = own.map_or_else(|_| String::new(), |own| own.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string());
        self.text("happened_at", own).at(at)
    }

    /// The line stands for this many; the field follows the seed's.
    pub(super) fn repeated(mut self, count: u64) -> Self {
        let json = vec![(REPEATED, count.into())];
        self.fields.insert(self.seed, Field { name: REPEATED, text: count.to_string(), json });
        self
    }

    /// As a line of text, without its end.
    pub(crate) fn to_text(&self, stamp: &Stamp) -> String {
        let mut text = match (stamp, Timestamp::from_microsecond(self.at.0)) {
            (Stamp::Clock(zone), Ok(at)) => at.to_zoned(zone.clone()).strftime("%H:%M:%S | ").to_string(),
            (Stamp::Rfc3339, Ok(at)) => at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ | ").to_string(),
            _ => String::new(),
        };
        self.write(self.fields.iter(), &mut text);
        text
    }

    /// The seed's form alone: level, message, the seed's fields, and how often.
    pub(crate) fn to_seed(&self) -> String {
        let repeated = self.fields[self.seed..].iter().filter(|field| field.name == REPEATED);
        let mut text = String::new();
        self.write(self.fields[..self.seed].iter().chain(repeated), &mut text);
        text
    }

    /// It is about a trigger, or it is one of the seed's.
    pub(crate) fn is_seed(&self) -> bool {
        self.seed > 0
    }

    fn write<'a>(&self, fields: impl Iterator<Item = &'a Field>, into: &mut String) {
        let _ = write!(into, "{} | {}", self.level.as_str(), self.message);
        for (n, field) in fields.enumerate() {
            into.push_str(if n == 0 { " | " } else { " " });
            into.push_str(field.name);
            into.push('=');
            quote(&field.text, into);
        }
    }

    /// The same facts as one JSON object, in one line.
    pub(crate) fn to_json(&self) -> String {
        // A map of its own would sort the keys; the time belongs first.
        json::line(self)
    }
}

impl Serialize for Line {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Ok(at) = Timestamp::from_microsecond(self.at.0) {
            map.serialize_entry("time", &at.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string())?;
        }
        map.serialize_entry("level", self.level.as_str())?;
        map.serialize_entry("message", &self.message)?;
        for (name, value) in self.fields.iter().flat_map(|field| &field.json) {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// A value that cannot be taken for something else: in quotes where it has spaces, quotes or `=`, and nothing in it that
/// steers a terminal.
fn quote(value: &str, into: &mut String) {
    let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
    let shown = clean(&escaped);
    let plain = !shown.contains(|c: char| c.is_whitespace() || c == '=') && shown == value;
    if plain && !value.is_empty() {
        into.push_str(value);
    } else {
        let _ = write!(into, "\"{shown}\"");
    }
}
