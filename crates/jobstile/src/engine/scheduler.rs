//! The scheduler: looks at what falls due and at the schedules, and says itself when to look again.

use std::sync::Arc;
use std::time::Duration;

use jobstile_core::time::Time;
use tokio::sync::watch;

use super::desk::Desk;
use super::worker::Worker;
use crate::clock::Clock;
use crate::op::{Due, Ticks};
use crate::store::queue::Queue;

/// The longest sleep: the clock may be set, and a hint may be lost.
const POLL: Duration = Duration::from_secs(1);
/// Runs that fall due in one look.
const DUE_AT_ONCE: usize = 500;

/// Looks until the node closes.
pub(super) async fn run(
    queue: Queue,
    desk: Arc<Desk>,
    worker: Arc<Worker>,
    clock: Clock,
    name: String,
    mut closing: watch::Receiver<bool>,
) {
    let by: Arc<str> = name.into();
    let mut alarm = clock.alarm();
    while !*closing.borrow() {
        let wake_at = tick(&queue, &worker, &by).await;
        let wait = wake_at.map_or(POLL, |at| at.since(clock.now())).min(POLL);
        tokio::select! {
            () = alarm.rings_after(wait) => {}
            () = desk.timed.notified() => {}
            _ = closing.changed() => {}
        }
    }
}

/// One look: what is due, then the schedules. When to look again; `None` means only when asked.
async fn tick(queue: &Queue, worker: &Worker, by: &Arc<str>) -> Option<Time> {
    let ticks = Ticks { jobs: Some(worker.defined()), by: Arc::clone(by) };
    let (due, ticked) = queue.execute_both(Due { max: DUE_AT_ONCE }, ticks).await.ok()?;
    let mut next: Option<Time> = None;
    for answer in [due, ticked] {
        match answer {
            Ok(moved) => next = [next, moved.next].into_iter().flatten().min(),
            // A check that fails is an error and never a skip: the instant is looked at again.
            Err(error) => tracing::error!(%error, "Schedules not looked at, tried again"),
        }
    }
    next
}
