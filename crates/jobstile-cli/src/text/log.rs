//! Facts as log lines: the only place that words them. Five of them are the seed's and stay as they are, to the letter;
//! its fields come first, ours after.

mod line;
mod order;
mod repeat;

use std::collections::BTreeMap;

use jobstile::fact::{Came, Decided, Ended, Fact};
use jobstile_core::decide::{Code, Decision};
use jobstile_core::id::RunId;
use jobstile_core::run::State;
use jobstile_core::time::Time;
use jobstile_core::trigger::Source;

pub(crate) use line::{Level, Line, Stamp};
pub(crate) use order::InOrder;
use repeat::{Repeats, Same};

/// Runs whose skips are remembered at once; beyond them the oldest is forgotten.
const MAX_REMEMBERED: usize = 10_000;

/// Turns facts into lines. It remembers what was said about identical skips, and what a live run has turned away.
#[derive(Debug, Default)]
pub(crate) struct Log {
    repeats: Repeats,
    turned_away: BTreeMap<RunId, TurnedAway>,
}

/// What a live run has turned away.
#[derive(Debug, Default)]
struct TurnedAway {
    /// Ticks of its job's schedule.
    ticks: u64,
    /// The lines about it that may be held back.
    said: Vec<Same>,
}

impl Log {
    /// The lines of a fact, which lie in the order of facts. `from`: the process that caused it, if it is not this one.
    pub(crate) fn take(&mut self, fact: &Fact, from: Option<&str>) -> Vec<Line> {
        let lines = match fact {
            Fact::Decided(decided) => self.decided(decided),
            Fact::Came(came) => self.came(came),
        };
        match from {
            Some(process) => lines.into_iter().map(|line| line.text("from", process)).collect(),
            None => lines,
        }
    }

    /// A trouble that may repeat: the line to print now, if any.
    pub(crate) fn trouble(&mut self, line: Line) -> Option<Line> {
        let same = Same::Said(line.to_text(&Stamp::Nothing));
        self.repeats.take(same, line)
    }

    /// What was held back for long enough: identical skips and troubles, counted.
    pub(crate) fn due(&mut self, now: Time) -> Vec<Line> {
        self.repeats.due(now)
    }

    /// When to ask for what was held back; `None` means that nothing is.
    pub(crate) fn next_due(&self) -> Option<Time> {
        self.repeats.next_due()
    }

    /// All that is held back, before the end.
    pub(crate) fn rest(&mut self, now: Time) -> Vec<Line> {
        self.repeats.rest(now)
    }

    fn decided(&mut self, fact: &Decided) -> Vec<Line> {
        if fact.replayed {
            return vec![replayed(fact)];
        }
        match fact.decision {
            Decision::Admitted => admitted(fact),
            Decision::Skipped => {
                let same = Same::Skip { job: fact.job.clone(), code: fact.code, holder: fact.by };
                if let Some(run) = fact.by {
                    self.remember(run, fact.source, &same);
                }
                self.repeats.take(same, skipped(fact)).into_iter().collect()
            }
            Decision::Replaced | Decision::Merged | Decision::Preempted | Decision::Rejected | Decision::Missed => {
                vec![other(fact)]
            }
        }
    }

    fn remember(&mut self, run: RunId, source: Source, same: &Same) {
        let away = self.turned_away.entry(run).or_default();
        // Triggers of others may be told after its end, so that they cannot be counted here.
        if source == Source::Schedule {
            away.ticks += 1;
        }
        if !away.said.contains(same) {
            away.said.push(same.clone());
        }
        if self.turned_away.len() > MAX_REMEMBERED {
            self.turned_away.pop_first();
        }
    }

    // What a run has turned away is said before its next step: afterwards it would be untrue.
    fn came(&mut self, fact: &Came) -> Vec<Line> {
        let Some(line) = came(fact) else { return vec![] };
        let Some(away) = self.turned_away.get_mut(&fact.run) else { return vec![line] };
        let mut lines = self.repeats.forget(&std::mem::take(&mut away.said));
        let ticks = if fact.state.is_terminal() { away.ticks } else { 0 };
        if fact.state.is_terminal() {
            self.turned_away.remove(&fact.run);
        }
        lines.push(if ticks > 0 { line.number("ticks_skipped", ticks) } else { line });
        lines
    }
}

/// The seed's lines 4 and 5.
fn admitted(fact: &Decided) -> Vec<Line> {
    let job = &fact.job;
    let allowed = Line::new(fact.at, Level::Debug, "Job execution allowed")
        .text("job_type", job)
        .text("action", "scheduled")
        .text("reason", "within_limits")
        .end_of_seed();
    let enqueued = Line::new(fact.at, Level::Info, fact.headline().1)
        .text("job_type", job)
        .number("pending_count", fact.waiting)
        .end_of_seed();
    let enqueued = enqueued.text("source", fact.source).maybe_id("run", fact.run);
    let enqueued = if fact.later { enqueued.text("state", State::Scheduled) } else { enqueued };
    vec![around(allowed, fact), enqueued.number("running", fact.running)]
}

fn skipped(fact: &Decided) -> Line {
    use Code::{ConcurrencyLimit, DuplicateRecent, DuplicateRunning, DuplicateWaiting, QueueFull};
    let no_place = matches!(fact.code, ConcurrencyLimit | QueueFull);
    let duplicate = matches!(fact.code, DuplicateWaiting | DuplicateRunning | DuplicateRecent);
    let of_monitoring = duplicate && fact.aggressive;
    if no_place || (of_monitoring && fact.source == Source::Schedule) {
        // Level 1, the job manager's; its reason stays the seed's, ours is the code.
        let line = Line::new(fact.at, Level::Info, fact.headline().1)
            .text("job_type", &fact.job)
            .text("action", "skipped")
            .text("reason", "concurrency_limit")
            .end_of_seed();
        return around(line, fact);
    }
    if of_monitoring {
        // Level 2, the executor's.
        let line = Line::new(fact.at, Level::Info, fact.headline().1)
            .text("job_type", &fact.job)
            .yes("aggressive_deduplication")
            .end_of_seed();
        return around(line, fact);
    }
    other(fact)
}

fn other(fact: &Decided) -> Line {
    let line = Line::new(fact.at, Level::Info, fact.headline().1)
        .text("job_type", &fact.job)
        .text("action", fact.decision)
        .text("reason", fact.code)
        .end_of_seed();
    let line = around(line, fact);
    match fact.count {
        Some(count) => line.number("count", count),
        None => line,
    }
}

// Not a decision: the first one is given again.
fn replayed(fact: &Decided) -> Line {
    let line = Line::new(fact.at, Level::Debug, fact.headline().1)
        .text("job_type", &fact.job)
        .text("action", fact.decision)
        .text("reason", fact.code);
    line.text("source", fact.source).maybe_id("run", fact.run).maybe_id("by", fact.by)
}

fn around(line: Line, fact: &Decided) -> Line {
    line.text("code", fact.code)
        .text("source", fact.source)
        .maybe_id("run", fact.run)
        .maybe_id("by", fact.by)
        .number("running", fact.running)
        .number("waiting", fact.waiting)
}

fn came(fact: &Came) -> Option<Line> {
    if fact.code == Some(Code::ConcurrentExecutionDetected) {
        return Some(final_check(fact));
    }
    let ended = fact.ended.as_ref();
    let (level, message) = fact.headline()?;
    let line = Line::new(fact.at, level.into(), message).text("job_type", &fact.job).id("run", fact.run);
    let line = match fact.attempt {
        Some(attempt) if fact.state == State::Running || ended.is_some() => line.attempt(attempt, fact.attempts),
        _ => line,
    };
    let line = match ended {
        Some(ended) => ending(line, fact, ended),
        None => line,
    };
    let line = match fact.code {
        Some(code) => line.text("code", code),
        None => line,
    };
    Some(line.maybe_id("by", fact.by))
}

fn ending(line: Line, fact: &Came, ended: &Ended) -> Line {
    let line = line.seconds("took", ended.took);
    let line = if fact.state == State::Succeeded { line } else { line.text("outcome", ended.outcome) };
    let line = match &ended.message {
        Some(message) => line.text("error", message),
        None => line,
    };
    match fact.due.filter(|_| fact.state == State::Retrying) {
        Some(due) => line.seconds("retry_in", due.since(fact.at)),
        None => line,
    }
}

fn final_check(fact: &Came) -> Line {
    Line::new(fact.at, Level::Info, "Final execution check - skipping duplicate monitoring job")
        .text("reason", "concurrent_execution_detected")
        .end_of_seed()
        .text("job_type", &fact.job)
        .id("run", fact.run)
        .maybe_id("by", fact.by)
}

#[cfg(test)]
mod tests;
