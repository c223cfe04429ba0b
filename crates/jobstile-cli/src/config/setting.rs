//! One effective value of a job or of the whole, and where it came from.

use std::time::Duration;

use serde_json::{Value, json};

use crate::config::origin::Origin;
use crate::text::duration;

/// One effective value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Setting {
    /// Its key, with a dot in a table: `backoff.delay`.
    pub(crate) key: &'static str,
    /// As JSON; durations as they are written: `90s`.
    pub(crate) value: Value,
    pub(crate) origin: Origin,
    /// What it would be without that, if somebody wrote it.
    pub(crate) instead_of: Option<(Value, Origin)>,
}

impl Setting {
    pub(crate) fn new(key: &'static str, value: impl Into<Value>, origin: Origin) -> Self {
        Self { key, value: value.into(), origin, instead_of: None }
    }

    /// As text for people: strings without quotes where they need none.
    pub(crate) fn shown(&self) -> String {
        shown(&self.value)
    }

    pub(crate) fn to_json(&self) -> Value {
        let mut json = json!({ "value": self.value, "origin": self.origin.to_string() });
        if let Some((value, origin)) = &self.instead_of {
            json["instead_of"] = json!({ "value": value, "origin": origin.to_string() });
        }
        json
    }
}

/// A value as text for people.
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::Array(all) if all.is_empty() => "-".into(),
        Value::String(text) if !text.contains(|c: char| c.is_control()) => text.clone(),
        other => other.to_string(),
    }
}

/// A duration as a value.
pub(crate) fn of_duration(duration: Duration) -> Value {
    Value::String(duration::short(duration))
}
