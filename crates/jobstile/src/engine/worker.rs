//! From the claim to the outcome: every claimed run is executed and settled here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jobstile_core::id::RunId;
use jobstile_core::outcome::Outcome;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::desk::Desk;
use super::{Observer, Started, host};
use crate::clock;
use crate::error::Kind;
use crate::op::{Claimed, Offer, Runnable, Settle, Weight};
use crate::runner::{Attempt, Definition, Ended, Exit, Runners, Stop, output, progress};
use crate::store::Printed;
use crate::store::queue::Queue;

/// How much of an attempt's last output the store keeps.
const STORED_TAIL: usize = 48 << 10;
/// How long a settle that the store could not take waits before it is tried again.
const SETTLE_AGAIN: Duration = Duration::from_millis(500);

/// What a node executes for a job.
#[derive(Debug, Clone)]
pub struct Defined {
    /// How.
    pub definition: Definition,
    /// How long it may go on after the first signal to the daemon.
    pub shutdown_grace: Duration,
    /// How long it may take to end after it was asked to.
    pub kill_after: Duration,
    /// Whether the reason of its end, which is logged, may quote what it prints.
    pub log_output: bool,
}

impl Defined {
    /// What kind of worker it needs.
    #[must_use]
    pub fn weight(&self) -> Weight {
        match self.definition {
            Definition::Command(_) | Definition::Shell(_) => Weight::Heavy,
            Definition::Http(_) | Definition::Function(_) => Weight::Light,
        }
    }
}

struct Running {
    stop: watch::Sender<Option<Stop>>,
    job: Arc<str>,
}

/// The attempts of one node.
pub(crate) struct Worker {
    queue: Queue,
    desk: Arc<Desk>,
    runners: Runners,
    observer: Arc<dyn Observer>,
    definitions: Mutex<Arc<HashMap<String, Defined>>>,
    defined: Mutex<Arc<Runnable>>,
    reasons: Mutex<HashMap<String, String>>,
    /// Why the last start of a job failed, until one succeeds: only that proves that it can run again.
    refused: Mutex<HashMap<String, String>>,
    running: Mutex<HashMap<RunId, Running>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Worker {
    pub(crate) fn new(queue: Queue, desk: Arc<Desk>, runners: Runners, observer: Arc<dyn Observer>) -> Self {
        Self {
            queue,
            desk,
            runners,
            observer,
            definitions: Mutex::default(),
            defined: Mutex::default(),
            reasons: Mutex::default(),
            refused: Mutex::default(),
            running: Mutex::default(),
        }
    }

    /// Other definitions from now on, and what of them cannot be run here is said; attempts that run keep theirs.
    pub(crate) fn define(&self, definitions: HashMap<String, Defined>) {
        let defined = definitions.iter().map(|(name, defined)| (name.clone(), defined.weight())).collect();
        *lock(&self.defined) = Arc::new(defined);
        *lock(&self.definitions) = Arc::new(definitions);
        // No reason is an empty one, so each of the new ones is news.
        lock(&self.reasons).values_mut().for_each(String::clear);
        self.look();
    }

    /// Looks at what can be run here, and why not; says what has changed, and true where anything has.
    pub(crate) fn look(&self) -> bool {
        let definitions = Arc::clone(&lock(&self.definitions));
        let reasons: HashMap<String, String> = definitions
            .iter()
            .filter_map(|(name, defined)| {
                self.runners.can_run(&defined.definition).err().map(|reason| (name.clone(), reason))
            })
            .collect();
        let before = std::mem::replace(&mut *lock(&self.reasons), reasons.clone());
        let mut new: Vec<_> = reasons.iter().filter(|(job, reason)| before.get(*job) != Some(reason)).collect();
        new.sort();
        for (job, reason) in new {
            say_why_not(job, reason);
        }
        let refused = lock(&self.refused).clone();
        let gone = |job: &&String| {
            definitions.contains_key(*job) && !reasons.contains_key(*job) && !refused.contains_key(*job)
        };
        for job in before.keys().filter(gone) {
            tracing::info!(job_type = job.as_str(), "Job can run here again");
        }
        self.offer();
        before != reasons
    }

    fn offer(&self) {
        let definitions = Arc::clone(&lock(&self.definitions));
        let reasons = lock(&self.reasons);
        let runnable: Runnable = definitions
            .iter()
            .filter(|(name, _)| !reasons.contains_key(*name))
            .map(|(name, defined)| (name.clone(), defined.weight()))
            .collect();
        self.desk.set_runnable(runnable);
    }

    /// Every job this node defines, with the reason where it cannot be run.
    pub(crate) fn offers(&self) -> Vec<(String, Option<String>)> {
        let reasons = lock(&self.reasons);
        let definitions = lock(&self.definitions);
        let mut jobs: Vec<_> = definitions.keys().map(|name| (name.clone(), reasons.get(name).cloned())).collect();
        jobs.sort();
        jobs
    }

    /// The jobs whose schedules this node looks at: all that it defines, also where it cannot run them just now.
    pub(crate) fn defined(&self) -> Arc<Runnable> {
        Arc::clone(&lock(&self.defined))
    }

    /// Executes what the desk is given, until nobody can give anything any more.
    pub(crate) async fn work(self: Arc<Self>, mut given: mpsc::UnboundedReceiver<(Claimed, Weight)>) {
        let mut attempts = JoinSet::new();
        loop {
            tokio::select! {
                claimed = given.recv() => match claimed {
                    Some((claimed, weight)) => {
                        let worker = Arc::clone(&self);
                        attempts.spawn(async move { worker.attempt(claimed, weight).await });
                    }
                    None => break,
                },
                Some(ended) = attempts.join_next(), if !attempts.is_empty() => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "An attempt's task failed");
                    }
                }
            }
        }
        while attempts.join_next().await.is_some() {}
    }

    async fn attempt(&self, claimed: Claimed, weight: Weight) {
        let definitions = Arc::clone(&lock(&self.definitions));
        let began = clock::Stopwatch::start();
        let (stop, stopped) = watch::channel(None);
        lock(&self.running).insert(claimed.run, Running { stop, job: Arc::clone(&claimed.job) });
        let ended = match definitions.get(&*claimed.job) {
            Some(defined) => {
                let attempt = Attempt {
                    job: claimed.job.to_string(),
                    run: claimed.run,
                    attempt: claimed.attempt,
                    fence: claimed.fence,
                    args: claimed.args.clone().unwrap_or_else(|| "null".into()),
                    timeout: claimed.timeout,
                    kill_after: defined.kill_after,
                    log_output: defined.log_output,
                    progress: progress::Listener::default(),
                };
                let started = |pid| {
                    if lock(&self.refused).remove(&*claimed.job).is_some() {
                        tracing::info!(job_type = &*claimed.job, "Job can run here again");
                    }
                    self.observer.started(&Started {
                        job: &claimed.job,
                        run: claimed.run,
                        attempt: claimed.attempt,
                        attempts: claimed.attempts,
                        pid,
                    });
                };
                self.runners.run(attempt, &defined.definition, stopped, started).await
            }
            None => not_started("this node does not define the job any more"),
        };
        if ended.outcome == Outcome::NotStarted {
            let reason = ended.message.clone().unwrap_or_else(|| "it cannot be started".to_owned());
            lock(&self.reasons).insert(claimed.job.to_string(), reason.clone());
            if lock(&self.refused).insert(claimed.job.to_string(), reason.clone()).as_ref() != Some(&reason) {
                say_why_not(&claimed.job, &reason);
            }
            self.offer();
            let offer = Offer { node: self.desk.node().clone(), jobs: self.offers() };
            if let Err(error) = self.queue.execute(offer).await {
                tracing::debug!(%error, "The store does not know yet why a job cannot be run");
            }
        }
        lock(&self.running).remove(&claimed.run);
        self.desk.free(weight);
        let definition = definitions.get(&*claimed.job).map(|defined| &defined.definition);
        self.settle(&claimed, definition, ended, began.read()).await;
        self.desk.settled();
    }

    async fn settle(&self, claimed: &Claimed, definition: Option<&Definition>, ended: Ended, took: Duration) {
        let printed = stored(ended.output);
        let exit_code = ended.exit.map(|exit| match exit {
            Exit::Code(code) => code,
            Exit::Signal(signal) => 128 + signal,
        });
        let settle = Settle {
            run: claimed.run,
            fence: claimed.fence,
            outcome: ended.outcome,
            message: ended.message,
            exit_code,
            printed,
            retry_after: ended.retry_after,
            took: Some(took),
            jitter: host::jitter(),
            result: ended.result,
            wish: ended.wish,
        };
        loop {
            match self.queue.execute(settle.clone()).await {
                Ok(None) => {
                    tracing::warn!(run = claimed.run.0, fence = claimed.fence.0, "Stale result not stored");
                    break;
                }
                Ok(_) => break,
                Err(error) if error.kind() == Kind::Closed => return,
                Err(error) if error.kind() == Kind::Replaced => {
                    tracing::error!(run = claimed.run.0, %error, "Result not stored");
                    break;
                }
                Err(error) => {
                    tracing::error!(run = claimed.run.0, %error, "Result not stored yet, tried again");
                    clock::sleep(SETTLE_AGAIN).await;
                }
            }
        }
        // A function writes none.
        let writes = definition.is_none_or(|definition| !matches!(definition, Definition::Function(_)));
        if writes {
            // A file that stays is removed with its node's folder.
            let _ = output::remove(self.runners.dir(), claimed.run, claimed.fence);
        }
    }

    /// Asks attempts to end.
    pub(crate) fn stop(&self, runs: &[RunId], how: Stop) {
        let running = lock(&self.running);
        for run in runs {
            if let Some(attempt) = running.get(run) {
                send(attempt, how);
            }
        }
    }

    /// Asks every attempt to end whose grace is over; `after` is how long ago the first signal came.
    pub(crate) fn stop_all(&self, how: Stop, after: Option<Duration>) {
        let definitions = Arc::clone(&lock(&self.definitions));
        for attempt in lock(&self.running).values() {
            let grace = definitions.get(&*attempt.job).map_or(Duration::ZERO, |defined| defined.shutdown_grace);
            if after.is_none_or(|after| after >= grace) {
                send(attempt, how);
            }
        }
    }
}

// A request never gets weaker.
fn send(attempt: &Running, how: Stop) {
    attempt.stop.send_if_modified(|now| {
        let stronger = match (*now, how) {
            (None, _) => true,
            (Some(Stop::Now), _) => false,
            (Some(_), Stop::Now) => true,
            _ => false,
        };
        if stronger {
            *now = Some(how);
        }
        stronger
    });
}

fn say_why_not(job: &str, reason: &str) {
    tracing::warn!(job_type = job, reason, "Job cannot run here");
}

fn not_started(why: &str) -> Ended {
    Ended {
        outcome: Outcome::NotStarted,
        exit: None,
        message: Some(why.to_owned()),
        retry_after: None,
        wish: None,
        result: None,
        output: output::Output::default(),
    }
}

/// What of an attempt's output goes into the store: its first bytes, and the last of the rest.
pub(crate) fn stored(output: output::Output) -> Option<Printed> {
    if output.head.is_empty() && output.tail.is_empty() {
        return None;
    }
    // A few bytes of a character that the head did not take may stand before it.
    let output = output.with_tail_of(STORED_TAIL + 3);
    Some(Printed { head: output.head, tail: output.tail, dropped: output.dropped })
}
