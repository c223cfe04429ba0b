//! Ends a run before its time, by hand; and tries one again by hand.

use std::sync::Arc;

use jobstile_core::decide::Code;
use jobstile_core::id::RunId;
use jobstile_core::run::{Event, State};
use jobstile_core::trigger::{Source, When};

use super::trigger::{Extra, trigger_with};
use super::view::{More, View};
use super::{Changed, Retried, Trigger};
use crate::args::Args;
use crate::bugs::planted;
use crate::error::{Error, Kind, Result};
use crate::store::RunRow;

/// Ends a waiting run; asks a running one to end.
pub(super) fn cancel(view: &mut View<'_>, id: RunId, by: &str) -> Result<Changed> {
    let mut run = view.run(id)?;
    let from = run.state;
    if from.is_terminal() {
        return Ok(Changed { from, to: from, asked: false });
    }
    if run.cancel_at.is_none() {
        run.cancel_at = Some(view.now);
        run.cancel_by = Some(by.to_owned());
    }
    if from == State::Running {
        if planted("slot_is_free_before_the_process_has_ended") {
            super::settle::release(view, &run)?;
        }
        view.touch(&run)?;
        view.note_asked_to_end();
        return Ok(Changed { from, to: from, asked: true });
    }
    run.code = Some(Code::CancelledByHand);
    end(view, &mut run)?;
    Ok(Changed { from, to: run.state, asked: false })
}

/// Tries again: a retrying run becomes due now; an ended one is a trigger with the same arguments.
pub(super) fn retry(view: &mut View<'_>, id: RunId, by: &str, source: Source) -> Result<Retried> {
    let mut run = view.run(id)?;
    let from = run.state;
    match from {
        State::Retrying => {
            run.due = view.now;
            super::due::retry(view, &mut run)?;
            Ok(Retried::Changed(Changed { from, to: run.state, asked: false }))
        }
        State::Scheduled | State::Queued | State::Running => {
            Ok(Retried::Changed(Changed { from, to: from, asked: false }))
        }
        State::Succeeded | State::Dead | State::Cancelled | State::Refused | State::Expired => {
            again(view, &run, by, source)
        }
    }
}

fn again(view: &mut View<'_>, run: &RunRow, by: &str, source: Source) -> Result<Retried> {
    let args = match &run.args {
        None => Ok(Args::none()),
        Some(text) => Args::parse(text.as_bytes()),
    };
    let trigger = Trigger {
        job: Arc::clone(&view.job(run.job)?.row.name),
        args,
        priority: None,
        when: When::Now,
        id: None,
        source,
        by: by.into(),
    };
    trigger_with(view, &trigger, Extra { nominal: None, rerun_of: Some(run.id) }).map(Retried::Decided)
}

/// Ends a run that does not run.
pub(super) fn end(view: &mut View<'_>, run: &mut RunRow) -> Result<()> {
    if run.state == State::Running {
        return Err(Error::new(Kind::Invariant, format!("run {} is running: it ends with its attempt", run.id)));
    }
    let was_ready = run.state == State::Queued && run.waits_on.is_none();
    let fence = run.fence;
    view.change(run, Event::Cancelled, fence)?;
    view.came(run, More::default())?;
    if was_ready {
        view.pass_on(run.job)?;
    }
    Ok(())
}
