//! The facts of a scenario as JSON lines.

use jobstile::fact::{Came, Decided, Fact};
use jobstile_core::run::State;
use jobstile_core::time::Time;
use jobstile_core::trigger::Source;
use serde::Serialize;
use serde_json::Value;

use super::since;
use crate::text::json;
use crate::text::log::Log;

/// A fact, or a line of the log.
#[derive(Debug)]
pub(super) enum Told {
    Fact(Fact),
    Log(Time, String),
}

/// The facts, with the log lines of decisions and of the final execution check among them if they are asked for.
pub(super) fn tell(facts: Vec<Fact>, end: Time, with_log: bool) -> Vec<Told> {
    if !with_log {
        return facts.into_iter().map(Told::Fact).collect();
    }
    let (mut log, mut told) = (Log::default(), vec![]);
    for fact in facts {
        held_back(&mut log, time(&fact), &mut told);
        let at = time(&fact);
        let lines = log.take(&fact, None).into_iter().filter(|line| line.is_seed());
        let lines: Vec<Told> = lines.map(|line| Told::Log(at, line.to_seed())).collect();
        told.push(Told::Fact(fact));
        told.extend(lines);
    }
    held_back(&mut log, end, &mut told);
    told
}

// Identical skips that were not said until then.
fn held_back(log: &mut Log, until: Time, told: &mut Vec<Told>) {
    while let Some(due) = log.next_due().filter(|due| *due <= until) {
        told.extend(log.due(due).into_iter().map(|line| Told::Log(due, line.to_seed())));
    }
}

fn time(fact: &Fact) -> Time {
    match fact {
        Fact::Decided(decided) => decided.at,
        Fact::Came(came) => came.at,
    }
}

#[derive(Serialize)]
#[serde(tag = "what", rename_all = "lowercase")]
enum Line<'a> {
    Decision(Decision<'a>),
    State(Entered<'a>),
    Log { line: &'a str },
}

#[derive(Serialize)]
struct Decision<'a> {
    job: &'a str,
    source: &'static str,
    decision: &'static str,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
}

#[derive(Serialize)]
struct Entered<'a> {
    job: &'a str,
    run: i64,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<i64>,
}

#[derive(Serialize)]
struct At<'a> {
    at: f64,
    #[serde(flatten)]
    line: Line<'a>,
}

impl Told {
    /// As one line of JSON, without its end.
    pub(super) fn to_json(&self, start: Time) -> String {
        let (at, line) = match self {
            Self::Fact(Fact::Decided(fact)) => (fact.at, Line::Decision(decision(fact))),
            Self::Fact(Fact::Came(fact)) => (fact.at, Line::State(entered(fact))),
            Self::Log(at, line) => (*at, Line::Log { line }),
        };
        json::line(&At { at: since(start, at), line })
    }
}

fn decision(fact: &Decided) -> Decision<'_> {
    Decision {
        job: &fact.job,
        source: if fact.source == Source::Schedule { "schedule" } else { "script" },
        decision: fact.decision.as_str(),
        code: fact.code.as_str(),
        run: fact.run.map(|run| run.0),
        by: fact.by.map(|run| run.0),
        count: fact.count,
    }
}

fn entered(fact: &Came) -> Entered<'_> {
    let starts = fact.state == State::Running;
    let args = fact.args.as_deref().filter(|_| starts).and_then(|text| serde_json::from_str(text).ok());
    Entered {
        job: &fact.job,
        run: fact.run.0,
        state: fact.state.as_str(),
        attempt: fact.attempt.filter(|_| starts),
        args: args.filter(|args: &Value| args.as_object().is_none_or(|args| !args.is_empty())),
        code: fact.code.map(|code| code.as_str()),
        by: fact.by.map(|run| run.0),
    }
}
