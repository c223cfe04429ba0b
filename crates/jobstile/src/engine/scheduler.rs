//! The scheduler: looks at what falls due and at the schedules, and says itself when to look again.

use std::sync::Arc;
use std::time::Duration;

use jobstile_core::time::Time;
use tokio::sync::watch;

use super::clock::{self, Clock};
use super::desk::Desk;
use super::worker::Worker;
use crate::op::{Answer, Op};
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
    while !*closing.borrow() {
        let wake_at = tick(&queue, &worker, &by).await;
        let wait = wake_at.map_or(POLL, |at| at.since(clock.now())).min(POLL);
        tokio::select! {
            () = clock::sleep(wait) => {}
            () = desk.timed.notified() => {}
            _ = closing.changed() => {}
        }
    }
}

/// One look: what is due, then the schedules. When to look again; `None` means only when asked.
async fn tick(queue: &Queue, worker: &Worker, by: &Arc<str>) -> Option<Time> {
    let ops = vec![Op::Due { max: DUE_AT_ONCE }, Op::Ticks { jobs: Some(worker.defined()), by: Arc::clone(by) }];
    let answers = match queue.execute_all(ops).await {
        Ok(answers) => answers,
        Err(_) => return None,
    };
    let mut next: Option<Time> = None;
    for answer in answers {
        match answer {
            Ok(Answer::Moved { next: Some(at), .. }) => next = Some(next.map_or(at, |next| next.min(at))),
            Ok(_) => {}
            // A check that fails is an error and never a skip: the instant is looked at again.
            Err(error) => tracing::error!(%error, "Schedules not looked at, tried again"),
        }
    }
    next
}
