//! Handlers: what they get, and how each of their ends is told.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use jobstile::runner::function::erase;
use jobstile::runner::{Definition, Ended, Outcome, Run, Stop};
use serde::Deserialize;
use tokio::sync::watch;

use crate::{Node, attempt};

#[derive(Deserialize)]
struct Sync {
    wallet: String,
}

async fn sync(args: Sync, run: Run) -> anyhow::Result<()> {
    anyhow::ensure!(args.wallet == "SP2X0" && run.attempt() == 2 && run.job() == "sync" && !run.is_cancelled());
    anyhow::ensure!(run.fence().0 == run.id().0 + 1000);
    Ok(())
}

fn definition<A, H>(handler: H) -> Definition
where
    A: serde::de::DeserializeOwned + Send + 'static,
    H: jobstile::runner::Handler<A>,
{
    Definition::Function(erase(handler))
}

async fn failed(definition: Definition) -> String {
    let ended = Node::new().run(attempt("null"), &definition).await;
    assert_eq!((ended.outcome, ended.exit), (Outcome::Failure, None));
    ended.message.expect("a message")
}

#[tokio::test]
async fn a_handler_gets_its_arguments_and_its_run() {
    let ended = Node::new().run(attempt(r#"{"wallet":"SP2X0"}"#), &definition(sync)).await;
    assert_eq!(ended, Ended { message: None, ..ended.clone() });
    assert_eq!(ended.outcome, Outcome::Success);
}

#[tokio::test]
async fn no_arguments_are_nothing() {
    let handler = |(): (), _| async { Ok::<_, std::io::Error>(()) };
    assert_eq!(Node::new().run(attempt("null"), &definition(handler)).await.outcome, Outcome::Success);
}

#[tokio::test]
async fn arguments_that_do_not_fit_are_a_failure_that_says_so() {
    let ended = Node::new().run(attempt(r#"{"walet":"SP2X0"}"#), &definition(sync)).await;
    assert_eq!(ended.outcome, Outcome::Failure);
    let message = ended.message.expect("a message");
    assert!(message.starts_with("the arguments do not fit "), "{message}");
    assert!(message.contains("Sync: missing field `wallet`"), "{message}");
}

#[tokio::test]
async fn any_error_will_do_and_its_causes_are_told() {
    let message = failed(definition(|(): (), _| async { Err("no such wallet") })).await;
    assert_eq!(message, "no such wallet");
    let message = failed(definition(|(): (), _| async {
        let cause = std::io::Error::other("connection\nrefused");
        Err::<(), _>(anyhow::Error::from(cause).context("asking api.hiro.so"))
    }))
    .await;
    assert_eq!(message, "asking api.hiro.so: connection\\nrefused");
}

#[tokio::test]
async fn a_panic_is_a_failure_with_its_message() {
    let panics = |(): (), run: Run| async move {
        if run.attempt() == 2 {
            panic!("at {}", 7);
        }
        Ok::<_, std::io::Error>(())
    };
    assert_eq!(failed(definition(panics)).await, "panic: at 7");
}

/// Panics wherever it can.
#[derive(Debug)]
struct Bomb;

impl fmt::Display for Bomb {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("in Display")
    }
}

impl std::error::Error for Bomb {}

struct BombWhenDropped;

impl Drop for BombWhenDropped {
    fn drop(&mut self) {
        panic!("in Drop");
    }
}

#[tokio::test]
async fn a_panic_in_any_callback_is_a_failure() {
    assert_eq!(failed(definition(|(): (), _| async { Err(Bomb) })).await, "panic: in Display");
    let drops = |(): (), _| async {
        let _held = BombWhenDropped;
        Ok::<_, std::io::Error>(())
    };
    assert_eq!(failed(definition(drops)).await, "panic: in Drop");
    let thrown = |(): (), _| async {
        std::panic::panic_any(BombWhenDropped);
        #[expect(unreachable_code, reason = "gives the block its type")]
        Ok::<_, std::io::Error>(())
    };
    assert_eq!(failed(definition(thrown)).await, "panic");
    // The closure itself, before there is a future.
    let early = |(): (), _: Run| -> std::future::Ready<Result<(), std::io::Error>> { panic!("early") };
    assert_eq!(failed(definition(early)).await, "panic: early");
}

/// Counts how often it was dropped.
struct Guard(Arc<AtomicUsize>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A handler that never ends, and the counts of its futures that began and that were dropped.
fn endless() -> (Definition, Arc<AtomicUsize>, Arc<AtomicUsize>) {
    let (begun, dropped) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (begins, count) = (begun.clone(), dropped.clone());
    let handler = move |(): (), _run: Run| {
        let guard = Guard(count.clone());
        begins.fetch_add(1, Ordering::SeqCst);
        async move {
            let _guard = guard;
            std::future::pending::<Result<(), std::io::Error>>().await
        }
    };
    (definition(handler), begun, dropped)
}

#[tokio::test]
async fn a_timeout_drops_the_future() {
    let (handler, _, dropped) = endless();
    let mut attempt = attempt("null");
    attempt.timeout = Some(Duration::from_millis(50));
    attempt.kill_after = Duration::from_secs(300);
    let ended = Node::new().run(attempt, &handler).await;
    assert_eq!(ended.outcome, Outcome::Timeout);
    assert_eq!(ended.message.as_deref(), Some("timed out after 50ms"));
    assert_eq!(dropped.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_request_drops_the_future() {
    for (request, outcome) in
        [(Stop::Cancel, Outcome::Cancelled), (Stop::Interrupt, Outcome::Interrupted), (Stop::Now, Outcome::Interrupted)]
    {
        let (handler, begun, dropped) = endless();
        let (stop, stopped) = watch::channel(None);
        let node = Node::new();
        let mut started = false;
        let running = node.runners.run(attempt("null"), &handler, stopped, |_| started = true);
        let (ended, ()) = tokio::join!(running, async {
            while begun.load(Ordering::SeqCst) == 0 {
                tokio::task::yield_now().await;
            }
            stop.send(Some(request)).expect("it listens");
        });
        assert_eq!(ended.outcome, outcome);
        assert!(started);
        assert_eq!(dropped.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn a_handler_that_looks_is_asked_first() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let polite = definition(move |(): (), run: Run| {
        let count = count.clone();
        async move {
            run.cancelled().await;
            assert!(run.is_cancelled());
            tokio::task::yield_now().await;
            count.fetch_add(1, Ordering::SeqCst);
            Ok::<_, std::io::Error>(())
        }
    });
    let mut attempt = attempt("null");
    attempt.timeout = Some(Duration::from_millis(50));
    attempt.kill_after = Duration::from_secs(300);
    let ended = Node::new().run(attempt, &polite).await;
    assert_eq!(ended.outcome, Outcome::Timeout, "asked to end, it did not succeed");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_handler_that_looks_and_does_not_end_is_dropped_in_the_end() {
    let rude = definition(|(): (), run: Run| async move {
        let _ = run.is_cancelled();
        std::future::pending::<Result<(), std::io::Error>>().await
    });
    let (stop, stopped) = watch::channel(None);
    let start = Instant::now();
    let ended = Node::new()
        .runners
        .run(attempt("null"), &rude, stopped, |_| {
            // Later than the first look of the handler.
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(20)).await;
                stop.send(Some(Stop::Cancel)).expect("it listens");
                std::future::pending::<()>().await;
            });
        })
        .await;
    assert_eq!(ended.outcome, Outcome::Cancelled);
    assert!(start.elapsed() >= Duration::from_millis(200), "its grace");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_without_an_await_keeps_its_attempt() {
    let busy = definition(|(): (), _run: Run| async {
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(300) {
            std::hint::spin_loop();
        }
        Ok::<_, std::io::Error>(())
    });
    let mut attempt = attempt("null");
    attempt.timeout = Some(Duration::from_millis(20));
    let start = Instant::now();
    let ended = Node::new().run(attempt, &busy).await;
    assert!(start.elapsed() >= Duration::from_millis(300), "it was at work all the time");
    assert_eq!(ended.outcome, Outcome::Timeout);
}

#[tokio::test]
async fn a_dropped_attempt_drops_its_handler() {
    let (handler, _, dropped) = endless();
    let (_stop, stopped) = watch::channel(None);
    let node = Node::new();
    let running = node.runners.run(attempt("null"), &handler, stopped, |_| {});
    tokio::time::timeout(Duration::from_millis(20), running).await.expect_err("it never ends");
    while dropped.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
}
