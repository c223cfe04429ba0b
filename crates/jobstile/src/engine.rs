//! What a node does by itself: it looks at schedules, claims, executes, reaps and prunes.
//!
//! A node is one process incarnation that works on a store. Its parts are small loops around operations; the operations
//! decide, and the same ones are replayed under a virtual clock by [`crate::scenario`].

mod clear;
pub mod desk;
pub mod host;
mod keep_house;
pub mod node;
pub mod pointer;
mod scheduler;
pub mod worker;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jobstile_core::id::RunId;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::clock::{self, Clock};
use crate::error::{Error, Kind, Result};
use crate::fact::{Decided, Fact};
use crate::op::{Applied, Apply, Enter, Offer, Reap, Reloaded, Sweep};
use crate::runner::{Context, EchoForm, Runners, Stop, sweep};
use crate::store::question::{Defines, Nodes};
use crate::store::queue::Queue;
use crate::store::sqlite::{OpenAs, Store, resolve};
use crate::store::{NodeRow, Reload};
use desk::{Desk, Workers};
use worker::{Defined, Worker};

pub use keep_house::LOOK_FOR_COMMANDS;

/// An attempt has started.
#[derive(Debug)]
pub struct Started<'a> {
    /// Its job.
    pub job: &'a str,
    /// Its run.
    pub run: RunId,
    /// Its number.
    pub attempt: u32,
    /// Of how many executions.
    pub attempts: u32,
    /// Its process, where it is one.
    pub pid: Option<u32>,
}

/// Who is told what happens. Called after the commit, from the store's thread: it must be quick.
pub trait Observer: Send + Sync {
    /// Facts of this process, in order.
    fn facts(&self, _facts: &[Fact]) {}
    /// An attempt has started.
    fn started(&self, _started: &Started<'_>) {}
    /// Decisions that other processes made on the store, with who asked.
    fn others(&self, _decisions: &[(Decided, String)]) {}
}

/// An observer that looks away.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nobody;

impl Observer for Nobody {}

/// What a node needs to know before it starts.
pub struct Setup {
    /// The store's file; `None` means a store in memory, for this process alone.
    pub store: Option<PathBuf>,
    /// `daemon` or `library`.
    pub kind: &'static str,
    /// The node's readable name.
    pub name: String,
    /// A second daemon on purpose.
    pub join: bool,
    /// Where the time comes from.
    pub clock: Clock,
    /// Attempts at once.
    pub workers: Workers,
    /// How long what is left of a dead node may take to end.
    pub kill_after: Duration,
    /// The program that has the verb `keep`; `None` means no commands.
    pub keeper: Option<PathBuf>,
    /// This process starts no children of its own.
    pub owns_children: bool,
    /// The environment that commands get their part of.
    pub environment: BTreeMap<OsString, OsString>,
    /// Print what commands print, each line in this form.
    pub echo: Option<EchoForm>,
    /// Who is told what happens.
    pub observer: Arc<dyn Observer>,
}

impl std::fmt::Debug for Setup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Setup").field("store", &self.store).field("name", &self.name).finish_non_exhaustive()
    }
}

/// A node that works on a store.
pub struct Engine {
    queue: Queue,
    desk: Arc<Desk>,
    worker: Arc<Worker>,
    runners: Option<Runners>,
    node: NodeRow,
    dir: PathBuf,
    tasks: JoinSet<()>,
    closing: watch::Sender<bool>,
    _locks: Option<(node::NodeLock, Option<node::DaemonLock>)>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("node", &self.node.id).finish_non_exhaustive()
    }
}

/// The folder beside a store where its nodes have their lock and output files.
#[must_use]
pub fn node_dir(store: &Path) -> PathBuf {
    let mut name = store.file_name().unwrap_or_default().to_owned();
    name.push("-nodes");
    store.with_file_name(name)
}

/// How long results may take to be stored when the node closes.
const STORE_PATIENCE: Duration = Duration::from_secs(10);

impl Engine {
    /// Takes the locks and opens the store; nothing is claimed before [`Engine::open`].
    ///
    /// # Errors
    /// [`Kind::Taken`] if another daemon works on the store and this one does not join it; the store's own.
    pub async fn start(mut setup: Setup) -> Result<Self> {
        let id = host::random_id()?;
        setup.store = setup.store.as_deref().map(resolve).transpose()?;
        let (dir, locks, store) = match &setup.store {
            Some(path) => {
                let dir = node_dir(path);
                // The store first: its folder may have to be made.
                let store = Store::open(path, OpenAs::Owner)?;
                let locks = take_locks(&dir, &id, &setup)?;
                (dir, Some(locks), store)
            }
            None => (private_dir(&id)?, None, Store::in_memory()?),
        };
        let node = NodeRow {
            id: id.as_str().into(),
            name: setup.name.clone(),
            kind: setup.kind.to_owned(),
            host: host::name(),
            pid: std::process::id(),
            user: host::user(),
            program: format!("jobstile {}", env!("CARGO_PKG_VERSION")),
            dir: dir.to_string_lossy().into_owned(),
            workers: u32::try_from(setup.workers.total).unwrap_or(u32::MAX),
            boot_id: crate::runner::proc::boot(),
            lock_uid: Some(rustix::process::geteuid().as_raw()),
        };
        let secret = store.secret()?;
        let share = locks.as_ref().map(|(lock, _)| lock.share()).transpose().map_err(|e| lock_error(&dir, e))?;
        let runners = Runners::new(Context {
            store: setup.store.clone(),
            keeper: setup.keeper.clone(),
            lock: share,
            owns_children: setup.owns_children,
            echo: setup.echo,
            environment: setup.environment.clone(),
            mark: sweep::mark(&secret, id.as_str()),
            ..Context::new(id.clone(), dir.clone())
        });
        let (desk, given) = Desk::new(id.into(), setup.workers, Arc::clone(&setup.observer));
        let queue = Queue::start(store, setup.clock.clone(), Some(Arc::clone(&desk) as _))?;
        let worker =
            Arc::new(Worker::new(queue.clone(), Arc::clone(&desk), runners.clone(), Arc::clone(&setup.observer)));
        queue.execute(Enter(node.clone())).await?;
        let (closing, closed) = watch::channel(false);
        let mut engine = Self {
            queue: queue.clone(),
            desk: Arc::clone(&desk),
            worker: Arc::clone(&worker),
            runners: Some(runners),
            node: node.clone(),
            dir: dir.clone(),
            tasks: JoinSet::new(),
            closing,
            _locks: locks,
        };
        let mut house = keep_house::House {
            queue: queue.clone(),
            desk: Arc::clone(&desk),
            worker: Arc::clone(&worker),
            observer: Arc::clone(&setup.observer),
            clock: setup.clock.clone(),
            lock: keep_house::number_of(&keep_house::lock_of(&node)),
            node,
            store: setup.store.clone(),
            clearer: clear::Clearer { dir, secret, kill_after: setup.kill_after, survived: HashSet::new() },
        };
        // What dead nodes left behind is ended before anything is claimed.
        house.bury_the_dead().await;
        engine.tasks.spawn(Arc::clone(&worker).work(given));
        engine.tasks.spawn(house.keep(closed.clone()));
        engine.tasks.spawn(scheduler::run(queue, desk, worker, setup.clock, engine.node.name.clone(), closed));
        Ok(engine)
    }

    /// The way to the store.
    #[must_use]
    pub fn queue(&self) -> &Queue {
        &self.queue
    }

    /// This node.
    #[must_use]
    pub fn node(&self) -> &NodeRow {
        &self.node
    }

    /// Attempts that run now.
    #[must_use]
    pub fn busy(&self) -> usize {
        self.desk.busy()
    }

    /// The other nodes that work on the store.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn live_nodes(&self) -> Result<Vec<NodeRow>> {
        let nodes = self.queue.ask(Nodes).await?;
        Ok(nodes
            .into_iter()
            .filter(|node| node.id != self.node.id)
            .filter(|node| node::state(&self.dir, node.id.as_str()) != node::State::Gone)
            .collect())
    }

    /// The jobs that other live nodes define.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn jobs_of_live_nodes(&self) -> Result<Vec<String>> {
        let mut all = Vec::new();
        for node in self.live_nodes().await? {
            all.extend(self.queue.ask(Defines(node.id)).await?);
        }
        Ok(all)
    }

    /// Puts a policy in force, and executes its jobs with these definitions.
    ///
    /// # Errors
    /// [`Kind::Taken`] if a job belongs to another owner that is at work; the store's own.
    pub async fn apply(&self, policy: Apply, definitions: HashMap<String, Defined>) -> Result<Applied> {
        let applied = self.queue.execute(policy).await?;
        self.worker.define(definitions);
        let offer = Offer { node: self.node.id.clone(), jobs: self.worker.offers() };
        self.queue.execute(offer).await?;
        self.desk.timed.notify_one();
        Ok(applied)
    }

    /// Says in the store that this node has read its configuration again, and what became of it.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn reloaded(&self, reload: Reload) -> Result<()> {
        self.queue.execute(Reloaded { node: self.node.id.clone(), reload }).await.map(drop)
    }

    /// Begins to claim.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn open(&self) -> Result<()> {
        self.desk.set_open(true);
        self.desk.timed.notify_one();
        self.queue.execute(Sweep).await.map(drop)
    }

    /// Waits until the store's file or this node's lock turns out to be deleted or replaced: others cannot see this node
    /// then, and it claims nothing any more. To shut it down ends its attempts at once.
    pub async fn cut_off(&self) {
        self.desk.is_cut_off.notified().await;
    }

    /// Stops claiming, lets attempts end within their grace, then ends them; a second value on `hurry` ends them now.
    ///
    /// # Errors
    /// If the store fails; [`Kind::Replaced`] if this node was cut off.
    pub async fn shut_down(mut self, mut hurry: watch::Receiver<u32>) -> Result<()> {
        self.desk.set_open(false);
        self.closing.send_replace(true);
        // What was claimed in a batch that was under way has been handed out when the next one is answered.
        let _ = self.queue.ask(Nodes).await;
        let began = clock::Stopwatch::start();
        let mut ended: Option<clock::Stopwatch> = None;
        // What cannot be ended is not waited for: its keeper stays with it.
        let stuck = || self.runners.as_ref().map_or(0, Runners::stuck);
        while self.desk.unsettled() > stuck() {
            let idle = self.desk.idle.notified();
            if self.desk.unsettled() == 0 {
                break;
            }
            // A store that takes no results any more is not waited for.
            if self.desk.busy() == 0 && ended.get_or_insert_with(clock::Stopwatch::start).read() > STORE_PATIENCE {
                break;
            }
            let hurried = *hurry.borrow() > 0 || self.desk.why_cut_off().is_some();
            match hurried {
                true => self.worker.stop_all(Stop::Now, None),
                false => self.worker.stop_all(Stop::Interrupt, Some(began.read())),
            }
            tokio::select! {
                () = idle => {}
                Ok(()) = hurry.changed() => {}
                () = clock::sleep(Duration::from_millis(100)) => {}
            }
        }
        let all_ended = match self.runners.take() {
            Some(runners) => runners.close().await,
            None => true,
        };
        if let Some(why) = self.desk.why_cut_off() {
            return Err(Error::new(Kind::Replaced, why));
        }
        if !all_ended {
            // The slots of what lives on are not free: the process that finds the node's lock free takes the rest over.
            return Ok(());
        }
        let node = self.node.id.clone();
        self.queue.execute(Reap { node, reason: "stopped".to_owned(), printed: HashMap::new() }).await?;
        self.tasks.abort_all();
        while self.tasks.join_next().await.is_some() {}
        for ending in ["lock", "daemon"] {
            // The next process that looks finds them free.
            let _ = std::fs::remove_file(self.dir.join(format!("{}.{ending}", self.node.id)));
        }
        Ok(())
    }
}

type Locks = (node::NodeLock, Option<node::DaemonLock>);

fn take_locks(dir: &Path, id: &str, setup: &Setup) -> Result<Locks> {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
    if !dir.exists() {
        std::fs::DirBuilder::new().recursive(true).mode(0o770).create(dir).map_err(|e| lock_error(dir, e))?;
        // Whatever the umask: the store's group looks at locks and output.
        let _ = std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o770));
        if let Some(of) = dir.parent().and_then(|parent| std::fs::metadata(parent).ok()) {
            // Only root may give files away; for everybody else the folder is theirs already.
            let _ = std::os::unix::fs::chown(dir, Some(of.uid()), Some(of.gid()));
        }
    }
    let daemon = match setup.kind {
        "daemon" => Some(node::DaemonLock::take(dir, id, setup.join).map_err(|error| match error {
            node::DaemonLockError::Others(nodes) => {
                Error::new(Kind::Taken, format!("another daemon works on this store: node {}", nodes.join(", ")))
            }
            node::DaemonLockError::Io(error) => lock_error(dir, error),
        })?),
        _ => None,
    };
    let lock = node::NodeLock::take(dir, id).map_err(|e| lock_error(dir, e))?;
    Ok((lock, daemon))
}

fn lock_error(dir: &Path, error: std::io::Error) -> Error {
    let kind = match error.kind() {
        std::io::ErrorKind::PermissionDenied => Kind::NotAllowed,
        _ => Kind::Store,
    };
    Error::new(kind, format!("cannot lock a file in {}", dir.display())).because(error)
}

// A node without a store of its own has its output files in a folder that nobody else can look into.
fn private_dir(id: &str) -> Result<PathBuf> {
    use std::os::unix::fs::DirBuilderExt;
    let dir = std::env::temp_dir().join(format!("jobstile-{id}"));
    std::fs::DirBuilder::new().mode(0o700).create(&dir).map_err(|e| lock_error(&dir, e))?;
    Ok(dir)
}
