//! Jobstile in a program: a store, the jobs that the program can run, and the engine that runs them.

use std::collections::BTreeMap;
use std::future::Future;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jobstile_core::policy::Policy;
use tokio::sync::watch;

use super::handle::JobHandle;
use super::job::Job;
use crate::engine::clock::Clock;
use crate::engine::desk::Workers;
use crate::engine::worker::Defined;
use crate::engine::{Engine, Nobody, Setup, host};
use crate::error::{Error, Kind, Result};
use crate::op::{Apply, JobPolicy, Op};

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
    pub(super) clock: Clock,
    /// Jobs of others who were at work when this program came.
    taken: Vec<String>,
    jobs: tokio::sync::Mutex<BTreeMap<String, (Policy, Defined)>>,
}

impl Shared {
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
        Self::open_with(store, Clock::system()).await
    }

    /// The same with a clock of your own, for tests.
    ///
    /// # Errors
    /// As [`Jobstile::open`].
    pub async fn open_with(store: &str, clock: Clock) -> Result<Self> {
        let path = store_path(store)?;
        let program = std::env::current_exe().ok();
        let name =
            program.as_deref().and_then(|path| path.file_stem()).map_or("program".into(), |n| n.to_string_lossy());
        let engine = Engine::start(Setup {
            store: path,
            kind: "library",
            name: format!("{name}@{}", host::name()),
            join: true,
            clock: clock.clone(),
            workers: Workers::new(None),
            kill_after: KILL_AFTER,
            keeper: None,
            owns_children: false,
            echo: None,
            environment: std::env::vars_os().collect(),
            observer: Arc::new(Nobody),
        })
        .await?;
        let taken = engine.jobs_of_live_nodes().await?;
        let shared = Shared {
            queue: engine.queue().clone(),
            owner: name.into_owned(),
            by: host::whoami().into(),
            clock,
            taken,
            jobs: tokio::sync::Mutex::default(),
        };
        Ok(Self { engine: Arc::new(Mutex::new(Some(engine))), shared: Arc::new(shared) })
    }

    /// Adds a job; its policy is in force when this returns. It runs once [`Jobstile::run_until`] does.
    ///
    /// # Errors
    /// [`Kind::Invalid`] if the job makes no sense, with everything that is wrong in [`Error::mistakes`];
    /// [`Kind::Taken`] if a job of that name is added already, or belongs to another program that is at work.
    pub async fn add<A>(&self, job: Job<A>) -> Result<JobHandle<A>> {
        let (name, policy, definition) = job.checked()?;
        let defined = Defined { definition, shutdown_grace: SHUTDOWN_GRACE, kill_after: KILL_AFTER, log_output: true };
        let mut jobs = self.shared.jobs.lock().await;
        if jobs.contains_key(name.as_str()) {
            return Err(Error::new(Kind::Taken, format!("job {name} is added already")));
        }
        self.put(name.as_str(), &policy).await?;
        jobs.insert(name.to_string(), (policy, defined));
        Ok(JobHandle { name: name.as_str().into(), shared: Arc::clone(&self.shared), args: PhantomData })
    }

    async fn put(&self, name: &str, policy: &Policy) -> Result<()> {
        let policy = JobPolicy { name: name.to_owned(), policy: policy.clone(), origins: "{}".to_owned() };
        self.shared.queue.execute(Op::Apply(self.shared.version(vec![policy], false))).await.map(drop)
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
