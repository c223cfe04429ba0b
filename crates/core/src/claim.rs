//! Who is next, and the final execution check.

use crate::id::Fence;
use crate::policy::{Priority, Rules};
use crate::time::{Time, micros};

/// A place in line, in microseconds: the later of admission and due time, minus the head start. The smaller one goes
/// first, then the smaller run id; so waiting runs age by themselves.
#[must_use]
pub fn rank(admitted: Time, due: Time, priority: Priority) -> i64 {
    admitted.max(due).0.saturating_sub(micros(priority.head_start()))
}

/// Numbers that every reader of JSON keeps exactly are smaller than this.
const EXACT: i64 = 1 << 53;

/// The fence of a claim: the next number, or the time in microseconds where that is greater, so that fences also grow
/// through a backup that was put in place. They stay below 2⁵³, whatever the clock says.
#[must_use]
pub fn fence(next: Fence, now: Time) -> Fence {
    if now.0 < EXACT { next.max(Fence(now.0)) } else { next }
}

/// The final execution check: must this run, which is about to be claimed, end `refused` instead?
///
/// `started`: it was claimed before (a retry is never lost). `other_running`: another run of its job is running.
#[must_use]
pub fn is_refused(rules: &Rules, started: bool, other_running: bool) -> bool {
    rules.final_check && !started && other_running
}
