//! The facts of a scenario as a table for people, in the words of the seed's.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jobstile::fact::{Came, Decided, Fact};
use jobstile_core::decide::{Code, Decision};
use jobstile_core::id::RunId;
use jobstile_core::outcome::Outcome;
use jobstile_core::run::State;
use jobstile_core::time::Time;
use jobstile_core::trigger::Source;

use super::facts::Told;
use crate::text::columns::columns;
use crate::text::duration::short;

/// The table: time from the start, what happened, to which run, and the code.
pub(super) fn render(told: &[Told], start: Time, one_job: bool) -> String {
    let mut timeline = Timeline { start, one_job, ends: ends(told), states: HashMap::new() };
    let mut rows = vec![["Time", "Event", "Run", "Code"].map(str::to_owned).to_vec()];
    for (n, one) in told.iter().enumerate() {
        match one {
            Told::Fact(Fact::Decided(fact)) => rows.push(timeline.decided(fact)),
            Told::Fact(Fact::Came(fact)) => rows.extend(timeline.came(fact, &told[n + 1..])),
            Told::Log(at, line) => rows.push(vec![timeline.clock(*at), format!("  {line}")]),
        }
    }
    columns(&rows)
}

/// How long each attempt takes that ends before the scenario does.
fn ends(told: &[Told]) -> HashMap<(RunId, u32), Duration> {
    let ended = told.iter().filter_map(|one| match one {
        Told::Fact(Fact::Came(fact)) => Some(((fact.run, fact.attempt?), fact.ended.as_ref()?.took)),
        _ => None,
    });
    ended.collect()
}

struct Timeline {
    start: Time,
    one_job: bool,
    ends: HashMap<(RunId, u32), Duration>,
    states: HashMap<RunId, (Arc<str>, State)>,
}

impl Timeline {
    /// `01:30`, `1:01:30` after an hour; thousandths where there are any.
    fn clock(&self, at: Time) -> String {
        let millis = at.since(self.start).as_millis();
        let (seconds, millis) = (millis / 1000, millis % 1000);
        let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        let mut text = if hours > 0 { format!("{hours}:{minutes:02}") } else { format!("{minutes:02}") };
        text += &format!(":{seconds:02}");
        if millis > 0 {
            text += &format!(".{millis:03}");
        }
        text
    }

    /// Whose turn it is: there is no need to say it where there is one job.
    fn job(&self, name: &str) -> String {
        if self.one_job { "Job".to_owned() } else { format!("{name} job") }
    }

    fn decided(&self, fact: &Decided) -> Vec<String> {
        let job = self.job(&fact.job);
        let event = match fact.decision {
            _ if fact.replayed => format!("{job} trigger id seen before - the first answer again"),
            Decision::Admitted => {
                let verb = if fact.source == Source::Schedule { "scheduled" } else { "triggered" };
                let others = fact.running + fact.waiting > u64::from(!fact.later);
                format!("{} job {verb}{}", fact.job, if others { " again" } else { "" })
            }
            Decision::Missed => {
                let count = fact.count.unwrap_or(1);
                format!("{job} missed {count} {}", if count == 1 { "instant" } else { "instants" })
            }
            Decision::Rejected => format!("{job} rejected - {}", self.why(fact.code, fact.by)),
            Decision::Skipped => format!("{job} skipped - {}", self.why(fact.code, fact.by)),
            Decision::Replaced | Decision::Merged | Decision::Preempted => format!("{job} {}", fact.decision),
        };
        let run = match (fact.run, fact.by) {
            (Some(run), _) => run.to_string(),
            (_, Some(by)) => format!("by {by}"),
            _ => String::new(),
        };
        vec![self.clock(fact.at), event, run, fact.code.to_string()]
    }

    /// The words for a code, in which the run in the way is called an instance, as the seed does.
    fn why(&self, code: Code, by: Option<RunId>) -> String {
        let state = by.and_then(|by| self.states.get(&by)).map(|(_, state)| *state);
        match code {
            Code::DuplicateRunning | Code::DuplicateWaiting | Code::ConcurrencyLimit => match state {
                Some(State::Running) => "instance already running",
                Some(State::Retrying) => "instance waits for its retry",
                Some(State::Queued) => "instance already queued",
                Some(State::Scheduled) => "instance already due then",
                _ => "instance already there",
            },
            Code::QueueFull => "queue is full",
            Code::Paused => "job is paused",
            Code::UnknownJob => "there is no such job",
            Code::BadArguments => "its arguments cannot be used",
            Code::MissingKeyField => "a field of its key is missing",
            Code::TriggerIdReused => "its id had other arguments before",
            Code::WithinLimits
            | Code::DuplicateRecent
            | Code::MergeFull
            | Code::Missed
            | Code::ConcurrentExecutionDetected
            | Code::Superseded
            | Code::Preempted
            | Code::CancelledByHand
            | Code::CrashBudget
            | Code::AttemptsUsedUp
            | Code::Expired => "see the code",
        }
        .to_owned()
    }

    fn came(&mut self, fact: &Came, after: &[Told]) -> Option<Vec<String>> {
        let job = self.job(&fact.job);
        let event = match fact.state {
            State::Running => format!("{job} {}", self.starts(fact)),
            State::Queued => match &fact.ended {
                Some(ended) => format!("{job} {}, starts again", words(ended.outcome)),
                // Where it starts at once there is nothing to say.
                None if moves_on(fact, after) => String::new(),
                None => format!("{job} queued{}", self.first(fact)),
            },
            State::Scheduled => format!("{job} is due at {}", self.clock(fact.due.unwrap_or(fact.at))),
            State::Succeeded => format!("{job} completes"),
            State::Retrying => format!("{job} fails, retries at {}", self.clock(fact.due.unwrap_or(fact.at))),
            State::Dead => format!("{job} {} for the last time", fact.ended.as_ref().map_or("fails", |e| words(e.outcome))),
            State::Cancelled if fact.code == Some(Code::Superseded) => format!("{job} gives way to a newer one"),
            State::Cancelled => format!("{job} cancelled"),
            State::Refused if fact.code == Some(Code::ConcurrentExecutionDetected) => {
                format!("{job} refused - instance already running")
            }
            State::Refused => {
                format!("{job} refused when due - {}", fact.code.map_or(String::new(), |code| self.why(code, fact.by)))
            }
            State::Expired => format!("{job} expired"),
        };
        self.states.insert(fact.run, (Arc::clone(&fact.job), fact.state));
        if event.is_empty() {
            return None;
        }
        let run = match fact.by {
            Some(by) => format!("{} by {by}", fact.run),
            None => fact.run.to_string(),
        };
        Some(vec![self.clock(fact.at), event, run, fact.code.map_or(String::new(), |code| code.to_string())])
    }

    fn starts(&self, fact: &Came) -> String {
        let attempt = fact.attempt.unwrap_or(1);
        let takes = self.ends.get(&(fact.run, attempt)).filter(|took| !took.is_zero());
        let takes = takes.map_or(String::new(), |took| format!(" (takes {})", short(*took)));
        match attempt {
            1 => format!("starts executing{takes}"),
            n => format!("starts again, attempt {n}{takes}"),
        }
    }

    /// Which run is before it, as far as the facts tell.
    fn first(&self, fact: &Came) -> String {
        let oldest = |state| {
            let runs = self.states.iter().filter(|(_, (job, its))| *job == fact.job && *its == state);
            runs.map(|(run, _)| *run).min()
        };
        match (oldest(State::Running), oldest(State::Queued)) {
            (Some(run), _) => format!(" (run {run} still running)"),
            (_, Some(run)) => format!(" (after run {run})"),
            _ => String::new(),
        }
    }
}

/// The run starts or is refused at the same instant.
fn moves_on(fact: &Came, after: &[Told]) -> bool {
    let mut same = after.iter().take_while(|one| match one {
        Told::Fact(Fact::Came(next)) => next.at == fact.at,
        Told::Fact(Fact::Decided(next)) => next.at == fact.at,
        Told::Log(at, _) => *at == fact.at,
    });
    same.any(|one| matches!(one, Told::Fact(Fact::Came(next)) if next.run == fact.run))
}

fn words(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Timeout => "times out",
        Outcome::Lost => "lost",
        Outcome::Interrupted => "interrupted",
        Outcome::NotStarted => "could not be started",
        Outcome::Failure => "fails",
        Outcome::Success => "completes",
        Outcome::Cancelled => "cancelled",
    }
}
