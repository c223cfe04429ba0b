//! Values of TOML as JSON: the arguments of a job's ticks.

use std::borrow::Cow;
use std::ops::Range;

use jobstile::args::{Args, MAX_DEPTH};
use jobstile_core::policy::written::TickArgs;
use serde_json::{Map, Number, Value};
use toml::Spanned;
use toml::de::DeValue;

use crate::config::reader::{Item, Reader};

/// The arguments of a job's ticks: a table.
pub(crate) fn args(item: Item<'_>, reader: &mut Reader) -> Option<TickArgs> {
    reader.table(item, "as { wallet = \"SP2X0\" }")?;
    match json(item.value, 1) {
        Ok(value) => match Args::of(value) {
            Ok(args) => Some(args.of_ticks()),
            Err(error) => {
                reader.wrong(item.key.span(), error.to_string(), "");
                None
            }
        },
        Err((span, what)) => {
            reader.wrong(span, format!("`args` {what}"), "");
            None
        }
    }
}

/// A value as JSON; a date is a string.
///
/// # Errors
/// If something stands that JSON does not have, and what it is.
pub(crate) fn json(value: &Spanned<DeValue<'_>>, depth: usize) -> Result<Value, (Range<usize>, Cow<'static, str>)> {
    let fail = |what: &'static str| Err((value.span(), what.into()));
    if depth > MAX_DEPTH {
        return fail("is deeper than 64 levels");
    }
    Ok(match value.get_ref() {
        DeValue::String(text) => Value::String(text.clone().into_owned()),
        DeValue::Boolean(value) => Value::Bool(*value),
        DeValue::Datetime(date) => Value::String(date.to_string()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::Number(number.into()),
            Err(_) => return fail("has a number that is too large"),
        },
        DeValue::Float(number) => match number.as_str().parse().ok().and_then(Number::from_f64) {
            Some(number) => Value::Number(number),
            None => return fail("has a number that JSON has not"),
        },
        DeValue::Array(array) => Value::Array(array.iter().map(|v| json(v, depth + 1)).collect::<Result<_, _>>()?),
        DeValue::Table(table) => {
            let mut map = Map::new();
            for (key, value) in table.iter() {
                map.insert(key.get_ref().clone().into_owned(), json(value, depth + 1)?);
            }
            Value::Object(map)
        }
    })
}
