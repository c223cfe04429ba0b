//! Waiting for the end of a run, and what its end means for the caller.

use std::time::Duration;

use jobstile::client::{AttemptInfo, Liveness, RunInfo};
use jobstile::clock;
use jobstile_core::id::RunId;
use jobstile_core::outcome::Outcome;
use jobstile_core::run::State;
use serde_json::{Value, json};

use crate::cmd::open::Opened;
use crate::error::Error;
use crate::exit::Code;
use crate::text;
use crate::text::duration::measured;
use crate::text::json;
use crate::text::time::Times;
use crate::text::words;

/// How often the store is looked at: soon at first, then less often.
const FIRST_LOOKS: Duration = Duration::from_millis(20);
const LOOKS: Duration = Duration::from_millis(200);

/// Nodes that are looked at.
const NODES: usize = 200;
/// When the wait says for the first time what it waits for, and how often then.
const FIRST_WORD: Duration = Duration::from_secs(2);
const WORDS: Duration = Duration::from_secs(5);

/// How the wait ended.
pub(super) struct End {
    run: RunInfo,
    attempts: Vec<AttemptInfo>,
    /// The time was over first.
    timed_out: bool,
    pub(super) code: Code,
}

/// Waits until a run has ended, at most so long.
///
/// # Errors
/// If the store cannot be read, or the run is gone.
pub(super) fn until_ended(opened: &Opened, id: RunId, limit: Option<Duration>) -> Result<End, Error> {
    let watch = clock::Stopwatch::start();
    let mut say_at = FIRST_WORD;
    loop {
        let run = opened.run(id)?;
        let waited = watch.read();
        if waited >= say_at && !run.row.state.is_terminal() {
            text::say_line(&format!("waiting: run {id}{}", meanwhile(opened, &run)?));
            say_at = waited + WORDS;
        }
        let timed_out = limit.is_some_and(|limit| waited >= limit);
        if run.row.state.is_terminal() || timed_out {
            let attempts = opened.client.attempts(id)?;
            let timed_out = !run.row.state.is_terminal();
            let code = if timed_out { Code::TimedOut } else { code(&run, attempts.last()) };
            return Ok(End { run, attempts, timed_out, code });
        }
        let look = if waited < Duration::from_secs(2) { FIRST_LOOKS } else { LOOKS };
        clock::block(limit.map_or(look, |limit| look.min(limit.saturating_sub(waited))));
    }
}

// What a run that has not ended does, or waits for.
fn meanwhile(opened: &Opened, run: &RunInfo) -> Result<String, Error> {
    let times = Times::here(opened.client.now());
    if run.row.state != State::Queued {
        return Ok(format!(", {}", words::doing(run, &times)));
    }
    if let Some(why) = opened.cannot_run(&run.job)? {
        return Ok(format!(" cannot run on any node: {why}"));
    }
    let alive = opened.client.nodes(NODES)?.iter().any(|node| match node.liveness {
        Liveness::Alive | Liveness::Unknown => true,
        Liveness::Gone | Liveness::Ended => false,
    });
    let paused = opened.client.job(&run.job)?.is_some_and(|job| job.paused(times.now()).is_some());
    Ok(match () {
        () if paused => format!(" waits until somebody resumes {}", run.job),
        () if !alive => " waits for a daemon: jobstile serve".to_owned(),
        () if run.row.waits_on.is_some() => " waits for a slot".to_owned(),
        () => " waits for a worker".to_owned(),
    })
}

/// The command's own code, passed through; what the scheduler did says so with its own.
fn code(run: &RunInfo, last: Option<&AttemptInfo>) -> Code {
    let own = last.and_then(|attempt| attempt.exit_code).and_then(|code| u8::try_from(code).ok());
    match (run.row.state, last.and_then(|attempt| attempt.outcome)) {
        (State::Succeeded, _) => own.map_or(Code::Done, Code::Command),
        (State::Refused, _) => Code::Skipped,
        (State::Dead, Some(Outcome::Timeout)) => Code::TimedOut,
        (State::Dead, Some(Outcome::Lost)) => Code::Scheduler,
        (
            State::Dead,
            None
            | Some(Outcome::Success | Outcome::Failure | Outcome::Cancelled | Outcome::Interrupted | Outcome::NotStarted),
        ) => own.filter(|code| *code != 0).map_or(Code::Failed, Code::Command),
        (
            State::Scheduled | State::Queued | State::Running | State::Retrying | State::Cancelled | State::Expired,
            _,
        ) => Code::Failed,
    }
}

impl End {
    /// Says how it ended.
    pub(super) fn say(&self) -> Code {
        let row = &self.run.row;
        let id = row.id;
        if self.timed_out {
            text::say_line(&format!("run {id} is {} still; the wait is over", row.state));
            return self.code;
        }
        let took = self.attempts.last().and_then(AttemptInfo::took).map(|took| format!(" after {}", measured(took)));
        let last = self.attempts.last().and_then(|attempt| attempt.message.clone());
        let why = match (row.state, last) {
            (State::Dead, Some(message)) => format!(": {message}"),
            (State::Succeeded, _) => String::new(),
            _ => row.code.map_or(String::new(), |code| format!(": {code}")),
        };
        let by = row.by_run.map_or(String::new(), |by| format!(" by run {by}"));
        text::say_line(&format!("run {id} {}{}{why}{by}", row.state, took.unwrap_or_default()));
        if row.state == State::Dead {
            text::suggest(&[format!("what it printed: jobstile logs {id}      once more: jobstile retry {id}")]);
        }
        self.code
    }

    pub(super) fn as_json(&self) -> Value {
        json!({
            "run": json::run(&self.run),
            "attempts": self.attempts.iter().map(json::attempt).collect::<Vec<_>>(),
            "timed_out": self.timed_out,
            "exit_code": self.code.number(),
        })
    }
}
