//! Nodes: processes that come, say what they can run, and go. What a worker's death means is decided here.

use std::collections::HashMap;

use jobstile_core::id::{NodeId, RunId};
use jobstile_core::outcome::Outcome;

use super::settle::end_attempt;
use super::view::View;
use super::{Answer, Settle};
use crate::error::Result;
use crate::store::{NodeRow, Printed, Reload};

/// A process begins to work on the store.
pub(super) fn enter(view: &mut View<'_>, node: &NodeRow) -> Result<Answer> {
    let now = view.now;
    view.tables().insert_node(node, now)?;
    Ok(Answer::Done(1))
}

/// What a node can run from now on.
pub(super) fn offer(view: &mut View<'_>, node: &NodeId, jobs: &[(String, Option<String>)]) -> Result<Answer> {
    view.tables().set_node_jobs(node, jobs)?;
    view.note_ready();
    Ok(Answer::Done(jobs.len() as u64))
}

/// A sign of life.
pub(super) fn seen(view: &mut View<'_>, node: &NodeId, busy: u32) -> Result<Answer> {
    let now = view.now;
    view.tables().node_seen(node, busy, now)?;
    Ok(Answer::Done(1))
}

/// It has read its configuration again.
pub(super) fn reloaded(view: &mut View<'_>, node: &NodeId, reload: &Reload) -> Result<Answer> {
    let now = view.now;
    view.tables().node_reloaded(node, reload, now)?;
    Ok(Answer::Done(1))
}

/// A node is gone, and so are its processes: its attempts are lost, in the order of their start.
pub(super) fn reap(
    view: &mut View<'_>,
    node: &NodeId,
    reason: &str,
    printed: &HashMap<RunId, Printed>,
) -> Result<Answer> {
    let now = view.now;
    let mut lost = 0;
    for id in view.tables().running_of_node(node)? {
        let run = view.run(id)?;
        let how = Settle {
            run: id,
            fence: run.fence,
            outcome: Outcome::Lost,
            message: Some(reason.to_owned()),
            exit_code: None,
            printed: printed.get(&id).cloned(),
            retry_after: None,
            took: None,
            jitter: 0.0,
            result: None,
            wish: None,
        };
        end_attempt(view, run, &how)?;
        lost += 1;
    }
    view.tables().end_node(node, now, reason)?;
    Ok(Answer::Done(lost))
}

/// Repairs what should not be there: runs that wait for a limit with a free slot although no ready run could take it.
pub(super) fn sweep(view: &mut View<'_>) -> Result<Answer> {
    let mut woken = 0;
    for job in view.tables().forgotten_waiters()? {
        view.wake(job)?;
        woken += 1;
    }
    Ok(Answer::Done(woken))
}

/// The attempts that a node holds.
pub(super) fn held(view: &mut View<'_>, node: &NodeId) -> Result<Answer> {
    let mut held = Vec::new();
    for id in view.tables().running_of_node(node)? {
        held.push((id, view.run(id)?.fence));
    }
    Ok(Answer::Held(held))
}
