//! Arguments and keys.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::{Code, Same};

/// The arguments of a trigger.
#[derive(Debug, Clone, PartialEq)]
pub enum Args {
    /// Nobody can read them as an object.
    Unreadable,
    /// There are none.
    None,
    /// Fields with names.
    Fields(Arc<Map<String, Value>>),
}

impl Args {
    /// `null` and an empty object are no arguments.
    #[must_use]
    pub fn of(value: Value) -> Self {
        match value {
            Value::Null => Self::None,
            Value::Object(fields) if fields.is_empty() => Self::None,
            Value::Object(fields) => Self::Fields(Arc::new(fields)),
            _ => Self::Unreadable,
        }
    }

    /// JSON text.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        serde_json::from_str(text).map_or(Self::Unreadable, Self::of)
    }

    /// As the store keeps them: fields by name, nothing between them. `None`: nothing is kept.
    #[must_use]
    pub fn stored(&self) -> Option<String> {
        match self {
            Self::Unreadable | Self::None => None,
            Self::Fields(fields) => Some(Value::Object((**fields).clone()).to_string()),
        }
    }

    fn field(&self, name: &str) -> Result<&Value, Code> {
        let value = match self {
            Self::Unreadable | Self::None => None,
            Self::Fields(fields) => fields.get(name),
        };
        match value {
            None | Some(Value::Null) => Err(Code::MissingKeyField),
            Some(value) if value.is_string() || value.is_boolean() || value.is_i64() => Ok(value),
            Some(_) => Err(Code::BadArguments),
        }
    }
}

impl Same {
    /// The key of these arguments.
    ///
    /// # Errors
    /// The code of a trigger that has none.
    pub fn key(&self, args: &Args) -> Result<String, Code> {
        let Some(names) = &self.fields else { return Ok(args.stored().unwrap_or_default()) };
        let mut key = BTreeMap::new();
        for name in names {
            key.insert(name.as_str(), args.field(name)?);
        }
        if key.is_empty() {
            return Ok(String::new());
        }
        serde_json::to_string(&key).map_err(|_| Code::BadArguments)
    }
}
