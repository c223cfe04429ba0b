//! Where a job or run stands and what is in its way: one wording, whoever asks.

use jobstile::answer::{Explained, ExplainedRun, InTheWay, Job, Replacement, Rule, Standing, Waits};
use jobstile::origin::{Origin, Source};
use jobstile_core::decide::Code as Why;
use jobstile_core::id::RunId;
use jobstile_core::policy::{Dedup, KeyRule, OnDuplicate, OnFull, Until};
use jobstile_core::run::State;

use super::{count, number};
use crate::text::duration::measured;
use crate::text::time::Times;

/// How often a node looks again for what a job needs.
const LOOK_S: u64 = jobstile::engine::LOOK_FOR_COMMANDS;

fn others(n: u64) -> String {
    if n > 0 { format!(" and {} more", number(n)) } else { String::new() }
}

/// A job in one sentence.
pub(crate) fn job(explained: &Explained, times: &Times) -> String {
    format!("{} {}.", explained.job.info.name, says(explained, times))
}

/// The same after its name, without the full stop.
pub(crate) fn says(explained: &Explained, times: &Times) -> String {
    let stands = || standing(&explained.standing, times);
    match &explained.in_the_way {
        Some(
            way @ (InTheWay::NoConfiguration { .. }
            | InTheWay::Paused(_)
            | InTheWay::NoDaemon { .. }
            | InTheWay::CannotRun(_)),
        ) => blocked(way, times),
        Some(way @ (InTheWay::SwitchedOff(_) | InTheWay::Overdue { .. } | InTheWay::ClockBehind { .. })) => {
            format!("{}. It {}", stands(), blocked(way, times))
        }
        Some(InTheWay::Run { decision, .. }) => {
            let until = match &explained.standing {
                Standing::Running { .. } => "until it ends",
                Standing::Retrying { .. } => "until then",
                _ => "meanwhile",
            };
            format!("{}. Its ticks are {decision} {until}", stands())
        }
        None => match (&explained.standing, explained.next_tick) {
            (Standing::Idle, Some(next)) => {
                format!("is idle: its next tick is {}, at {}", times.ago(next.at), times.at(next.at))
            }
            (Standing::Idle, None) => "is idle: it has no schedule and runs when it is triggered".to_owned(),
            _ => stands(),
        },
    }
}

/// Where a job stands, after its name.
fn standing(standing: &Standing, times: &Times) -> String {
    match standing {
        Standing::Running { run, others: more, for_, usual, unusual } => {
            let usual = usual.map_or(String::new(), |usual| format!(" (usually {})", measured(usual)));
            let unusual = if *unusual { ", unusually long" } else { "" };
            format!("is running: run {run}{}, for {}{usual}{unusual}", others(*more), measured(*for_))
        }
        Standing::WasRunning { run, others: more, node } => {
            format!("was running: run {run}{} on {node}, which is gone; it starts again", others(*more))
        }
        Standing::Retrying { run, due, attempt, others: more } => {
            format!(
                "is waiting for its retry: attempt {attempt} of run {run}{} starts {}",
                others(*more),
                times.ago(*due)
            )
        }
        Standing::Waiting { run, since, waits: for_what, others: more } => {
            let long = measured(times.now().since(*since));
            format!("has run {run}{} waiting for {long}: {}", others(*more), waits(for_what, times))
        }
        Standing::Later { run, due, others: more } => {
            format!("is idle; run {run}{} is due {}, at {}", others(*more), times.ago(*due), times.at(*due))
        }
        Standing::Dead { run, code, failures, lost } => {
            format!("is idle; its last run, {run}, is dead: {}", died(*code, *failures, *lost))
        }
        Standing::Idle => "is idle".to_owned(),
    }
}

/// Why a run is dead.
pub(crate) fn died(code: Option<Why>, failures: u32, lost: u32) -> String {
    match code {
        Some(Why::CrashBudget) => format!("its node went away {}", count(lost.max(1).into(), "time")),
        _ if failures == 1 => "its only attempt failed".to_owned(),
        _ => format!("its {} attempts failed", number(failures.max(1).into())),
    }
}

/// What is in the way, after the job's name or «it».
pub(crate) fn blocked(way: &InTheWay, times: &Times) -> String {
    match way {
        InTheWay::NoConfiguration { .. } => format!("does not run: {}", reason(way, times)),
        InTheWay::Paused(_) => format!("is {}", reason(way, times)),
        InTheWay::NoDaemon { .. } => format!("does not run: {}", reason(way, times)),
        InTheWay::CannotRun(reasons) => format!("cannot run: {} (looked for every {LOOK_S} s)", cannot_run(reasons)),
        InTheWay::SwitchedOff(_) => format!("does not run by itself: it is {}", reason(way, times)),
        InTheWay::Overdue { count: n, since } => {
            let were = if *n == 1 { "has" } else { "have" };
            format!("is overdue: {} since {} {were} not been fired", count(*n, "tick"), times.at(*since))
        }
        InTheWay::ClockBehind { last } => {
            format!("does not tick yet: the clock is behind its last tick of {}", times.at(*last))
        }
        InTheWay::Run { run, decision, .. } => {
            let by = run.map_or(String::new(), |run| format!(" by run {run}"));
            format!("would have its next tick {decision}{by}")
        }
    }
}

/// The reason why runs of a job wait, by itself.
pub(crate) fn reason(way: &InTheWay, times: &Times) -> String {
    match way {
        InTheWay::NoConfiguration { since, version, meant } => {
            no_configuration(*since, *version, meant.as_deref(), times)
        }
        InTheWay::Paused(pause) => {
            let why = pause.why.as_ref().map_or(String::new(), |why| format!(": {why}"));
            let until = pause.until.map_or(String::new(), |until| format!(" until {}", times.at(until)));
            format!("paused{until} by {}, since {}{why}", pause.by, times.at(pause.at))
        }
        InTheWay::NoDaemon { library: false } => "no daemon works on this store".to_owned(),
        InTheWay::NoDaemon { library: true } => "the program that defines it is not running".to_owned(),
        InTheWay::CannotRun(reasons) => format!("no node can run it: {}", cannot_run(reasons)),
        InTheWay::SwitchedOff(source) => format!("switched off by {}", switched_off(source)),
        InTheWay::Overdue { .. } | InTheWay::ClockBehind { .. } | InTheWay::Run { .. } => blocked(way, times),
    }
}

/// What switches a schedule off: `AIBTC_TWEET_ENABLED=false (environment; the file says enabled = true)`.
pub(crate) fn switched_off(source: &Source) -> String {
    let place = match &source.origin {
        Origin::Variable { place: None, .. } => "environment".to_owned(),
        Origin::Variable { place: Some(place), .. } => format!("{}:{}", place.file, place.line),
        other => super::origin(other),
    };
    let what = match &source.origin {
        Origin::Variable { name, .. } => format!("{name}=false"),
        _ => "enabled = false".to_owned(),
    };
    let written = match &source.instead_of {
        None => String::new(),
        Some((value, _)) => format!("; the file says enabled = {value}"),
    };
    match (&source.origin, written.is_empty()) {
        // The name says it.
        (Origin::Variable { place: None, .. }, true) => what,
        _ => format!("{what} ({place}{written})"),
    }
}

/// That no configuration names a job.
pub(crate) fn no_configuration(
    since: Option<jobstile_core::time::Time>,
    version: jobstile_core::id::Version,
    meant: Option<&str>,
    times: &Times,
) -> String {
    let since = since.map_or(String::new(), |at| format!(" since {}", times.at(at)));
    let meant = meant.map_or(String::new(), |name| format!("; did you mean {name}?"));
    format!("no configuration names it{since} (version {version} took it out){meant}")
}

/// Why no node can run a job. A reason that all nodes share is said once.
pub(crate) fn cannot_run(reasons: &[(String, String)]) -> String {
    match reasons {
        [] => "no live node defines it".to_owned(),
        [(_, why), others @ ..] if !others.is_empty() && others.iter().all(|(_, other)| other == why) => {
            format!("{why} (all {} nodes)", reasons.len())
        }
        _ => reasons.iter().map(|(node, why)| format!("{node}: {why}")).collect::<Vec<_>>().join("; "),
    }
}

/// What a run waits for.
pub(crate) fn waits(waits: &Waits, times: &Times) -> String {
    match waits {
        Waits::Job(way) => reason(way, times),
        Waits::Retry(due) | Waits::Later(due) => format!("due {}", times.ago(*due)),
        Waits::Slot(by) if by.is_empty() => "waits for a slot".to_owned(),
        Waits::Slot(by) => format!("waits for a slot, held by {}", runs(by)),
        Waits::Other(what) => format!("waits on {what}"),
        Waits::Worker { busy, workers } => format!("waits for a worker: {}", workers_busy(*busy, *workers)),
        Waits::Nothing => "starts now".to_owned(),
    }
}

/// `8 of 8 workers are busy; workers = N allows more`.
pub(crate) fn workers_busy(busy: u64, workers: u64) -> String {
    format!("{} of {} workers busy", number(busy), number(workers))
}

fn runs(ids: &[RunId]) -> String {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    match ids.as_slice() {
        [one] => format!("run {one}"),
        many => format!("runs {}", many.join(", ")),
    }
}

/// A run in one sentence.
pub(crate) fn run(explained: &ExplainedRun, times: &Times) -> String {
    let (row, job) = (&explained.run.row, &explained.run.job);
    let id = row.id;
    let by = row.by_run.map_or(String::new(), |by| format!(" by run {by}"));
    let node = explained.node.as_ref().map_or(String::new(), |node| format!(" on {node}"));
    match row.state {
        State::Running if explained.was_running => {
            format!("run {id} of {job} was running{node}, which is gone: it starts again when a daemon comes back.")
        }
        State::Running => {
            let for_ = measured(times.now().since(row.claimed_at.unwrap_or(row.due)));
            let asked = row.cancel_by.as_ref().map_or(String::new(), |who| format!("; {who} asked it to end"));
            format!("run {id} of {job} is running{node}: attempt {}, for {for_}{asked}.", row.claims)
        }
        State::Queued | State::Retrying | State::Scheduled => {
            let what = match row.state {
                State::Retrying => "waits for its retry",
                State::Scheduled => "is for later",
                _ => "waits",
            };
            let why = explained.waits.as_ref().map_or(String::new(), |what| format!(": {}", waits(what, times)));
            format!("run {id} of {job} {what}{why}.")
        }
        State::Succeeded => {
            let took = super::last_took(explained).map_or(String::new(), |took| format!(" after {}", measured(took)));
            format!("run {id} of {job} succeeded{took}.")
        }
        State::Dead => format!("run {id} of {job} is dead: {}.", died(row.code, row.failures, row.lost)),
        State::Refused if row.code == Some(Why::ConcurrentExecutionDetected) => {
            format!(
                "run {id} of {job} was refused when it was about to start: run {} was running.",
                row.by_run.map_or(0, |r| r.0)
            )
        }
        State::Refused => format!("run {id} of {job} was refused when it came due{by}."),
        State::Cancelled if row.code == Some(Why::Superseded) => {
            format!("run {id} of {job} gave way to a newer run of its key{by}.")
        }
        State::Cancelled => {
            let who = row.cancel_by.as_ref().map_or(String::new(), |who| format!(" by {who}"));
            format!("run {id} of {job} was cancelled{who}.")
        }
        State::Expired => format!("run {id} of {job} expired: it did not start in time."),
    }
}

/// What a superseded run gave way to.
pub(crate) fn replacement(replacement: Replacement) -> String {
    match replacement {
        Replacement::NeverStarted { run } => format!("run {run} ended before it started: nothing replaced this one"),
        Replacement::Newer { run, state } => format!("run {run} of the same key has newer arguments; it is {state}"),
        Replacement::Gone => "the newer run is no longer kept".to_owned(),
    }
}

/// What is live of a job: `1 running, 2 waiting`. What its node left behind was running.
pub(crate) fn tally(job: &Job) -> String {
    let tally = job.info.tally;
    let parts = [
        (tally.running.saturating_sub(job.orphans()), "running"),
        (job.orphans(), if job.orphans() == 1 { "was running" } else { "were running" }),
        (tally.queued, "waiting"),
        (tally.retrying, "retrying"),
        (tally.scheduled, "for later"),
    ];
    let parts: Vec<String> =
        parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{} {what}", number(*n))).collect();
    if parts.is_empty() { "idle".to_owned() } else { parts.join(", ") }
}

/// The rules of a job in words.
pub(crate) fn rule(rule: &Rule) -> String {
    if rule.aggressive && rule.dedup.is_some() {
        return format!(
            "at most one live run, retries included: monitoring job ({}), aggressive deduplication on",
            super::origin(&rule.from)
        );
    }
    let slots = match rule.slots {
        None => "any number at a time".to_owned(),
        Some(1) => "one at a time".to_owned(),
        Some(n) => format!("{} at a time", number(n.into())),
    };
    if !rule.deduplication {
        let check = if rule.final_check { "; one that is about to start beside another is refused" } else { "" };
        return format!("deduplication is off: nothing is skipped, {slots}{check}");
    }
    let full = match rule.on_full {
        OnFull::Skip => "skipped",
        OnFull::Fail => "rejected",
    };
    let wait = match rule.waiting {
        0 => format!("the rest is {full}"),
        n => format!("{} may wait, the rest is {full}", number(n)),
    };
    let same = rule.dedup.as_ref().map_or(String::new(), |dedup| format!("; {}", identity(dedup, rule.slots)));
    let off = if rule.dedup_is_off { "; its `dedup` is switched off" } else { "" };
    format!("{slots}, {wait}{same}{off}")
}

// `until = "start"` bounds what waits and leaves what runs to the slots.
fn identity(dedup: &Dedup, slots: Option<u32>) -> String {
    let same = match &dedup.key {
        KeyRule::AllArguments => " with the same arguments".to_owned(),
        KeyRule::Fields(fields) if fields.is_empty() => String::new(),
        KeyRule::Fields(fields) => format!(" with the same {}", fields.join(", ")),
    };
    let then = match dedup.on_duplicate {
        OnDuplicate::Fail => "rejected",
        OnDuplicate::Skip => "skipped",
    };
    match (dedup.until, slots) {
        (Until::Start, Some(1)) => format!("one{same} may wait while one runs, others are {then}"),
        (Until::Start, _) => format!("one{same} may wait, whatever runs; others are {then}"),
        (Until::Finish, _) => format!("one{same} is live at a time, others are {then}"),
    }
}
