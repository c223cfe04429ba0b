//! A node comes, and says what it can run.

use jobstile_core::id::NodeId;

use super::Reloaded;
use super::view::View;
use crate::error::Result;
use crate::store::NodeRow;

/// A process begins to work on the store.
pub(super) fn enter(view: &mut View<'_>, node: &NodeRow) -> Result<u64> {
    let now = view.now;
    view.tables().insert_node(node, now)?;
    Ok(1)
}

/// What a node can run from now on.
pub(super) fn offer(view: &mut View<'_>, node: &NodeId, jobs: &[(String, Option<String>)]) -> Result<u64> {
    view.tables().set_node_jobs(node, jobs)?;
    view.note_ready();
    Ok(jobs.len() as u64)
}

/// A node has read its configuration again.
pub(super) fn reloaded(view: &mut View<'_>, reloaded: &Reloaded) -> Result<u64> {
    let now = view.now;
    view.tables().node_reloaded(&reloaded.node, &reloaded.reload, now)?;
    Ok(1)
}
