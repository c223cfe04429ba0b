//! Jobstile in a program: a store, the jobs that the program can run, and the engine that runs them.

use std::collections::BTreeMap;
use std::future::Future;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jobstile_core::policy::Policy;
use tokio::sync::{broadcast, watch};

use super::client::Client;
use super::handle::JobHandle;
use super::job::Job;
use super::watch::{Subscription, Watch};
use crate::clock::Clock;
use crate::engine::desk::Workers;
use crate::engine::worker::Defined;
use crate::engine::{Engine, Nobody, Observer, Setup, host};
use crate::error::{Error, Kind, Result};
use crate::fact::Fact;
use crate::op::{Apply, JobPolicy};
use crate::store::sqlite::Reader;

/// How long attempts may go on after `run_until`'s signal.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(25);
/// How long they may take to end after they were asked to.
const KILL_AFTER: Duration = Duration::from_secs(5);

/// Jobstile in this process: a store, and the jobs that this program can run.
#[derive(Debug, Clone)]
pub struct Jobstile {
    engine: Arc<Mutex<Option<Engine>>>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) queue: crate::store::queue::Queue,
    owner: String,
    pub(super) by: Arc<str>,
    /// The store's file; `None` means a store in memory.
    path: Option<PathBuf>,
    pub(super) facts: broadcast::Sender<Fact>,
    shutdown_grace: Duration,
    kill_after: Duration,
    /// Jobs of others who were at work when this program came.
    taken: Vec<String>,
    jobs: tokio::sync::Mutex<BTreeMap<String, (Policy, Defined)>>,
}

impl Shared {
    /// Asks the store: a file by a connection of its own, a store in memory in its thread.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Reader) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let Some(path) = self.path.clone() else { return self.queue.read(ask).await };
        let asked = tokio::task::spawn_blocking(move || ask(&Reader::open(&path)?)).await;
        asked.map_err(|error| Error::new(Kind::Store, "the question was not answered").because(error))?
    }

    /// A version of this program's policy.
    fn version(&self, jobs: Vec<JobPolicy>, replace: bool) -> Apply {
        Apply {
            owner: self.owner.clone(),
            by: self.by.to_string(),
            switches: None,
            origins: "{}".to_owned(),
            jobs,
            replace,
            taken: self.taken.clone(),
        }
    }
}

impl Jobstile {
    /// Opens a store, and creates it if it does not exist: `sqlite://jobs.db` (beside the working folder),
    /// `sqlite:///var/lib/app/jobs.db`, or `sqlite::memory:` for this process alone.
    ///
    /// # Errors
    /// If the store cannot be used; see [`Kind`].
    pub async fn open(store: &str) -> Result<Self> {
        Self::builder(store).open().await
    }

    /// The same with settings of your own.
    pub fn builder(store: &str) -> Builder {
        Builder {
            store: store.to_owned(),
            clock: Clock::system(),
            shutdown_grace: SHUTDOWN_GRACE,
            kill_after: KILL_AFTER,
            workers: None,
            node: None,
            observer: Arc::new(Nobody),
        }
    }

    /// The same with a clock of your own, for tests.
    ///
    /// # Errors
    /// As [`Jobstile::open`].
    pub async fn open_with(store: &str, clock: Clock) -> Result<Self> {
        Self::builder(store).clock(clock).open().await
    }

    /// Adds a job; its policy is in force when this returns. It runs once [`Jobstile::run_until`] does.
    ///
    /// # Errors
    /// [`Kind::Invalid`] if the job makes no sense, with everything that is wrong in [`Error::mistakes`];
    /// [`Kind::Taken`] if a job of that name is added already, or belongs to another program that is at work.
    pub async fn add<A>(&self, job: Job<A>) -> Result<JobHandle<A>> {
        let (name, policy, definition) = job.checked()?;
        let Shared { shutdown_grace, kill_after, .. } = *self.shared;
        let defined = Defined { definition, shutdown_grace, kill_after, log_output: true };
        let mut jobs = self.shared.jobs.lock().await;
        if jobs.contains_key(name.as_str()) {
            return Err(Error::new(Kind::Taken, format!("job {name} is added already")));
        }
        self.put(name.as_str(), &policy).await?;
        jobs.insert(name.to_string(), (policy, defined));
        Ok(JobHandle { name: name.as_str().into(), shared: Arc::clone(&self.shared), args: PhantomData })
    }

    /// Asks the store and acts on it, a store in memory included.
    #[must_use]
    pub fn client(&self) -> Client {
        Client { shared: Arc::clone(&self.shared) }
    }

    /// Everything that happens in this process from now on.
    #[must_use]
    pub fn subscribe(&self) -> Subscription {
        Subscription::new(&self.shared.facts)
    }

    async fn put(&self, name: &str, policy: &Policy) -> Result<()> {
        let policy = JobPolicy { name: name.to_owned(), policy: policy.clone(), origins: "{}".to_owned() };
        self.shared.queue.execute(self.shared.version(vec![policy], false)).await.map(drop)
    }

    fn take_engine(&self) -> Result<Engine> {
        let mut engine = self.engine.lock().unwrap_or_else(PoisonError::into_inner);
        engine.take().ok_or_else(|| Error::new(Kind::Invalid, "run_until is called once"))
    }

    /// Runs the jobs until this future is done, then lets running ones end (25 s, then they are asked to end) and
    /// returns. Jobs of this program that it did not add this time are taken out of the policy.
    ///
    /// # Errors
    /// If the store fails; [`Kind::Replaced`], at once, if its file is deleted or replaced meanwhile.
    pub async fn run_until<F: Future>(self, until: F) -> Result<()> {
        let engine = self.take_engine()?;
        let (version, definitions) = {
            let jobs = self.shared.jobs.lock().await;
            let policies = jobs.iter().map(|(name, (policy, _))| JobPolicy {
                name: name.clone(),
                policy: policy.clone(),
                origins: "{}".to_owned(),
            });
            let definitions = jobs.iter().map(|(name, (_, defined))| (name.clone(), defined.clone())).collect();
            (self.shared.version(policies.collect(), true), definitions)
        };
        engine.apply(version, definitions).await?;
        engine.open().await?;
        tokio::select! {
            _ = until => {}
            () = engine.cut_off() => {}
        }
        let (_hurry, hurried) = watch::channel(0);
        engine.shut_down(hurried).await
    }
}

/// Settings of a [`Jobstile`], before it opens its store.
#[must_use = "a builder opens nothing before `open`"]
pub struct Builder {
    store: String,
    clock: Clock,
    shutdown_grace: Duration,
    kill_after: Duration,
    workers: Option<usize>,
    node: Option<String>,
    observer: Arc<dyn Observer>,
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder").field("store", &self.store).finish_non_exhaustive()
    }
}

impl Builder {
    /// Where the time comes from. Default the system's clock; tests move one by hand.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// How long attempts may go on after `run_until`'s signal. Default 25 s.
    pub fn shutdown_grace(mut self, grace: Duration) -> Self {
        self.shutdown_grace = grace;
        self
    }

    /// How long an attempt that was asked to end is given before it is dropped. Default 5 s.
    pub fn kill_after(mut self, patience: Duration) -> Self {
        self.kill_after = patience;
        self
    }

    /// Attempts at once in this process, 1 or more. Default 256.
    pub fn workers(mut self, most: usize) -> Self {
        self.workers = Some(most);
        self
    }

    /// The name of this process in `nodes` and `monitor`. Default the program's and the host's.
    pub fn node_name(mut self, name: impl Into<String>) -> Self {
        self.node = Some(name.into());
        self
    }

    /// Who is told what happens, besides `tracing` and subscribers.
    pub fn observer(mut self, observer: impl Observer + 'static) -> Self {
        self.observer = Arc::new(observer);
        self
    }

    /// Opens the store.
    ///
    /// # Errors
    /// If the store cannot be used, see [`Kind`]; [`Kind::Invalid`] for no workers.
    pub async fn open(self) -> Result<Jobstile> {
        let path = store_path(&self.store)?;
        if self.workers == Some(0) {
            return Err(Error::new(Kind::Invalid, "workers is 1 or more"));
        }
        let program = std::env::current_exe().ok();
        let name =
            program.as_deref().and_then(|path| path.file_stem()).map_or("program".into(), |n| n.to_string_lossy());
        let (watch, facts) = Watch::new(self.observer);
        let engine = Engine::start(Setup {
            store: path.clone(),
            kind: "library",
            name: self.node.unwrap_or_else(|| format!("{name}@{}", host::name())),
            join: true,
            clock: self.clock,
            workers: Workers::new(self.workers),
            kill_after: self.kill_after,
            keeper: None,
            owns_children: false,
            echo: None,
            environment: std::env::vars_os().collect(),
            observer: Arc::new(watch),
        })
        .await?;
        let taken = engine.jobs_of_live_nodes().await?;
        let shared = Shared {
            queue: engine.queue().clone(),
            owner: name.into_owned(),
            by: host::whoami().into(),
            path,
            facts,
            shutdown_grace: self.shutdown_grace,
            kill_after: self.kill_after,
            taken,
            jobs: tokio::sync::Mutex::default(),
        };
        Ok(Jobstile { engine: Arc::new(Mutex::new(Some(engine))), shared: Arc::new(shared) })
    }
}

fn store_path(store: &str) -> Result<Option<PathBuf>> {
    if store == "sqlite::memory:" {
        return Ok(None);
    }
    let path = store.strip_prefix("sqlite://").unwrap_or(store);
    if path.is_empty() || path.contains("://") {
        let what = format!("`{store}` is no store of this version: sqlite://FILE or sqlite::memory:");
        return Err(Error::new(Kind::Invalid, what));
    }
    std::path::absolute(path).map(Some).map_err(|e| Error::new(Kind::Store, format!("`{path}` is no file")).because(e))
}
