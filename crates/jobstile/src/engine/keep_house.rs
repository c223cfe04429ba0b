//! What a node does once a second and when it is told: it shows that it lives, passes on requests to end, buries dead
//! nodes, looks whether it can run what it could not, and prunes.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use jobstile_core::id::{Fence, RunId};
use jobstile_core::outcome::Outcome;
use jobstile_core::retention::{Horizon, REPLAY_WINDOW};
use tokio::sync::watch;

use super::clear::{Clearer, Swept};
use super::desk::Desk;
use super::worker::{Worker, stored};
use super::{Observer, node};
use crate::bugs::planted;
use crate::clock::{self, Clock};
use crate::error::{Kind, Result};
use crate::op::{Age, Offer, Operation, Prune, Reap, Settle, Sweep};
use crate::runner::sweep::Survivors;
use crate::runner::{Stop, lock, output};
use crate::store::question::{Asked, Held, News, Nodes, Question};
use crate::store::queue::Queue;
use crate::store::{NodeRow, PruneBefore};

const POLL: Duration = Duration::from_secs(1);
/// Between two looks at what other processes write.
const BETWEEN_LOOKS: Duration = Duration::from_millis(2);
/// How often a command that was missing is looked for, in seconds.
pub const LOOK_FOR_COMMANDS: u64 = 20;
/// How often history is pruned, in seconds; so it is not in the first ten minutes, in which a wrong clock may be set.
const PRUNE: u64 = 600;
/// Rows that one prune deletes at the most of each kind; there may be another one at once.
const PRUNE_AT_ONCE: u32 = 1_000;
/// Prunes in a row.
const MAX_PRUNES: u32 = 1_000;
pub(super) struct House {
    pub(super) queue: Queue,
    pub(super) desk: Arc<Desk>,
    pub(super) worker: Arc<Worker>,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) clock: Clock,
    pub(super) node: NodeRow,
    pub(super) store: Option<PathBuf>,
    pub(super) clearer: Clearer,
    /// Device and number of this node's lock file.
    pub(super) lock: Option<(u64, u64)>,
}

pub(super) fn lock_of(node: &NodeRow) -> PathBuf {
    Path::new(&node.dir).join(format!("{}.lock", node.id))
}

pub(super) fn number_of(file: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(file).ok().map(|of| (of.dev(), of.ino()))
}

impl House {
    /// Keeps house until the node closes.
    pub(super) async fn keep(mut self, mut closing: watch::Receiver<bool>) {
        let mut wake = self.store.as_deref().and_then(Wake::watch);
        let mut round: u64 = 0;
        // Outlives what happens meanwhile: a store that is busy more than once a second must not hold the poll up.
        let mut poll_again = pin!(clock::sleep(POLL));
        loop {
            let poll = tokio::select! {
                () = &mut poll_again => {
                    poll_again.set(clock::sleep(POLL));
                    true
                }
                () = self.desk.asked_to_end.notified() => false,
                () = self.desk.cut_short.notified() => {
                    self.quietly(Sweep).await;
                    continue;
                }
                () = woken(&mut wake) => {
                    self.queue.look();
                    continue;
                }
                _ = closing.changed() => false,
            };
            self.pass_on_requests().await;
            self.pass_on_news().await;
            if poll {
                round += 1;
                let closed = *closing.borrow();
                self.once_a_second(round, closed).await;
            }
        }
    }

    async fn once_a_second(&mut self, round: u64, closing: bool) {
        self.show_life();
        self.queue.look();
        if closing {
            return;
        }
        if let Some(swept) = self.quietly(Sweep).await
            && swept > 0
        {
            tracing::warn!(swept, "Runs waited for a free slot and were made ready");
        }
        self.bury_the_dead().await;
        if round.is_multiple_of(LOOK_FOR_COMMANDS) && self.worker.look() {
            self.quietly(Offer { node: self.node.id.clone(), jobs: self.worker.offers() }).await;
        }
        if round.is_multiple_of(PRUNE) {
            self.prune().await;
        }
    }

    // The store may be away for a while; every one of these is asked again.
    async fn quietly<O: Operation>(&self, op: O) -> Option<O::Answer> {
        self.or_later(self.queue.execute(op).await)
    }

    async fn ask<Q: Question>(&self, question: Q) -> Option<Q::Answer> {
        self.or_later(self.queue.ask(question).await)
    }

    fn or_later<T>(&self, answer: Result<T>) -> Option<T> {
        match answer {
            Ok(answer) => Some(answer),
            Err(error) if error.kind() == Kind::Replaced => {
                self.desk.cut_off(error.to_string());
                None
            }
            Err(error) => {
                tracing::error!(%error, "The store did not answer, tried again");
                None
            }
        }
    }

    // The time of the last sign of life is the lock file's: nothing is written to the store for it.
    fn show_life(&self) {
        let lock = lock_of(&self.node);
        let now = rustix::fs::Timestamps {
            last_access: rustix::fs::Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_NOW },
            last_modification: rustix::fs::Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_NOW },
        };
        let shown = rustix::fs::utimensat(rustix::fs::CWD, &lock, &now, rustix::fs::AtFlags::empty());
        let gone = shown == Err(rustix::io::Errno::NOENT) || number_of(&lock) != self.lock;
        if gone && self.store.is_some() {
            self.desk.cut_off(format!("the lock file {} was deleted or replaced while it was held", lock.display()));
        }
    }

    async fn pass_on_requests(&self) {
        if self.desk.busy() == 0 {
            return;
        }
        if let Some(runs) = self.ask(Asked(self.node.id.clone())).await
            && !planted("cancel_never_reaches_the_process")
        {
            self.worker.stop(&runs, Stop::Cancel);
        }
    }

    async fn pass_on_news(&self) {
        if let Some((from, to)) = self.desk.take_others()
            && let Some(news) = self.ask(News { from, to }).await
        {
            self.observer.others(&news);
        }
    }

    /// Nodes whose lock is free are dead: their processes are ended, then their attempts are lost.
    ///
    /// All nodes of a store have their lock files in one folder beside it, wherever that is now and whatever their
    /// machine was called: a container has another name after each start.
    pub(super) async fn bury_the_dead(&mut self) {
        let Some(nodes) = self.ask(Nodes).await else { return };
        let known: Vec<String> = nodes.iter().map(|node| node.id.as_str().to_owned()).collect();
        let others = nodes.into_iter().filter(|node| node.id != self.node.id);
        for dead in others.collect::<Vec<_>>() {
            self.bury(dead).await;
        }
        if self.store.is_some() {
            self.bury_the_unknown(known).await;
        }
    }

    async fn bury(&mut self, dead: NodeRow) {
        let before = node::before_this_boot(dead.boot_id.as_deref());
        let swept = self.clearer.clear(dead.id.as_str(), dead.lock_uid, before).await;
        let Some(swept) = swept else { return };
        let held = self.held(&dead).await;
        let (dir, name) = (PathBuf::from(&self.node.dir), dead.name.as_str());
        let reason = format!("its daemon {} (pid {}) is gone", dead.name, dead.pid);
        let taken = match swept {
            Swept::Clean(taken) => taken,
            Swept::Not(survivors) => return self.bury_all_but(name, &held, &survivors, &reason).await,
        };
        let printed = held.iter().filter_map(|(run, fence)| {
            let output = output::read(&dir, *run, *fence).ok()?;
            stored(output).filter(|_| !planted("output_of_a_lost_attempt_is_dropped")).map(|printed| (*run, printed))
        });
        let printed = printed.collect();
        if self.quietly(Reap { node: dead.id.clone(), reason, printed }).await.is_none() {
            return;
        }
        // Only now does the store have what was printed.
        for (run, fence) in held {
            let _ = output::remove(&dir, run, fence);
            let _ = lock::remove(&dir, run, fence);
        }
        if let Some(Err(error)) = taken.map(node::DeadNode::bury) {
            tracing::warn!(node = name, %error, "A dead node's lock file stays");
        }
    }

    /// Some of a dead node lives on and cannot be ended: those attempts keep their slots, the others are lost.
    async fn bury_all_but(&self, name: &str, held: &[(RunId, Fence)], survivors: &Survivors, reason: &str) {
        let dir = PathBuf::from(&self.node.dir);
        for (run, fence) in held.iter().filter(|(run, fence)| !survivors.may_be_of(*run, *fence)) {
            let printed = output::read(&dir, *run, *fence).ok().and_then(stored);
            let lost = Settle {
                run: *run,
                fence: *fence,
                outcome: Outcome::Lost,
                message: Some(reason.to_owned()),
                exit_code: None,
                printed,
                retry_after: None,
                took: None,
                jitter: 0.0,
                result: None,
                wish: None,
            };
            if self.quietly(lost).await.is_some() {
                tracing::info!(node = name, run = run.0, "Attempt of a dead node is over");
                let _ = output::remove(&dir, *run, *fence);
                let _ = lock::remove(&dir, *run, *fence);
            }
        }
    }

    /// Dead nodes that the store does not know: what they left behind is ended all the same.
    async fn bury_the_unknown(&mut self, known: Vec<String>) {
        let dir = PathBuf::from(&self.node.dir);
        let Ok(unknown) = node::unknown(&dir, &known) else { return };
        for id in unknown {
            if let Some(Swept::Clean(Some(taken))) = self.clearer.clear(&id, None, false).await {
                tracing::info!(node = id, "A dead node that the store does not know is cleared away");
                let _ = taken.bury();
            }
        }
    }

    async fn held(&self, dead: &NodeRow) -> Vec<(RunId, Fence)> {
        self.ask(Held(dead.id.clone())).await.unwrap_or_default()
    }

    async fn prune(&self) {
        if planted("prune_is_never_called") {
            return;
        }
        let Some(aged) = self.quietly(Age).await else { return };
        let Horizon { mut successes, others, trigger_ids, newest } = Horizon::at(aged);
        if planted("prune_keeps_a_day") {
            successes = aged.minus(REPLAY_WINDOW);
        }
        let instants = self.clock.now();
        let before = PruneBefore { successes, others, trigger_ids, instants, keep: newest, max: PRUNE_AT_ONCE };
        for _ in 0..MAX_PRUNES {
            match self.quietly(Prune(before)).await {
                Some(n) if n > 0 => {}
                _ => return,
            }
        }
    }
}

async fn woken(wake: &mut Option<Wake>) {
    match wake {
        Some(wake) => wake.woken().await,
        None => std::future::pending().await,
    }
}

/// Watches the file that changes after each commit.
#[cfg(target_os = "linux")]
struct Wake {
    events: tokio::net::unix::pipe::Receiver,
    looked: clock::Stopwatch,
}

#[cfg(target_os = "linux")]
impl Wake {
    fn watch(store: &Path) -> Option<Self> {
        if planted("wake_file_is_not_watched") {
            return None;
        }
        use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};
        let inotify = init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).ok()?;
        add_watch(&inotify, crate::store::sqlite::wake_file(store), WatchFlags::MODIFY).ok()?;
        // Events are read like bytes of a pipe.
        let events = tokio::net::unix::pipe::Receiver::from_file_unchecked(inotify.into()).ok()?;
        Some(Self { events, looked: clock::Stopwatch::start() })
    }

    async fn woken(&mut self) {
        let mut events = [0; 4096];
        if self.events.readable().await.is_err() {
            std::future::pending::<()>().await;
        }
        // This node's own commits are among them. What is not read yet wakes nobody a second time.
        if let Some(wait) = BETWEEN_LOOKS.checked_sub(self.looked.read()) {
            clock::sleep(wait).await;
        }
        self.looked = clock::Stopwatch::start();
        // However many there are: one look sees it all.
        while self.events.try_read(&mut events).is_ok_and(|bytes| bytes > 0) {}
    }
}

#[cfg(not(target_os = "linux"))]
struct Wake;

#[cfg(not(target_os = "linux"))]
impl Wake {
    fn watch(_: &Path) -> Option<Self> {
        None
    }

    async fn woken(&mut self) {
        std::future::pending().await
    }
}
