//! Attempts that need no keeper: Rust functions and HTTP calls.

mod functions;
mod http;

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jobstile::runner::progress::Listener;
use jobstile::runner::{Attempt, Context, Definition, Ended, Runners};
use jobstile_core::id::{Fence, RunId};
use tokio::sync::watch;

static NEXT: AtomicI64 = AtomicI64::new(1);

struct Node {
    runners: Runners,
    dir: tempfile::TempDir,
}

impl Node {
    fn new() -> Node {
        let dir = tempfile::tempdir().expect("a folder");
        Node { runners: Runners::new(Context::new("node", dir.path())), dir }
    }

    async fn run(&self, attempt: Attempt, definition: &Definition) -> Ended {
        let (_stop, stopped) = watch::channel(None);
        self.runners.run(attempt, definition, stopped, |pid| assert_eq!(pid, None)).await
    }
}

fn attempt(args: &str) -> Attempt {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    Attempt {
        job: "sync".to_owned(),
        run: RunId(number),
        attempt: 2,
        fence: Fence(number + 1000),
        args: args.into(),
        timeout: None,
        kill_after: Duration::from_millis(200),
        log_output: true,
        progress: Listener::default(),
    }
}
