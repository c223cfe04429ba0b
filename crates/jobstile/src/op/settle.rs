//! An attempt has ended: its row, its slot, and what follows for the run.

use jobstile_core::claim::rank;
use jobstile_core::decide::Code;
use jobstile_core::outcome::Outcome;
use jobstile_core::policy::Backoff;
use jobstile_core::retry::{After, Before, after};
use jobstile_core::run::{Event, State};

use super::Settle;
use super::view::{More, View};
use crate::bugs::planted;
use crate::error::{Result, Wish};
use crate::fact::Ended;
use crate::store::{AttemptRow, RunRow};

/// Settles an attempt. `None` means that the fence is old or the run is not running; nothing was changed.
pub(super) fn settle(view: &mut View<'_>, how: &Settle) -> Result<Option<State>> {
    let Some(run) = view.ended(how.run, how.fence)? else { return Ok(None) };
    if (run.fence != how.fence && !planted("old_fence_is_accepted")) || run.state != State::Running {
        return Ok(None);
    }
    end_attempt(view, run, how).map(Some)
}

/// Ends the current attempt of a running run.
pub(super) fn end_attempt(view: &mut View<'_>, mut run: RunRow, how: &Settle) -> Result<State> {
    let ended = write_attempt(view, &run, how)?;
    let policy = view.job(run.job)?.policy.clone();
    let backoff = policy.as_ref().map_or_else(Backoff::default, |policy| policy.backoff);
    // A job that was taken out of the policy may come back: until then nobody knows that this was the last attempt.
    let attempts = policy.as_ref().map_or(u32::MAX, |policy| policy.attempts);
    let before = Before { failures: run.failures, lost: run.lost, cancel_requested: run.cancel_at.is_some() };
    // Whoever gives up has used up all its attempts.
    let attempts = if how.wish == Some(Wish::GiveUp) { 0 } else { attempts };
    let follows = after(how.outcome, before, attempts, &backoff, how.jitter);
    match how.outcome {
        Outcome::Lost if planted("lost_attempt_counts_as_a_failure") => run.failures += 1,
        Outcome::Failure | Outcome::Timeout => run.failures += 1,
        Outcome::Lost => run.lost += 1,
        Outcome::Success | Outcome::Cancelled | Outcome::Interrupted | Outcome::NotStarted => {}
    }
    release(view, &run)?;
    let event = match follows {
        After::Succeeded => Event::Succeeded,
        After::Dead(code) => {
            run.code = Some(code);
            if code == Code::CrashBudget { Event::CrashedForGood } else { Event::FailedForGood }
        }
        After::Cancelled => {
            run.code = Some(Code::CancelledByHand);
            Event::Cancelled
        }
        After::Retry(_) | After::Again => match super::supersede::superseding(view, &run)? {
            Some(newer) => {
                run.code = Some(Code::Superseded);
                run.by_run = Some(newer);
                Event::Cancelled
            }
            None => again(view, &mut run, follows, how)?,
        },
    };
    let fence = run.fence;
    view.change(&mut run, event, fence)?;
    view.came(&run, More { ended: Some(ended), ..More::default() })?;
    Ok(run.state)
}

fn again(view: &mut View<'_>, run: &mut RunRow, follows: After, how: &Settle) -> Result<Event> {
    match follows {
        After::Retry(delay) => {
            let delay = match how.wish {
                Some(Wish::RetryIn(delay)) => delay,
                Some(Wish::GiveUp) | None => delay.max(how.retry_after.unwrap_or_default()),
            };
            run.due = view.now.plus(delay);
            run.delay = Some(delay);
            run.rank = rank(run.admitted_at, run.due, run.priority);
            Ok(Event::FailedWithMore)
        }
        // It keeps its place in line.
        _ => {
            run.waits_on = super::trigger::waits_on(view, run)?;
            Ok(Event::GivenBack)
        }
    }
}

fn write_attempt(view: &mut View<'_>, run: &RunRow, how: &Settle) -> Result<Ended> {
    let now = view.now;
    let claimed_at = run.claimed_at.unwrap_or(now);
    // The store may have been away since: the attempt ended when it ended.
    let took = how.took.unwrap_or_else(|| now.since(claimed_at));
    view.tables().insert_attempt(&AttemptRow {
        run: run.id,
        n: run.claims,
        fence: run.fence,
        node: run.node.clone().unwrap_or_default(),
        claimed_at,
        ended_at: claimed_at.plus(took),
        outcome: how.outcome,
        message: how.message.clone(),
        exit_code: how.exit_code,
    })?;
    if let Some(printed) = how.printed.as_ref().filter(|p| !p.head.is_empty() || p.dropped > 0) {
        view.tables().insert_output(run.id, run.claims, printed)?;
    }
    if let Some(result) = how.result.as_ref().filter(|_| how.outcome == Outcome::Success) {
        view.tables().insert_result(run.id, result)?;
    }
    Ok(Ended { outcome: how.outcome, took, message: how.message.clone() })
}

/// Gives the run's slot back; the first run that waits for it is made ready, in this transaction.
pub(super) fn release(view: &mut View<'_>, run: &RunRow) -> Result<()> {
    let Some(last) = view.last_slot(run.job)? else { return Ok(()) };
    let Some(n) = view.tables().release_slot(run.job, run.id, run.fence)? else { return Ok(()) };
    if planted("slot_is_given_back_twice")
        && let Some(other) = view.tables().oldest_running(run.job)?
    {
        let other = view.run(other)?;
        view.tables().release_slot(other.job, other.id, other.fence)?;
    }
    let job = view.job(run.job)?;
    let max = job.policy.as_ref().and_then(|policy| policy.slots()).unwrap_or(0);
    // Nobody knows how many slots a damaged policy has: they stay.
    if last < max || job.is_damaged() {
        return view.wake(run.job);
    }
    // The limit was lowered while all of these were held: one slot fewer, whichever becomes free first.
    view.delete_slot(run.job, n, last)
}
