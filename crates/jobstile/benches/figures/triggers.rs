//! Durable triggers per second: every one is answered after a commit that was synced.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use jobstile::args::Args;
use jobstile::clock::Clock;
use jobstile::core::policy::{Dedup as DedupRule, KeyRule, OnDuplicate, Policy, Switches, Until};
use jobstile::core::trigger::{Source, When};
use jobstile::engine::desk::Workers;
use jobstile::engine::{Engine, Nobody, Observer, Setup};
use jobstile::op::{Apply, JobPolicy, Trigger};
use jobstile::{Dedup, Job, JobHandle, Jobstile, Run};
use serde::{Deserialize, Serialize};

use crate::figure::{Aim, Report, Round, Watch};
use crate::place::Place;
use crate::{Effort, runtime};

/// Triggers of one bulk.
pub(crate) const BULK: u64 = 1_000;
/// The job of every measurement, keyed by its argument.
pub(crate) const JOB: &str = "sync_wallet";

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Wallet {
    pub(crate) wallet: String,
}

/// In which order keys come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keys {
    InOrder,
    Random,
}

impl Keys {
    pub(crate) fn wallet(self, n: u64) -> String {
        match self {
            Self::InOrder => format!("wallet-{n:016}"),
            // A bijection (the finaliser of splitmix64): no key comes twice.
            Self::Random => {
                let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                format!("wallet-{:016x}", n ^ (n >> 31))
            }
        }
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::InOrder => "keys in order",
            Self::Random => "random keys",
        }
    }
}

pub(crate) fn measure(report: &mut Report, effort: Effort) -> anyhow::Result<()> {
    runtime()?.block_on(async {
        for (callers, aim) in [(1, Aim::None), (16, Aim::AtLeast(25_000.0)), (256, Aim::AtLeast(80_000.0))] {
            let place = Place::new()?;
            let (_jobs, handle) = open(&place).await?;
            let next = Arc::new(AtomicU64::new(0));
            let rates = callers_rate(effort, callers, &handle, &next, Keys::InOrder).await;
            report.rate(format!("distinct keys, callers: {callers}"), rates, aim);
        }
        for (callers, aim) in [(1, Aim::None), (16, Aim::AtLeast(45_000.0)), (256, Aim::AtLeast(250_000.0))] {
            let place = Place::new()?;
            let (_jobs, handle) = open(&place).await?;
            let rates = hot_rate(effort, callers, &handle).await;
            report.rate(format!("duplicates of one key, callers: {callers}"), rates, aim);
        }
        for (keys, aim) in [(Keys::InOrder, Aim::AtLeast(150_000.0)), (Keys::Random, Aim::AtLeast(60_000.0))] {
            let place = Place::new()?;
            let engine = engine(&place, Arc::new(Nobody)).await?;
            apply(&engine, policy()).await?;
            let mut next = 0;
            let rates = bulk_rate(effort, &engine, &mut next, keys).await?;
            report.rate(format!("bulk of {BULK}, {}", keys.word()), rates, aim);
        }
        anyhow::Ok(())
    })
}

async fn sync_wallet(_: Wallet, _: Run) -> anyhow::Result<()> {
    Ok(())
}

/// A program that embeds the library and triggers, but does not run its jobs.
async fn open(place: &Place) -> anyhow::Result<(Jobstile, JobHandle<Wallet>)> {
    let jobs = Jobstile::open(&place.url()).await?;
    let job = Job::new(JOB, sync_wallet).dedup(Dedup::by(["wallet"])).max_waiting(u32::MAX);
    let handle = jobs.add(job).await?;
    Ok((jobs, handle))
}

/// Each caller waits for its answer before it asks again.
async fn calls<F, Fut>(effort: Effort, callers: usize, call: F) -> Vec<Round>
where
    F: Fn() -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send,
{
    let mut rates = vec![];
    for _ in 0..effort.rounds {
        let stop = Arc::new(AtomicBool::new(false));
        let watch = Watch::start();
        let tasks: Vec<_> = (0..callers)
            .map(|_| {
                let (call, stop) = (call.clone(), Arc::clone(&stop));
                tokio::spawn(async move {
                    let mut answered = 0u64;
                    while !stop.load(Ordering::Relaxed) {
                        call().await;
                        answered += 1;
                    }
                    answered
                })
            })
            .collect();
        jobstile::clock::sleep(Duration::from_millis(effort.round_ms)).await;
        stop.store(true, Ordering::Relaxed);
        let mut answered = 0;
        for task in tasks {
            answered += task.await.expect("a caller");
        }
        rates.push(watch.stop(answered));
    }
    rates
}

async fn callers_rate(
    effort: Effort,
    callers: usize,
    handle: &JobHandle<Wallet>,
    next: &Arc<AtomicU64>,
    keys: Keys,
) -> Vec<Round> {
    let (handle, next) = (handle.clone(), Arc::clone(next));
    calls(effort, callers, move || {
        let (handle, next) = (handle.clone(), Arc::clone(&next));
        async move {
            let wallet = keys.wallet(next.fetch_add(1, Ordering::Relaxed));
            let decision = handle.trigger(&Wallet { wallet }).await.expect("an answer");
            assert!(decision.is_admitted(), "{decision}");
        }
    })
    .await
}

async fn hot_rate(effort: Effort, callers: usize, handle: &JobHandle<Wallet>) -> Vec<Round> {
    let hot = || Wallet { wallet: "hot".to_owned() };
    let first = handle.trigger(&hot()).await.expect("an answer").run();
    let handle = handle.clone();
    calls(effort, callers, move || {
        let handle = handle.clone();
        async move {
            let decision = handle.trigger(&hot()).await.expect("an answer");
            assert!(!decision.is_admitted() && decision.run() == first, "{decision}");
        }
    })
    .await
}

/// A node on a file whose desk is closed.
pub(crate) async fn engine(place: &Place, observer: Arc<dyn Observer>) -> anyhow::Result<Engine> {
    let setup = Setup {
        store: Some(place.store()),
        kind: "library",
        name: "figures".to_owned(),
        join: true,
        clock: Clock::system(),
        workers: Workers::new(None),
        kill_after: Duration::from_secs(5),
        keeper: None,
        owns_children: false,
        environment: BTreeMap::new(),
        echo: None,
        observer,
    };
    Ok(Engine::start(setup).await?)
}

/// Keyed by `wallet`, as many runs as there are.
pub(crate) fn policy() -> Policy {
    let key = KeyRule::Fields(vec!["wallet".to_owned()]);
    let dedup = DedupRule { key, until: Until::Finish, on_duplicate: OnDuplicate::Skip };
    Policy { dedup: Some(dedup), max_waiting: u32::MAX, ..Policy::new(false, None) }
}

/// A policy with the one job.
pub(crate) fn one_job(policy: Policy) -> Apply {
    Apply {
        owner: "figures".to_owned(),
        by: "figures".to_owned(),
        switches: Some(Switches::default()),
        origins: "{}".to_owned(),
        jobs: vec![JobPolicy { name: JOB.to_owned(), policy, origins: "{}".to_owned() }],
        replace: true,
        taken: vec![],
    }
}

pub(crate) async fn apply(engine: &Engine, policy: Policy) -> anyhow::Result<()> {
    engine.queue().execute(one_job(policy)).await?;
    Ok(())
}

pub(crate) fn trigger(wallet: &str) -> Trigger {
    Trigger {
        job: JOB.into(),
        args: Args::parse(format!(r#"{{"wallet":"{wallet}"}}"#).as_bytes()),
        priority: None,
        when: When::Now,
        id: None,
        source: Source::Library,
        by: "figures".into(),
    }
}

/// Asks for so many distinct runs; every one is admitted.
pub(crate) async fn admit(engine: &Engine, from: u64, n: u64, keys: Keys) -> anyhow::Result<()> {
    let ops = (from..from + n).map(|n| trigger(&keys.wallet(n))).collect();
    for answer in engine.queue().execute_all(ops).await? {
        let decided = answer?;
        anyhow::ensure!(decided.run.is_some(), "not admitted: {decided:?}");
    }
    Ok(())
}

/// One caller with bulks, each one transaction; making the arguments counts.
pub(crate) async fn bulk_rate(
    effort: Effort,
    engine: &Engine,
    next: &mut u64,
    keys: Keys,
) -> anyhow::Result<Vec<Round>> {
    let mut rates = vec![];
    for _ in 0..effort.rounds {
        let (watch, first) = (Watch::start(), *next);
        while watch.elapsed() < Duration::from_millis(effort.round_ms) {
            admit(engine, *next, BULK, keys).await?;
            *next += BULK;
        }
        rates.push(watch.stop(*next - first));
    }
    Ok(rates)
}

/// The library's callers on a store that holds runs already.
pub(crate) async fn on_backlog(
    report: &mut Report,
    effort: Effort,
    place: &Place,
    from: u64,
    keys: Keys,
    aims: [(usize, Aim); 2],
) -> anyhow::Result<()> {
    let (_jobs, handle) = open(place).await?;
    let next = Arc::new(AtomicU64::new(from));
    for (callers, aim) in aims {
        let rates = callers_rate(effort, callers, &handle, &next, keys).await;
        report.rate(format!("{}: distinct, callers: {callers}", keys.word()), rates, aim);
    }
    Ok(())
}
