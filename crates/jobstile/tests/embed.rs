//! The library's front, as a program holds it: jobs that are functions, in a store of their own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jobstile::args::Args;
use jobstile::client::Client;
use jobstile::op::{Cancel, Trigger};
use jobstile::{Dedup, Job, Jobstile, Run};
use jobstile_core::run::State;
use jobstile_core::trigger::{Source, When};
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, mpsc};

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Sync {
    wallet: String,
}

fn of(wallet: &str) -> Sync {
    Sync { wallet: wallet.to_owned() }
}

async fn soon<T>(what: &str, it: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, it).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

/// Waits until the run is in this state.
async fn becomes(store: &std::path::Path, run: jobstile_core::id::RunId, state: State) {
    let client = Client::open(store).expect("a store");
    let look = async {
        while client.run(run).expect("a store").expect("a run").row.state != state {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    soon(&format!("run {run} to be {state}"), look).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_gets_its_arguments_and_duplicates_are_skipped() {
    let jobs = Jobstile::open("sqlite::memory:").await.expect("a store");
    let (send, mut seen) = mpsc::unbounded_channel();
    let handler = move |args: Sync, run: Run| {
        let send = send.clone();
        async move {
            send.send((args, run.attempt())).expect("somebody who listens");
            Ok::<(), std::io::Error>(())
        }
    };
    let sync = jobs.add(Job::new("sync", handler).dedup(Dedup::by(["wallet"]))).await.expect("a job");
    assert!(sync.trigger(&of("A")).await.expect("an answer").is_admitted());
    // Nothing runs before the engine does, so the first one still waits.
    assert!(!sync.trigger(&of("A")).await.expect("an answer").is_admitted());
    assert!(sync.trigger(&of("B")).await.expect("an answer").is_admitted());
    let stop = Arc::new(Notify::new());
    let until = Arc::clone(&stop);
    let engine = tokio::spawn(jobs.run_until(async move { until.notified().await }));
    let mut all = vec![soon("a run", seen.recv()).await.expect("one"), soon("a run", seen.recv()).await.expect("one")];
    all.sort_by(|a, b| a.0.wallet.cmp(&b.0.wallet));
    assert_eq!(all, [(of("A"), 1), (of("B"), 1)]);
    stop.notify_one();
    soon("the end", engine).await.expect("no panic").expect("a good end");
    assert_eq!(seen.try_recv(), Err(mpsc::error::TryRecvError::Empty), "a skipped trigger ran");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_fails_is_tried_again_and_ends_dead() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = folder.path().join("s.db");
    let jobs = Jobstile::open(&format!("sqlite://{}", store.display())).await.expect("a store");
    let handler = |_: Sync, run: Run| async move {
        Err::<(), _>(std::io::Error::other(format!("the wallet is locked, attempt {}", run.attempt())))
    };
    let job = Job::new("sync", handler).attempts(2).retry_after(Duration::from_millis(10));
    let sync = jobs.add(job).await.expect("a job");
    let run = sync.trigger(&of("A")).await.expect("an answer").run().expect("a run");
    let engine = tokio::spawn(jobs.run_until(std::future::pending::<()>()));
    becomes(&store, run, State::Dead).await;
    let attempts = Client::open(&store).expect("a store").attempts(run).expect("a store");
    let said: Vec<&str> = attempts.iter().filter_map(|attempt| attempt.message.as_deref()).collect();
    assert_eq!(said, ["the wallet is locked, attempt 1", "the wallet is locked, attempt 2"]);
    engine.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_from_outside_reaches_the_handler() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = folder.path().join("s.db");
    let jobs = Jobstile::open(&format!("sqlite://{}", store.display())).await.expect("a store");
    let handler = |_: Sync, run: Run| async move {
        run.cancelled().await;
        Ok::<(), std::io::Error>(())
    };
    let sync = jobs.add(Job::new("sync", handler)).await.expect("a job");
    let run = sync.trigger(&of("A")).await.expect("an answer").run().expect("a run");
    let engine = tokio::spawn(jobs.run_until(std::future::pending::<()>()));
    becomes(&store, run, State::Running).await;
    let mut client = Client::open(&store).expect("a store");
    client.execute(Cancel { run, by: "anna".to_owned() }).expect("an answer");
    // Whether it is called a success is its own affair: it ended, which it does only when it hears of the cancel.
    ends(&client, run).await;
    engine.abort();
}

/// Triggers a job from another connection, as another process would, and waits for the end of its run.
async fn from_outside(client: &mut Client, job: &str) {
    let trigger = Trigger {
        job: job.into(),
        args: Args::parse(br#"{"wallet":"A"}"#),
        priority: None,
        when: When::Now,
        id: None,
        source: Source::Cli,
        by: "anna".into(),
    };
    let (decided, _) = client.execute(trigger).expect("an answer");
    ends(client, decided.run.expect("a run")).await;
}

async fn ends(client: &Client, run: jobstile_core::id::RunId) {
    let look = async {
        while !client.run(run).expect("a store").expect("a run").row.state.is_terminal() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    soon("the end of the run", look).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_work_of_another_process_is_seen_at_once_and_a_lost_hint_a_second_later() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = folder.path().join("s.db");
    let jobs = Jobstile::open(&format!("sqlite://{}", store.display())).await.expect("a store");
    let handler = |_: Sync, _: Run| async { Ok::<(), std::io::Error>(()) };
    jobs.add(Job::new("sync", handler)).await.expect("a job");
    let engine = tokio::spawn(jobs.run_until(std::future::pending::<()>()));
    let mut client = Client::open(&store).expect("a store");
    from_outside(&mut client, "sync").await;
    // Each would wait for the next poll, a second after the last one.
    let begun = Instant::now();
    for _ in 0..5 {
        from_outside(&mut client, "sync").await;
    }
    assert!(begun.elapsed() < Duration::from_secs(2), "nobody was woken: {:?}", begun.elapsed());
    // Nobody watches the file that others write to from now on.
    std::fs::remove_file(folder.path().join("s.db-wake")).expect("the file that wakes");
    from_outside(&mut Client::open(&store).expect("a store"), "sync").await;
    engine.abort();
}
