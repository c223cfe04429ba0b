//! What the tests have in common: a node in a folder of its own, and looks at processes that do not ask Jobstile.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use jobstile::runner::command::Place;
use jobstile::runner::progress::Listener;
use jobstile::runner::{Attempt, Command, Context, Definition, Ended, Runners, Shell, Stop};
use jobstile_core::id::{Fence, RunId};
use tokio::sync::watch;

/// Longest time anything here may take before its test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

static NEXT: AtomicI64 = AtomicI64::new(1);

/// A node in a folder of its own.
pub(crate) struct Node {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) id: String,
    pub(crate) runners: Runners,
}

pub(crate) fn place_in(dir: &Path) -> Place {
    Place { cwd: dir.to_owned(), ..Place::default() }
}

/// A node id that no other test of this machine has.
pub(crate) fn fresh_id() -> String {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("test-{}-{number}", std::process::id())
}

/// This program, which has the verb `keep`.
pub(crate) fn program() -> PathBuf {
    std::env::current_exe().expect("this program")
}

impl Node {
    pub(crate) fn new() -> Node {
        Node::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Context)) -> Node {
        let dir = tempfile::tempdir().expect("a folder");
        let id = fresh_id();
        let mut context = Context::new(&id, dir.path());
        context.keeper = Some(program());
        change(&mut context);
        Node { runners: Runners::new(context), id, dir }
    }

    /// A shell line in the node's folder.
    pub(crate) fn shell(&self, line: &str) -> Definition {
        Definition::Shell(Shell { line: line.to_owned(), place: self.place() })
    }

    /// A shell line that does not have the descriptor of its attempt's lock, so that its children can hide better.
    pub(crate) fn lockless(&self, line: &str) -> Definition {
        let place = Place { inherit_lock: false, ..self.place() };
        Definition::Shell(Shell { line: line.to_owned(), place })
    }

    pub(crate) fn command(&self, argv: &[&str]) -> Definition {
        Definition::Command(Command { argv: argv.iter().map(|word| (*word).to_owned()).collect(), place: self.place() })
    }

    pub(crate) fn place(&self) -> Place {
        place_in(self.dir.path())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs to the end, with nobody asking for an early one.
    pub(crate) async fn run(&self, attempt: Attempt, definition: &Definition) -> Ended {
        let (_stop, stopped) = watch::channel(None);
        self.runners.run(attempt, definition, stopped, |_| {}).await
    }

    /// Starts it in the background.
    pub(crate) fn start(&self, attempt: Attempt, definition: Definition) -> Running {
        let (stop, stopped) = watch::channel(None);
        let (runners, (pid, started)) = (self.runners.clone(), watch::channel(None));
        let task = tokio::spawn(async move {
            runners.run(attempt, &definition, stopped, |is| pid.send(is).expect("awaited")).await
        });
        Running { stop, started, task }
    }

    /// Closes the keeper and looks whether anything of the node is left.
    pub(crate) async fn end(self) {
        self.runners.close().await;
        assert_eq!(carrying(&self.id), [0; 0], "processes of the node");
        assert_eq!(zombies(), [0; 0], "zombies of this program");
    }
}

pub(crate) struct Running {
    stop: watch::Sender<Option<Stop>>,
    started: watch::Receiver<Option<u32>>,
    task: tokio::task::JoinHandle<Ended>,
}

impl Running {
    pub(crate) fn stop(&self, stop: Stop) {
        self.stop.send(Some(stop)).expect("it runs");
    }

    pub(crate) async fn pid(&mut self) -> i32 {
        let started = tokio::time::timeout(PATIENCE, self.started.wait_for(Option::is_some)).await;
        started.expect("in time").expect("it started").expect("a pid") as i32
    }

    pub(crate) async fn ended(self) -> Ended {
        tokio::time::timeout(PATIENCE, self.task).await.expect("in time").expect("no panic")
    }
}

/// An attempt of a run of its own.
pub(crate) fn attempt() -> Attempt {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    Attempt {
        job: "job".to_owned(),
        run: RunId(number),
        attempt: 1,
        fence: Fence(number + 1000),
        args: "null".into(),
        timeout: None,
        kill_after: Duration::from_secs(5),
        log_output: true,
        progress: Listener::default(),
    }
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(future)
}

/// Looks until it is so, and fails when it never is.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The numbers in a file, once there are so many of them.
pub(crate) async fn numbers(path: &Path, count: usize) -> Vec<i32> {
    let read = || -> Vec<i32> {
        let text = fs::read_to_string(path).unwrap_or_default();
        // A number without an end of line may still be half a number.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.split_whitespace().map(|word| word.parse().expect("a number")).collect()
    };
    until(&format!("{count} numbers in {}", path.display()), || read().len() >= count).await;
    read()
}

/// State letter of a process by `/proc`, `None` when it is gone.
fn state(pid: i32) -> Option<char> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    text.rsplit_once(") ")?.1.chars().next()
}

pub(crate) fn lives(pid: i32) -> bool {
    state(pid).is_some_and(|state| state != 'Z')
}

/// The processes of this machine that live and carry the node in their environment.
pub(crate) fn carrying(node: &str) -> Vec<i32> {
    carrying_entry(&format!("JOBSTILE_NODE={node}"))
}

/// The processes of this machine that live and have this entry in their environment.
pub(crate) fn carrying_entry(entry: &str) -> Vec<i32> {
    pids()
        .into_iter()
        .filter(|pid| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            lives(*pid) && environment.split(|byte| *byte == 0).any(|one| one == entry.as_bytes())
        })
        .collect()
}

/// Dead children of this program that nobody waited for.
pub(crate) fn zombies() -> Vec<i32> {
    let own = std::process::id().to_string();
    pids()
        .into_iter()
        .filter(|pid| {
            let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let fields: Vec<&str> =
                text.rsplit_once(") ").map(|(_, rest)| rest.split(' ').collect()).unwrap_or_default();
            fields.first() == Some(&"Z") && fields.get(1) == Some(&own.as_str())
        })
        .collect()
}

/// Waits for all that came to this program, a sub-reaper, from daemons and keepers that were killed; `spared` is the
/// keeper of a node that is still at work.
pub(crate) fn reap(spared: Option<i32>) {
    let (own, start) = (std::process::id().to_string(), Instant::now());
    let is_own = |pid: &i32| {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        text.rsplit_once(") ").is_some_and(|(_, rest)| rest.split(' ').nth(1) == Some(&own))
    };
    loop {
        let mut children = pids();
        children.retain(|pid| Some(*pid) != spared && is_own(pid));
        if children.is_empty() || std::thread::panicking() {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "{children:?} never ended");
        for pid in children.into_iter().filter(|pid| !lives(*pid)) {
            let _ = rustix::process::waitpid(rustix::process::Pid::from_raw(pid), rustix::process::WaitOptions::NOHANG);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The keeper of this program, if it has exactly one.
pub(crate) fn keeper_of(pid: u32) -> Option<i32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let mut all: Vec<i32> = pids()
        .into_iter()
        .filter(|child| {
            let text = fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
            text.contains("(jobstile-keep)")
                && lives(*child)
                && (children.split_whitespace().any(|known| known == child.to_string())
                    || text.rsplit_once(") ").is_some_and(|(_, rest)| rest.split(' ').nth(1) == Some(&pid.to_string())))
        })
        .collect();
    all.pop().filter(|_| all.is_empty())
}

fn pids() -> Vec<i32> {
    let entries = fs::read_dir("/proc").expect("/proc");
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

pub(crate) fn kill(pid: i32, signal: rustix::process::Signal) {
    let to = rustix::process::Pid::from_raw(pid).expect("a pid");
    let sent = rustix::process::kill_process(to, signal);
    if signal == rustix::process::Signal::STOP && sent.is_ok() {
        jobstile_child::stands_still(pid.unsigned_abs()).expect("it stops");
    }
}

/// An environment from pairs.
pub(crate) fn environment(pairs: &[(&str, &str)]) -> BTreeMap<OsString, OsString> {
    pairs.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect()
}
