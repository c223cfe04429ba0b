//! What falls due: scheduled runs meet the rules as a trigger of this moment would; retries are queued.

use std::sync::Arc;

use jobstile_core::claim::rank;
use jobstile_core::decide::{Decision, View as Facts, admit};
use jobstile_core::identity::{Change, Identity};
use jobstile_core::run::{Event, State};

use super::Moved;
use super::trigger::{lift, waits_on};
use super::view::{More, View};
use crate::bugs::planted;
use crate::error::{Error, Result};
use crate::store::RunRow;

/// Moves what has fallen due, by time.
pub(super) fn due(view: &mut View<'_>, max: usize) -> Result<Moved> {
    view.bring_forward()?;
    let mut moved = 0;
    loop {
        let next = view.tables().next_due()?;
        match next {
            Some((at, id)) if at <= view.now && moved < max => {
                let mut run = view.run(id)?;
                match run.state {
                    State::Retrying => retry(view, &mut run)?,
                    State::Scheduled => scheduled(view, &mut run)?,
                    state @ (State::Queued
                    | State::Running
                    | State::Succeeded
                    | State::Dead
                    | State::Cancelled
                    | State::Refused
                    | State::Expired) => return Err(Error::invariant(format!("run {id} is {state} and due"))),
                }
                moved += 1;
            }
            next => return Ok(Moved { moved, next: next.map(|(at, _)| at) }),
        }
    }
}

/// A retry's time has come.
pub(super) fn retry(view: &mut View<'_>, run: &mut RunRow) -> Result<()> {
    if planted("retry_meets_deduplication") && run.identity == Identity::Target {
        run.code = Some(jobstile_core::decide::Code::DuplicateWaiting);
        let fence = run.fence;
        view.change(run, Event::Cancelled, fence)?;
        return view.came(run, More::default());
    }
    if super::supersede::give_way(view, run)? {
        return Ok(());
    }
    queue(view, run)
}

/// A scheduled run's time has come.
fn scheduled(view: &mut View<'_>, run: &mut RunRow) -> Result<()> {
    let rules = Arc::clone(&view.job(run.job)?.rules);
    // A run that was admitted without a rule has no key by which it could be a duplicate or a target.
    let is_target = rules.dedup.is_some() && run.identity.has_key();
    let target = if is_target { view.target(run.job, &run.key)? } else { None };
    let facts = Facts { paused: false, target, tally: view.job(run.job)?.tally };
    let ruling = admit(&rules, run.priority, &facts);
    if ruling.decision == Decision::Admitted {
        let change = if rules.dedup.is_some() { Change::DueUnderARule } else { Change::DueUnderNone };
        run.identity = run.identity.after(change);
        run.in_line = run.identity.has_key() && view.is_until_start(run.job)?;
        queue(view, run)?;
        return super::supersede::older_give_way(view, run);
    }
    run.code = Some(ruling.code);
    run.by_run = view.holder(run.job, ruling.by)?;
    if ruling.lift {
        lift(view, ruling.by, run.priority)?;
    }
    let fence = run.fence;
    view.change(run, Event::RefusedWhenDue, fence)?;
    view.came(run, More::default())
}

fn queue(view: &mut View<'_>, run: &mut RunRow) -> Result<()> {
    run.rank = rank(run.admitted_at, run.due, run.priority);
    run.waits_on = waits_on(view, run)?;
    let fence = run.fence;
    view.change(run, Event::Due, fence)?;
    view.came(run, More::default())
}
