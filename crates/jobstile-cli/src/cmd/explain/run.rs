//! What became of a run.

use jobstile::client::{AttemptInfo, Liveness, RunInfo};
use jobstile_core::decide::Code as Why;
use jobstile_core::id::RunId;
use jobstile_core::outcome::Outcome;
use jobstile_core::run::State;
use jobstile_core::time::Time;

use super::page::Page;
use crate::cmd::open::Opened;
use crate::error::Error;
use crate::text::duration::spoken;
use crate::text::time::Times;
use crate::text::words::count;

/// Explains a run.
pub(super) fn explain(opened: &Opened, id: RunId) -> Result<Page, Error> {
    let run = opened.run(id)?;
    let times = Times::here(opened.client.now());
    let row = &run.row;
    let mut page = Page::new(&format!("run {id}"), sentence(opened, &run, &times)?, &times);
    let how = if row.rerun_of.is_some() { "again, by hand" } else { row.source.as_str() };
    page.event(row.admitted_at, format!("admitted ({how}, by {})", row.by_whom), "within_limits");
    for attempt in opened.client.attempts(id)? {
        events(&mut page, opened, &run, &attempt, &times);
    }
    if let (Some(at), State::Refused | State::Cancelled) = (row.ended_at, row.state) {
        page.event(at, said(row.state), row.code.map_or("", Why::as_str));
    }
    if row.code == Some(Why::Superseded) {
        superseded(&mut page, opened, &run)?;
    }
    let away = opened.client.refusals_by(id)?;
    if let (true, Some(first)) = (away.count > 0, away.first_at) {
        page.says("behind it", format!("{} skipped since {}", count(away.count, "trigger"), times.at(first)));
    }
    next(&mut page, &run);
    Ok(page)
}

fn sentence(opened: &Opened, run: &RunInfo, times: &Times) -> Result<String, Error> {
    let (row, job) = (&run.row, &run.job);
    let id = row.id;
    let by = row.by_run.map_or(String::new(), |by| format!(" by run {by}"));
    Ok(match row.state {
        State::Running => {
            let node = row.node.as_deref().map_or(String::new(), |node| format!(" on {}", opened.node_name(node)));
            let for_ = spoken(times.now().since(row.claimed_at.unwrap_or(row.due)));
            let asked = row.cancel_by.as_ref().map_or(String::new(), |who| format!("; {who} asked it to end"));
            format!("run {id} of {job} is running{node}: attempt {}, for {for_}{asked}.", row.claims)
        }
        State::Queued => format!("run {id} of {job} waits: {}.", waits(opened, run)?),
        State::Retrying => {
            format!("run {id} of {job} waits for its retry: it starts again {}.", times.ago(row.due))
        }
        State::Scheduled => format!("run {id} of {job} is for later: due {}, {}.", times.at(row.due), times.ago(row.due)),
        State::Succeeded => {
            let took = row.ended_at.zip(row.claimed_at).map_or(String::new(), |(end, start)| {
                format!(" after {}", spoken(end.since(start)))
            });
            format!("run {id} of {job} succeeded{took}.")
        }
        State::Dead => format!("run {id} of {job} is dead: {}.", match row.code {
            Some(Why::CrashBudget) => "its node went away three times".to_owned(),
            _ => format!("its {} attempts failed", row.failures),
        }),
        State::Refused if row.code == Some(Why::ConcurrentExecutionDetected) => {
            format!("run {id} of {job} was refused when it was about to start: run {} was running.", row.by_run.map_or(0, |r| r.0))
        }
        State::Refused => format!("run {id} of {job} was refused when it came due{by}."),
        State::Cancelled if row.code == Some(Why::Superseded) => {
            format!("run {id} of {job} gave way to a newer run of its key{by}.")
        }
        State::Cancelled => {
            let who = row.cancel_by.as_ref().map_or(String::new(), |who| format!(" by {who}"));
            format!("run {id} of {job} was cancelled{who}.")
        }
        state => format!("run {id} of {job} is {state}."),
    })
}

/// What a queued run waits for: its row, then its job, then the nodes.
pub(super) fn waits(opened: &Opened, run: &RunInfo) -> Result<String, Error> {
    let now = opened.client.now();
    let job = opened.client.job(&run.job)?;
    if let Some(job) = &job {
        if let Some(pause) = job.paused(now) {
            let why = pause.why.as_ref().map_or(String::new(), |why| format!(" ({why})"));
            return Ok(format!("its job is paused by {}{why}", pause.by));
        }
        if job.policy.is_none() {
            return Ok("its job is out of the policy".to_owned());
        }
        if run.row.waits_on.is_some() {
            let held: Vec<String> = opened
                .client
                .slots(job.id)?
                .iter()
                .filter_map(|slot| slot.holder.map(|(run, _)| run.to_string()))
                .take(5)
                .collect();
            return Ok(format!("every slot of its job is taken, by run {}", held.join(", ")));
        }
    }
    if opened.alive.is_empty() {
        return Ok("no daemon works on this store".to_owned());
    }
    Ok(unable(opened, &run.job)?.unwrap_or_else(|| "a worker is to become free".to_owned()))
}

/// Why no live node can run a job; `None` means one can.
pub(super) fn unable(opened: &Opened, job: &str) -> Result<Option<String>, Error> {
    let mut reasons = vec![];
    for node in opened.alive.iter().filter(|node| node.liveness == Liveness::Alive) {
        match opened.client.offers(&node.row.id)?.into_iter().find(|offer| offer.job == job) {
            Some(offer) => match offer.reason {
                None => return Ok(None),
                Some(reason) => reasons.push(format!("{}: {reason}", node.row.name)),
            },
            None => reasons.push(format!("{} does not define it", node.row.name)),
        }
    }
    Ok(Some(format!("no node can run it. {}", reasons.join("; "))))
}

fn events(page: &mut Page, opened: &Opened, run: &RunInfo, attempt: &AttemptInfo, times: &Times) {
    let (n, node) = (attempt.n, opened.node_name(&attempt.node));
    let Some((end, outcome)) = attempt.ended_at.zip(attempt.outcome) else {
        page.event(attempt.claimed_at, format!("attempt {n} started on {node}"), "");
        return;
    };
    page.event(end, ended(attempt, end, outcome, &node), "");
    if run.row.state == State::Retrying && n == run.row.claims {
        page.now(format!("attempt {} starts {}", n + 1, times.ago(run.row.due)));
    }
}

/// How an attempt ended.
pub(crate) fn ended(attempt: &AttemptInfo, end: Time, outcome: Outcome, node: &str) -> String {
    let (n, took) = (attempt.n, spoken(end.since(attempt.claimed_at)));
    let message = attempt.message.as_ref().map_or(String::new(), |message| format!(": {message}"));
    match outcome {
        Outcome::Success => format!("attempt {n} on {node} succeeded after {took}"),
        Outcome::Failure => format!("attempt {n} on {node} failed after {took}{message}"),
        Outcome::Timeout => format!("attempt {n} on {node} took too long: ended after {took}"),
        Outcome::Lost => format!("attempt {n} on {node} was lost after {took}{message}"),
        Outcome::NotStarted => format!("attempt {n} on {node} could not start{message}"),
        Outcome::Cancelled => format!("attempt {n} on {node} was cancelled after {took}"),
        other => format!("attempt {n} on {node}: {other} after {took}{message}"),
    }
}

/// What became of a run, after its number.
pub(super) fn said(state: State) -> &'static str {
    match state {
        State::Dead => "is dead",
        State::Cancelled => "was cancelled",
        State::Refused => "was refused",
        State::Running => "is running",
        State::Queued | State::Scheduled | State::Retrying => "is waiting",
        ended => ended.as_str(),
    }
}

fn superseded(page: &mut Page, opened: &Opened, run: &RunInfo) -> Result<(), Error> {
    let Some(newer) = run.row.by_run else { return Ok(()) };
    let newer = opened.client.run(newer)?;
    let replaced = match &newer {
        Some(newer) if !newer.row.started() && newer.row.state.is_terminal() => {
            format!("run {} ended before it started: nothing replaced this one", newer.row.id)
        }
        Some(newer) => format!("run {} of the same key has newer arguments; it is {}", newer.row.id, newer.row.state),
        None => "the newer run is no longer kept".to_owned(),
    };
    page.says("lost?", replaced);
    Ok(())
}

fn next(page: &mut Page, run: &RunInfo) {
    let id = run.row.id;
    match run.row.state {
        State::Running if run.row.cancel_at.is_some() => {}
        State::Running => page.says("to end it", format!("jobstile cancel {id}")),
        State::Retrying => page.says("now", format!("jobstile retry {id}   (starts it at once)")),
        State::Dead => page.says("again", format!("jobstile retry {id}")),
        _ => {}
    }
    if run.row.started() {
        page.says("output", format!("jobstile logs {id}"));
    }
}
