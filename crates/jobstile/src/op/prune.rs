//! What is no longer kept goes; by how much the past has aged is decided by the core.

use jobstile_core::retention::aged;
use jobstile_core::time::Time;

use super::view::View;
use crate::error::Result;
use crate::store::PruneBefore;

/// The time by which history has aged.
pub(super) fn age(view: &mut View<'_>) -> Result<Time> {
    let now = view.now;
    let (to, at) = view.tables().aged()?;
    let to = aged(to, at, now);
    view.tables().set_aged(to, now)?;
    Ok(to)
}

/// Deletes what may go, and says how many rows.
pub(super) fn prune(view: &mut View<'_>, before: PruneBefore) -> Result<u64> {
    view.tables().prune(before)
}
