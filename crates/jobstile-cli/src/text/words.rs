//! Sentences about runs, the same in every command.

pub(crate) mod attention;
pub(crate) mod changes;
pub(crate) mod events;
pub(crate) mod pattern;
pub(crate) mod standing;

use jobstile::answer::ListedRun;
use jobstile::client::RunInfo;
use jobstile::origin::{Origin, Origins, Place};
use jobstile_core::run::State;
use serde_json::Value;

use super::duration::measured;
use super::table::Paint;
use super::time::Times;

/// The longest value of a key field, in characters.
const MAX_VALUE: usize = 40;

/// A key in words: `wallet=SP2X0, network=mainnet`; none where the job itself is the key.
pub(crate) fn key(key: &str) -> Option<String> {
    match serde_json::from_str(key) {
        _ if key.is_empty() => None,
        Ok(Value::Object(fields)) if fields.is_empty() => None,
        Ok(Value::Object(fields)) => {
            let field =
                |(name, of): (&String, &Value)| format!("{}={}", jobstile::text::clean_to(name, MAX_VALUE), value(of));
            Some(fields.iter().map(field).collect::<Vec<_>>().join(", "))
        }
        _ => Some(jobstile::text::clean_to(key, 2 * MAX_VALUE)),
    }
}

/// A JSON value in one line that cannot act on a terminal; a string without its quotes.
pub(crate) fn value(value: &Value) -> String {
    let text = match value {
        // Without its quotes it would look like the number.
        Value::String(text) if serde_json::from_str::<Value>(text).is_ok_and(|v| !v.is_object() && !v.is_array()) => {
            value.to_string()
        }
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    jobstile::text::clean_to(&text, MAX_VALUE)
}

/// What a run does now: `running for 12 s`, `waiting for 3 s`, `will start again in 41 s`.
pub(crate) fn doing(run: &RunInfo, times: &Times) -> String {
    let (row, now) = (&run.row, times.now());
    match row.state {
        State::Running => {
            let since = row.claimed_at.unwrap_or(row.due);
            let asked = if row.cancel_at.is_some() { ", asked to end" } else { "" };
            format!("running for {}{asked}", measured(now.since(since)))
        }
        State::Queued => format!("waiting for {}", measured(now.since(row.due))),
        State::Retrying if row.due > now => format!("will start again {}", times.ago(row.due)),
        State::Retrying => format!("due again since {}", measured(now.since(row.due))),
        State::Scheduled => format!("due {}", times.ago(row.due)),
        state @ (State::Succeeded | State::Dead | State::Cancelled | State::Refused | State::Expired) => {
            format!("{state} {}", times.ago(row.ended_at.unwrap_or(row.due)))
        }
    }
}

/// How long the last attempt of a run took that is explained.
pub(crate) fn last_took(explained: &jobstile::answer::ExplainedRun) -> Option<std::time::Duration> {
    explained.happened.iter().rev().find_map(|event| match &event.what {
        jobstile::answer::What::Ended { attempt, .. } => attempt.took(),
        _ => None,
    })
}

/// What became of a run, after «it».
pub(crate) fn became(state: State) -> &'static str {
    match state {
        State::Dead => "is dead",
        State::Cancelled => "was cancelled",
        State::Refused => "was refused",
        State::Running => "is running",
        State::Queued | State::Scheduled | State::Retrying => "is waiting",
        State::Succeeded | State::Expired => state.as_str(),
    }
}

/// The state of a run; one whose node is gone runs no more.
pub(crate) fn state(of: &ListedRun) -> &'static str {
    if of.was_running { "was running" } else { of.run.row.state.as_str() }
}

/// Why a run ended as it did, or what it waits for; nothing where its state says it all. What failed says what the
/// failure was.
pub(crate) fn why(of: &ListedRun, times: &Times) -> String {
    let row = &of.run.row;
    let failure = of.last.as_ref().and_then(|attempt| attempt.message.as_deref());
    if let Some(waits) = &of.waits {
        let failure = failure.filter(|_| row.state == State::Retrying).map_or(String::new(), |why| format!(": {why}"));
        return format!("{}{failure}", standing::waits(waits, times));
    }
    let by = row.by_run.map_or(String::new(), |by| format!(" by run {by}"));
    match (row.state, row.code) {
        (State::Running, _) if of.was_running => {
            format!("on {}, which is gone: it starts again", of.node.as_deref().unwrap_or("a node"))
        }
        (State::Running, _) if row.cancel_at.is_some() => {
            format!("asked to end by {}", row.cancel_by.as_deref().unwrap_or("somebody"))
        }
        (State::Dead, code) => match (failure, code) {
            (Some(failure), _) => failure.to_owned(),
            (None, code) => code.map_or(String::new(), |code| code.to_string()),
        },
        (State::Cancelled, Some(code)) if by.is_empty() && row.cancel_by.is_some() => {
            format!("{code}: {}", row.cancel_by.as_deref().unwrap_or_default())
        }
        (_, Some(code)) => format!("{code}{by}"),
        (_, None) => String::new(),
    }
}

/// The colour of a state.
pub(crate) fn paint(state: State) -> Paint {
    match state {
        State::Succeeded => Paint::Good,
        State::Dead => Paint::Bad,
        State::Retrying | State::Expired | State::Refused => Paint::Attention,
        State::Cancelled | State::Scheduled => Paint::Faint,
        State::Queued | State::Running => Paint::Plain,
    }
}

/// `1 run`, `3 runs`, `10,000 runs`.
pub(crate) fn count(n: u64, noun: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", number(n))
}

/// A number with its thousands apart.
pub(crate) fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A sentence with a code at the right edge.
pub(crate) fn with_code(sentence: &str, code: &str) -> String {
    const EDGE: usize = 86;
    let width = super::table::width(sentence);
    let gap = EDGE.saturating_sub(width).max(3);
    format!("{sentence}{}{code}\n", " ".repeat(gap))
}

/// Where a value came from: `jobstile.toml:4`, `environment AIBTC_J_ENABLED`, `default`.
pub(crate) fn origin(origin: &Origin) -> String {
    match origin {
        Origin::Default => "default".to_owned(),
        Origin::BuiltInList => "built-in list".to_owned(),
        Origin::File { place: Place { file, line }, defaults } => {
            format!("{file}:{line}{}", if *defaults { " [defaults]" } else { "" })
        }
        Origin::Variable { name, place: Some(Place { file, line }) } => format!("{file}:{line} {name}"),
        Origin::Variable { name, place: None } => format!("environment {name}"),
        Origin::Flag(name) => name.clone(),
        Origin::Words(words) => words.clone(),
    }
}

/// The same of a setting, out of what is kept of all of them: JSON.
pub(crate) fn origin_of(origins: &str, key: &str) -> String {
    origin(Origins::read(origins).origin(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_groups() {
        for (n, text) in
            [(0, "0 runs"), (1, "1 run"), (999, "999 runs"), (1_000, "1,000 runs"), (1_234_567, "1,234,567 runs")]
        {
            assert_eq!(count(n, "run"), text);
        }
    }

    #[test]
    fn keys_in_words() {
        assert_eq!(key(""), None);
        assert_eq!(key("{}"), None);
        assert_eq!(key(r#"{"network":"mainnet","wallet":"SP2X0"}"#).as_deref(), Some("network=mainnet, wallet=SP2X0"));
        assert_eq!(key(r#"{"n":3,"on":true}"#).as_deref(), Some("n=3, on=true"));
        assert_eq!(key("sha256:00ff").as_deref(), Some("sha256:00ff"));
        assert_eq!(key("{\"a\":\"\\u001b[2J\"}").as_deref(), Some("a=\\x1b[2J"));
    }

    #[test]
    fn values_are_short_and_cannot_act() {
        assert_eq!(value(&Value::from("SP2X0")), "SP2X0");
        assert_eq!(value(&Value::from("\x1b[2J")), "\\x1b[2J");
        assert_eq!(value(&Value::from(vec![1, 2])), "[1,2]");
        assert_eq!(value(&Value::from("x".repeat(100))).chars().count(), MAX_VALUE);
    }
}
