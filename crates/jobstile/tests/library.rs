//! The library as a program uses it: results, waiting, giving up, asking, listening.

use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jobstile::fact::{Came, Fact};
use jobstile::runner::Run;
use jobstile::{Dedup, Error, Job, Jobstile, Kind, Overlap};
use jobstile_core::policy::Why;
use jobstile_core::run::State;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Sync {
    wallet: String,
}

fn of(wallet: &str) -> Sync {
    Sync { wallet: wallet.to_owned() }
}

async fn soon<T>(it: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, it).await.expect("within half a minute")
}

async fn memory() -> Jobstile {
    Jobstile::open("sqlite::memory:").await.expect("a store")
}

/// Runs the jobs until the sender is dropped.
fn run(jobs: &Jobstile) -> (oneshot::Sender<()>, JoinHandle<jobstile::Result<()>>) {
    let (stop, stopped) = oneshot::channel();
    (stop, tokio::spawn(jobs.clone().run_until(stopped)))
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_who_waits_gets_the_result_of_the_one_run() {
    let jobs = memory().await;
    let times = Arc::new(AtomicU32::new(0));
    let (open, opened) = tokio::sync::watch::channel(false);
    let counted = Arc::clone(&times);
    let handler = move |args: Sync, run: Run| {
        let (counted, mut opened) = (Arc::clone(&counted), opened.clone());
        async move {
            counted.fetch_add(1, Ordering::SeqCst);
            run.progress(1, 2, "waiting for the others");
            opened.wait_for(|open| *open).await?;
            run.result(&format!("{} is synced", args.wallet))?;
            anyhow::Ok(())
        }
    };
    let sync = jobs.add(Job::new("sync", handler).dedup(Dedup::by(["wallet"])).max_concurrent(9)).await.expect("added");
    let (client, mut facts) = (jobs.client(), jobs.subscribe());
    let (_stop, running) = run(&jobs);
    let waiting: Vec<_> = (0..3)
        .map(|_| {
            let sync = sync.clone();
            tokio::spawn(async move { sync.trigger_and_wait(&of("A")).await })
        })
        .collect();
    // All have been decided before the run may end.
    soon(async {
        let mut decided = 0;
        while decided < waiting.len() {
            decided += usize::from(matches!(facts.next().await, Some(Fact::Decided(_))));
        }
    })
    .await;
    open.send_replace(true);
    let mut admitted = 0;
    for waiting in waiting {
        let waited = soon(waiting).await.expect("no panic").expect("an answer");
        admitted += u32::from(waited.decision.is_admitted());
        let end = waited.end.expect("an end");
        assert_eq!((end.state, end.result::<String>().expect("text")), (State::Succeeded, "A is synced".to_owned()));
        assert_eq!(client.result(end.run).await.expect("asked").as_deref(), Some("\"A is synced\""));
    }
    assert_eq!((admitted, times.load(Ordering::SeqCst)), (1, 1), "one run for all");
    drop(_stop);
    soon(running).await.expect("no panic").expect("a clean end");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_is_too_long_is_an_error_of_the_handler() {
    let jobs = memory().await;
    let handler = |(): (), run: Run| async move { run.result(&"x".repeat(64 << 10)) };
    let long = jobs.add(Job::new("long", handler)).await.expect("added");
    let (_stop, _running) = run(&jobs);
    let end = soon(long.trigger_and_wait(&())).await.expect("an answer").end.expect("an end");
    assert_eq!((end.state, end.result.as_deref()), (State::Dead, None));
    assert!(end.error.is_some_and(|error| error.contains("longer than 64 KiB")));
}

/// Also through an error type of somebody else's.
#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_gives_up_is_not_tried_again() {
    let jobs = memory().await;
    let plain = |(): (), _: Run| async { Err::<(), Error>(Error::give_up("no such wallet")) };
    let inside = |(): (), _: Run| async {
        Err::<(), Error>(Error::give_up("no such wallet"))?;
        anyhow::Ok(())
    };
    let plain = jobs.add(Job::new("plain", plain).attempts(5)).await.expect("added");
    let inside = jobs.add(Job::new("inside", inside).attempts(5)).await.expect("added");
    let (_stop, _running) = run(&jobs);
    for handle in [plain, inside] {
        let end = soon(handle.trigger_and_wait(&())).await.expect("an answer").end.expect("an end");
        assert_eq!(end.state, State::Dead);
        assert!(end.error.as_deref().is_some_and(|error| error.starts_with("no such wallet")), "{end:?}");
        assert_eq!(jobs.client().attempts(end.run).await.expect("asked").len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_says_when_it_wants_to_be_tried_again() {
    let jobs = memory().await;
    let handler = |(): (), run: Run| async move {
        match run.attempt() {
            1 => Err(anyhow::Error::from(Error::retry_in(Duration::from_millis(1), "busy")).context("the server")),
            _ => Ok(()),
        }
    };
    let job = Job::new("busy", handler).attempts(2).retry_after(Duration::from_secs(3600));
    let busy = jobs.add(job).await.expect("added");
    let (_stop, _running) = run(&jobs);
    let end = soon(busy.trigger_and_wait(&())).await.expect("an answer").end.expect("an end");
    assert_eq!(end.state, State::Succeeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_in_memory_can_be_asked_and_acted_on() {
    let jobs = memory().await;
    let sync = jobs.add(Job::new("sync", |_: Sync, _: Run| async { anyhow::Ok(()) })).await.expect("added");
    let client = jobs.client();
    client.pause("sync", Some("maintenance")).await.expect("paused");
    let run = sync.trigger(&of("A")).await.expect("decided").run().expect("a run");
    let job = client.job("sync").await.expect("asked").expect("the job");
    assert_eq!((job.tally.queued, job.pause.is_some()), (1, true));
    assert_eq!(client.jobs().await.expect("asked").len(), 1);
    assert_eq!(client.cancel(run).await.expect("cancelled"), State::Cancelled);
    assert_eq!(client.run(run).await.expect("asked").map(|run| run.row.state), Some(State::Cancelled));
    client.resume("sync").await.expect("resumed");
    let again = client.retry(run).await.expect("triggered").expect("a decision");
    assert!(again.is_admitted());
    assert!(client.cancel(jobstile_core::id::RunId(99)).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_has_its_arguments() {
    let jobs = memory().await;
    let (send, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let handler = move |args: Sync, _: Run| {
        let send = send.clone();
        async move { send.send(args.wallet) }
    };
    let every = Duration::from_secs(3600);
    let job = Job::new("sync", handler).every(every).dedup(Dedup::by(["wallet"])).schedule_args(&of("A"));
    jobs.add(job).await.expect("added");
    let (_stop, _running) = run(&jobs);
    assert_eq!(soon(seen.recv()).await.as_deref(), Some("A"));
}

#[tokio::test]
async fn a_job_that_cannot_be_is_refused_with_all_that_is_wrong() {
    let jobs = memory().await;
    let nothing = |_: Sync, _: Run| async { anyhow::Ok(()) };
    let job = || Job::new("sync", nothing);
    let wrong = job().max_concurrent(300_000).every(Duration::from_nanos(1)).attempts(4_000_000_000);
    let error = jobs.add(wrong).await.expect_err("out of bounds");
    assert_eq!(error.kind(), Kind::Invalid);
    let fields: Vec<&str> = error.mistakes().iter().map(|mistake| mistake.field).collect();
    assert_eq!(fields, ["every", "max_concurrent", "attempts"]);
    let keyed = job().every(Duration::from_secs(1)).dedup(Dedup::by(["wallet"]));
    let error = jobs.add(keyed).await.expect_err("no arguments for the key");
    assert!(matches!(error.mistakes(), [mistake] if matches!(mistake.why, Why::NoKey { .. })), "{error}");
    let both = job().overlap(Overlap::Queue).max_waiting(3);
    assert_eq!(jobs.add(both).await.expect_err("twice the same").mistakes().len(), 1);
    assert!(jobs.client().jobs().await.expect("asked").is_empty(), "nothing of it is in the store");

    jobs.add(job()).await.expect("a good one");
    let error = jobs.add(job()).await.expect_err("the name is taken");
    assert_eq!((error.kind(), error.to_string()), (Kind::Taken, "job sync is added already".to_owned()));
    assert_eq!(Jobstile::builder("sqlite::memory:").workers(0).open().await.expect_err("none").kind(), Kind::Invalid);
}

/// What `tracing` was told: level and message.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<String>>>);

impl tracing::Subscriber for Told {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        struct Fields(String);
        impl tracing::field::Visit for Fields {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                self.0.push_str(&format!(" {}={value:?}", field.name()));
            }
        }
        let mut fields = Fields(event.metadata().level().to_string());
        event.record(&mut fields);
        self.0.lock().expect("a lock").push(fields.0);
    }
}

/// A failure of a handler is a line for whoever reads the log, and a fact for whoever listens.
#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_never_silent() {
    let told = Told::default();
    tracing::subscriber::set_global_default(told.clone()).expect("the only one");
    let jobs = memory().await;
    let mut facts = jobs.subscribe();
    let fails =
        jobs.add(Job::new("fails", |(): (), _: Run| async { Err::<(), _>("disk is full") })).await.expect("added");
    let (_stop, _running) = run(&jobs);
    let _ = fails.trigger(&()).await.expect("decided");
    let died = soon(async {
        loop {
            if let Some(Fact::Came(Came { state: State::Dead, ended, .. })) = facts.next().await {
                return ended.and_then(|ended| ended.message);
            }
        }
    })
    .await;
    assert_eq!((died.as_deref(), facts.lost()), (Some("disk is full"), 0));
    let told = told.0.lock().expect("a lock").clone();
    let dead = told.iter().find(|line| line.contains("Run dead") && line.contains("job_type=\"fails\""));
    let dead = dead.unwrap_or_else(|| panic!("{told:#?}"));
    assert!(dead.starts_with("ERROR") && dead.contains("disk is full"), "{dead}");
}
