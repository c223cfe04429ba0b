//! A node is gone: what its death means for its attempts.

use jobstile_core::outcome::Outcome;

use super::settle::end_attempt;
use super::view::View;
use super::{Reap, Settle};
use crate::error::Result;

/// A node is gone, and so are its processes: its attempts are lost, in the order of their start.
pub(super) fn reap(view: &mut View<'_>, dead: &Reap) -> Result<u64> {
    let now = view.now;
    let mut lost = 0;
    for id in view.tables().running_of_node(&dead.node)? {
        let run = view.run(id)?;
        let how = Settle {
            run: id,
            fence: run.fence,
            outcome: Outcome::Lost,
            message: Some(dead.reason.clone()),
            exit_code: None,
            printed: dead.printed.get(&id).cloned(),
            retry_after: None,
            result: None,
            wish: None,
            took: None,
            jitter: 0.0,
        };
        end_attempt(view, run, &how)?;
        lost += 1;
    }
    view.tables().end_node(&dead.node, now, &dead.reason)?;
    Ok(lost)
}
