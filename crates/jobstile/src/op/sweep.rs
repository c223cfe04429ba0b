//! A look once a second for what slipped; there should be nothing.

use super::view::View;
use crate::error::Result;

/// Repairs what should not be there: runs that wait for a limit with a free slot although no ready run could take it.
pub(super) fn sweep(view: &mut View<'_>) -> Result<u64> {
    let mut woken = 0;
    for job in view.tables().forgotten_waiters()? {
        view.wake(job)?;
        woken += 1;
    }
    Ok(woken)
}
