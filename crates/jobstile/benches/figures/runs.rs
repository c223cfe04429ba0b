//! Runs of functions that do nothing: how many are executed and settled, how soon after their trigger they start, and
//! what a second process waits beside them.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use jobstile::core::policy::{Concurrency, Policy};
use jobstile::core::run::State;
use jobstile::engine::Observer;
use jobstile::engine::worker::Defined;
use jobstile::fact::Fact;
use jobstile::runner::Definition;
use jobstile::runner::function::erase;
use jobstile::{Dedup, Job, Jobstile, Run};
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, mpsc, oneshot};

use crate::figure::{Aim, Report, Round, Watch};
use crate::place::Place;
use crate::triggers::{BULK, JOB, Keys, Wallet, admit, engine, one_job, policy};
use crate::{Effort, other, runtime};

/// Between two triggers whose latency is measured: the run before has been settled.
const PAUSE: Duration = Duration::from_millis(3);
/// Callers that keep a daemon busy.
const BUSY_CALLERS: usize = 64;

pub(crate) fn measure(report: &mut Report, effort: Effort) -> anyhow::Result<()> {
    runtime()?.block_on(async {
        for (name, slots, aim) in
            [("unlimited", None, Aim::AtLeast(50_000.0)), ("max_concurrent = 16", Some(16), Aim::None)]
        {
            let max_concurrent = slots.map_or(Concurrency::Unlimited, Concurrency::Limited);
            let policy = Policy { max_concurrent, ..policy() };
            let mut rates = vec![];
            for _ in 0..effort.rounds {
                let place = Place::new()?;
                rates.push(drain(&place, policy.clone(), effort.runs as u64, Keys::InOrder).await?);
            }
            report.rate(format!("runs drained, {name}"), rates, aim);
        }
        let times = latency(effort, Asker::SameProcess).await?;
        report.times("from trigger to start, same process", times, Aim::Below(0.5), Aim::None);
        let times = latency(effort, Asker::OtherProcess).await?;
        report.times("from trigger to start, other process", times, Aim::None, Aim::None);
        anyhow::Ok(())
    })
}

struct Count {
    succeeded: AtomicUsize,
    until: usize,
    done: Notify,
}

impl Observer for Count {
    fn facts(&self, facts: &[Fact]) {
        let ended = facts.iter().filter(|f| matches!(f, Fact::Came(came) if came.state == State::Succeeded)).count();
        if self.succeeded.fetch_add(ended, Ordering::Relaxed) + ended >= self.until {
            self.done.notify_one();
        }
    }
}

async fn nothing(_: Wallet, _: Run) -> anyhow::Result<()> {
    Ok(())
}

/// Admits so many runs, then executes and settles them all.
async fn drain(place: &Place, policy: Policy, runs: u64, keys: Keys) -> anyhow::Result<Round> {
    let observer = count(runs);
    let engine = engine(place, Arc::clone(&observer) as _).await?;
    engine.apply(one_job(policy), definitions()).await?;
    for from in (0..runs).step_by(BULK as usize) {
        admit(&engine, from, BULK.min(runs - from), keys).await?;
    }
    let rate = drained(&engine, &observer, runs).await?;
    shut(engine).await?;
    Ok(rate)
}

/// Some of the runs that wait in a store.
pub(crate) async fn drain_backlog(place: &Place, runs: u64) -> anyhow::Result<Round> {
    let observer = count(runs);
    let engine = engine(place, Arc::clone(&observer) as _).await?;
    engine.apply(one_job(policy()), definitions()).await?;
    let rate = drained(&engine, &observer, runs).await?;
    shut(engine).await?;
    Ok(rate)
}

fn count(until: u64) -> Arc<Count> {
    Arc::new(Count { succeeded: AtomicUsize::new(0), until: until as usize, done: Notify::new() })
}

fn definitions() -> HashMap<String, Defined> {
    let defined = Defined {
        definition: Definition::Function(erase(nothing)),
        shutdown_grace: Duration::from_secs(5),
        kill_after: Duration::from_secs(5),
        log_output: true,
    };
    HashMap::from([(JOB.to_owned(), defined)])
}

async fn drained(engine: &jobstile::engine::Engine, observer: &Count, runs: u64) -> anyhow::Result<Round> {
    let watch = Watch::start();
    engine.open().await?;
    observer.done.notified().await;
    Ok(watch.stop(runs))
}

async fn shut(engine: jobstile::engine::Engine) -> anyhow::Result<()> {
    let (_hurry, hurried) = tokio::sync::watch::channel(0);
    Ok(engine.shut_down(hurried).await?)
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Stamped {
    /// Nanoseconds since 1970, so that another process can say it.
    pub(crate) at: u64,
}

impl Stamped {
    pub(crate) fn now() -> Self {
        Self { at: SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos() as u64 }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Asker {
    SameProcess,
    OtherProcess,
}

async fn latency(effort: Effort, asker: Asker) -> anyhow::Result<Vec<Duration>> {
    let place = Place::new()?;
    let jobs = Jobstile::open(&place.url()).await?;
    let (started, mut starts) = mpsc::unbounded_channel();
    let job = Job::new(JOB, move |args: Stamped, _: Run| {
        let took = Duration::from_nanos(Stamped::now().at.saturating_sub(args.at));
        let sent = started.send(took);
        async move { sent.map_err(|_| "nobody measures any more") }
    });
    let handle = jobs.add(job).await?;
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(jobs.run_until(stopped));
    let mut times = vec![];
    match asker {
        Asker::SameProcess => {
            while times.len() < effort.samples {
                let decision = handle.trigger(&Stamped::now()).await?;
                anyhow::ensure!(decision.is_admitted(), "{decision}");
                times.extend(starts.recv().await);
                jobstile::clock::sleep(PAUSE).await;
            }
        }
        Asker::OtherProcess => {
            let asker = other::trigger_stamped(&place.store(), effort.samples, PAUSE)?;
            while times.len() < effort.samples {
                times.extend(starts.recv().await);
            }
            asker.ended()?;
        }
    }
    // The receiver is gone only if it ended by itself, which the next line says.
    let _ = stop.send(());
    running.await??;
    Ok(times)
}

pub(crate) fn second_process(report: &mut Report, effort: Effort) -> anyhow::Result<()> {
    runtime()?.block_on(async {
        let place = Place::new()?;
        let jobs = Jobstile::open(&place.url()).await?;
        let job = Job::new(JOB, nothing).dedup(Dedup::by(["wallet"])).max_waiting(u32::MAX);
        let handle = jobs.add(job).await?;
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(jobs.run_until(stopped));
        let (busy, next) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
        let callers: Vec<_> = (0..BUSY_CALLERS)
            .map(|_| {
                let (handle, busy, next) = (handle.clone(), Arc::clone(&busy), Arc::clone(&next));
                tokio::spawn(async move {
                    while busy.load(Ordering::Relaxed) {
                        let wallet = Keys::InOrder.wallet(next.fetch_add(1, Ordering::Relaxed) as u64);
                        let _decision = handle.trigger(&Wallet { wallet }).await.expect("an answer");
                    }
                })
            })
            .collect();
        let watch = Watch::start();
        let times = waits(&place.store(), effort.samples).await?;
        let meanwhile = watch.stop(next.load(Ordering::Relaxed) as u64);
        busy.store(false, Ordering::Relaxed);
        for caller in callers {
            caller.await?;
        }
        let _ = stop.send(());
        running.await??;
        report.times("a second process's trigger, daemon flat out", times, Aim::None, Aim::Below(5.0));
        report.rate("runs that the daemon took and executed meanwhile", vec![meanwhile], Aim::None);
        anyhow::Ok(())
    })
}

async fn waits(store: &Path, samples: usize) -> anyhow::Result<Vec<Duration>> {
    let store = store.to_owned();
    tokio::task::spawn_blocking(move || other::time_triggers(&store, samples, PAUSE)).await?
}
