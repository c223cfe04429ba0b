//! What happened, in one line each.

use jobstile::answer::{Event, What};
use jobstile::client::AttemptInfo;
use jobstile_core::decide::Code as Why;
use jobstile_core::outcome::Outcome;
use jobstile_core::run::State;
use jobstile_core::trigger::Source;

use super::changes::in_short;
use super::count;
use super::standing::died;
use crate::text::duration::measured;
use crate::text::table::Paint;
use crate::text::time::Times;

/// An event: its text after the job's name, its code (empty if the text says it all) and its colour.
pub(crate) struct Said {
    pub(crate) text: String,
    pub(crate) code: &'static str,
    pub(crate) paint: Paint,
}

/// Words an event.
pub(crate) fn event(event: &Event, times: &Times) -> Said {
    let said = |text: String, paint: Paint| Said { text, code: "", paint };
    let run = event.run.map_or(String::new(), |run| format!("run {run}"));
    let mut one = match &event.what {
        What::Admitted { source, by, rerun_of } => {
            let how = match rerun_of {
                Some(of) => format!("run {of} again"),
                None if *source == Source::Schedule => "tick".to_owned(),
                None => source.to_string(),
            };
            said(format!("admitted ({how}, by {by})"), Paint::Plain)
        }
        What::TurnedAway { tick, decision, code, by } => {
            let what = if *tick { "tick" } else { "trigger" };
            let by = by.map_or(String::new(), |by| format!(" by run {by}"));
            Said { text: format!("{what} {decision}{by}"), code: code.as_str(), paint: Paint::Plain }
        }
        What::Missed { count: n, somebody_was_there } => {
            let why = if *somebody_was_there { "the daemon was held up" } else { "nobody was there" };
            said(format!("missed {}: {why}", count(*n, "tick")), Paint::Attention)
        }
        What::Started { attempt, of, node } => {
            said(format!("{run} started on {node}{}", nth(*attempt, *of)), Paint::Plain)
        }
        What::WasRunning { attempt, node } => {
            said(format!("{run} started on {node}, which is gone{}", nth(*attempt, 0)), Paint::Attention)
        }
        What::Ended { attempt, of, node, left, code, again, failures } => {
            let (text, paint) = ended(&run, attempt, *of, node, *left, *code, *failures);
            let again = match again {
                Some(due) if times.now() < *due && *left == Some(State::Retrying) => {
                    format!("; again {}", times.ago(*due))
                }
                Some(_) => "; it starts again".to_owned(),
                None => String::new(),
            };
            said(format!("{text}{again}"), paint)
        }
        What::Closed { state, code, by, who } => {
            let by = by.map_or(String::new(), |by| format!(" by run {by}"));
            let who = who.as_ref().map_or(by.clone(), |who| format!(" by {who}"));
            let (text, paint) = match state {
                State::Refused => (format!("{run} was refused{by}"), Paint::Attention),
                State::Cancelled => (format!("{run} was cancelled{who}"), Paint::Plain),
                State::Dead => (format!("{run} is DEAD"), Paint::Bad),
                other => (format!("{run} {other}"), Paint::Attention),
            };
            Said { text, code: code.map_or("", Why::as_str), paint }
        }
        What::Reloaded { node, changes } => {
            let version = jobstile::text::clean(&changes.version);
            let what = in_short(changes);
            said(format!("configuration read again by {node}, version {version}: {what}"), Paint::Plain)
        }
        What::ReloadRefused { node, why } => said(format!("configuration refused by {node}: {why}"), Paint::Bad),
        What::NodeStarted { node } => said(format!("{node} started"), Paint::Plain),
        What::NodeWent { node, stopped: true, .. } => said(format!("{node} stopped"), Paint::Plain),
        What::NodeWent { node, found_dead: true, .. } => said(format!("{node} was found dead"), Paint::Plain),
        What::NodeWent { node, .. } => said(format!("{node} was last seen"), Paint::Plain),
    };
    if event.times > 1 {
        let many = format!(", {} since {}", count(event.times, "time"), times.at(event.first_at));
        one.text.push_str(&many);
    }
    one
}

// The first one is no news; what was lost or interrupted counts against nothing, so that there may be more than the
// policy has.
fn nth(n: u32, of: u32) -> String {
    match n {
        1 => String::new(),
        n if n <= of => format!(", attempt {n} of {of}"),
        n => format!(", attempt {n}"),
    }
}

fn ended(
    run: &str,
    attempt: &AttemptInfo,
    of: u32,
    node: &str,
    left: Option<State>,
    code: Option<Why>,
    failures: u32,
) -> (String, Paint) {
    let took = attempt.took().map_or(String::new(), |took| format!(" after {}", measured(took)));
    let message = attempt.message.as_ref().map_or(String::new(), |message| format!(": {message}"));
    if left == Some(State::Dead) {
        let crashed = code == Some(Why::CrashBudget);
        let why = if crashed { died(code, failures, attempt.n) } else { count(failures.max(1).into(), "attempt") };
        let why = if crashed { format!(": {why}") } else { format!(" after {why}") };
        return (format!("{run} is DEAD{why}{message}"), Paint::Bad);
    }
    let which = if attempt.n <= of && of > 1 { format!(", attempt {} of {of}", attempt.n) } else { nth(attempt.n, of) };
    let how = match attempt.outcome {
        Some(Outcome::Success) => return (format!("{run} succeeded{took}{}", nth(attempt.n, of)), Paint::Good),
        Some(Outcome::Failure) => format!("failed{took}{message}"),
        Some(Outcome::Timeout) => format!("timed out{took}"),
        Some(Outcome::Lost) => format!("was lost on {node}{took}{message}"),
        Some(Outcome::NotStarted) => format!("could not start{message}"),
        Some(Outcome::Cancelled) => format!("was cancelled{took}"),
        Some(Outcome::Interrupted) => format!("was interrupted{took}{message}"),
        None => format!("ended{took}"),
    };
    let sep = if which.is_empty() { " " } else { which.as_str() };
    let text = if which.is_empty() { format!("{run}{sep}{how}") } else { format!("{run}{which} {how}") };
    (text, Paint::Attention)
}
