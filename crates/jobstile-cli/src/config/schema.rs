//! The table of keys as a JSON Schema (draft 2020-12), by which editors complete and check a configuration.
//!
//! It refuses nothing that is good; what a schema cannot say (a duration that is too long, a key without its arguments)
//! `jobstile check` finds.

use jobstile_core::policy::keys::{self, Default, Key, Table, Takes};
use serde_json::{Map, Value, json};

/// A duration: numbers with their units.
const DURATION: &str =
    "^\\s*([0-9.]+\\s*(w|weeks?|d|days?|h|hrs?|hours?|m|mins?|minutes?|s|secs?|seconds?|ms|milliseconds?)\\s*)+$";

/// The schema of a configuration file.
pub(crate) fn schema() -> Value {
    let mut whole = table(Table::File);
    whole["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    whole["title"] = "Jobstile configuration".into();
    let definitions = [Table::Job, Table::Dedup, Table::Backoff, Table::Http, Table::OnCancel];
    whole["$defs"] = definitions.map(|of| (name(of).to_owned(), table(of))).into_iter().collect::<Map<_, _>>().into();
    whole
}

fn name(table: Table) -> &'static str {
    match table {
        Table::File => "file",
        Table::Job => "job",
        Table::Dedup => "dedup",
        Table::Backoff => "backoff",
        Table::Http => "http",
        Table::OnCancel => "on_cancel",
    }
}

/// A table with its keys and no others, and what cannot stand together in it.
fn table(of: Table) -> Value {
    let properties: Map<String, Value> = keys::of(of).map(|key| (key.name().to_owned(), property(key))).collect();
    let mut table = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    match of {
        Table::Job => {
            let none = |keys: &[&str]| json!({ "properties": keys.iter().map(|key| ((*key).to_owned(), false.into())).collect::<Map<_, _>>() });
            table["dependentSchemas"] = json!({
                "overlap": none(&["dedup", "max_concurrent", "max_waiting"]),
                "command": none(&["shell", "http"]),
                "shell": none(&["command", "http"]),
                "http": none(&["command", "shell"]),
            });
            table["if"] = json!({ "properties": { "monitoring": { "const": true } }, "required": ["monitoring"] });
            table["then"] = none(&["dedup", "overlap"]);
        }
        Table::Http | Table::OnCancel => table["required"] = json!(["url"]),
        Table::File | Table::Dedup | Table::Backoff => {}
    }
    table
}

fn property(key: &Key) -> Value {
    let mut property = takes(&key.takes);
    property["description"] = key.about.into();
    if let Default::Value(text) = key.default
        && let Ok(value) = serde_json::from_str::<Value>(text)
    {
        property["default"] = value;
    }
    property
}

fn takes(takes: &Takes) -> Value {
    let or = |schema: Value, or: Option<&str>| match or {
        None => schema,
        Some(word) => json!({ "anyOf": [schema, { "const": word }] }),
    };
    match takes {
        Takes::Flag => json!({ "type": "boolean" }),
        Takes::Whole { least, most, or: word } => {
            or(json!({ "type": "integer", "minimum": least, "maximum": most }), *word)
        }
        Takes::Fraction { least, most } => json!({ "type": "number", "minimum": least, "maximum": most }),
        Takes::Span { or: word, .. } => or(json!({ "type": "string", "pattern": DURATION }), *word),
        Takes::Word(words) => json!({ "type": "string", "enum": words }),
        Takes::Fields { most } => json!({
            "type": "array", "items": { "type": "string", "minLength": 1 }, "maxItems": most, "uniqueItems": true,
        }),
        Takes::Arguments => json!({ "type": "object" }),
        Takes::Table(table) => json!({ "$ref": format!("#/$defs/{}", name(*table)) }),
        Takes::Jobs => json!({
            "type": "object",
            "propertyNames": { "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$" },
            "additionalProperties": { "$ref": "#/$defs/job" },
        }),
        Takes::Text => json!({ "type": "string", "minLength": 1 }),
        Takes::Argv => json!({ "type": "array", "items": { "type": "string" }, "minItems": 1 }),
        Takes::Address => json!({ "type": "string", "pattern": "^[Hh][Tt][Tt][Pp][Ss]?://[^/?#:]" }),
        Takes::Headers => json!({
            "type": "object",
            "propertyNames": { "pattern": "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$" },
            "additionalProperties": { "anyOf": [
                { "type": "string", "not": { "pattern": "\\$\\{.*\\}" } },
                {
                    "type": "object",
                    "properties": { "env": { "type": "string", "minLength": 1 }, "prefix": { "type": "string", "minLength": 1 } },
                    "required": ["env"],
                    "additionalProperties": false,
                },
            ] },
        }),
        Takes::Variables => json!({
            "type": "object",
            "propertyNames": { "pattern": "^[^=]+$", "not": { "pattern": "^JOBSTILE_" } },
            "additionalProperties": { "type": "string" },
        }),
        Takes::Names => json!({ "type": "array", "items": { "type": "string", "pattern": "^[^*=]+\\*?$|^\\*$" } }),
    }
}
