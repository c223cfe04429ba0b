//! Jobstile inside a program: jobs that are async Rust functions.

use std::collections::BTreeMap;
use std::future::Future;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jobstile_core::decide::{Code, Decision as What};
use jobstile_core::id::{RunId, TriggerId};
use jobstile_core::job::JobName;
use jobstile_core::policy::{
    Backoff, Concurrency, DEFAULT_MAX_WAITING, Dedup as DedupRule, KeyRule, MONITORING, OnDuplicate, OnFull, Policy,
    Priority, Until,
};
use jobstile_core::schedule::{CatchUp, First, Schedule};
use jobstile_core::time::Time;
use jobstile_core::trigger::{Source, When};
use serde::Serialize;
use tokio::sync::watch;

use crate::args::Args;
use crate::engine::clock::Clock;
use crate::engine::desk::Workers;
use crate::engine::worker::Defined;
use crate::engine::{Engine, Nobody, Setup, host};
use crate::error::{Error, Kind, Result};
use crate::op::{Answer, Apply, Decided, JobPolicy, Op, Trigger};
use crate::runner::function::erase;
use crate::runner::{Definition, Handler};

/// How long attempts may go on after `run_until`'s signal.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(25);
/// How long they may take to end after they were asked to.
const KILL_AFTER: Duration = Duration::from_secs(5);

/// The identity rule of a job: which arguments make two triggers the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dedup(DedupRule);

impl Dedup {
    /// Triggers with the same values of these argument fields are the same; no fields: the job itself.
    ///
    /// A duplicate is skipped until the run that it repeats has ended, retries included.
    pub fn by<N: Into<String>>(fields: impl IntoIterator<Item = N>) -> Self {
        Self::of(KeyRule::Fields(fields.into_iter().map(Into::into).collect()))
    }

    /// Triggers with the same arguments are the same.
    #[must_use]
    pub fn by_all() -> Self {
        Self::of(KeyRule::AllArguments)
    }

    fn of(key: KeyRule) -> Self {
        Self(DedupRule { key, until: Until::Finish, on_duplicate: OnDuplicate::Skip })
    }

    /// A run is the same only until its first start: one may run and one may wait.
    #[must_use]
    pub fn until_start(mut self) -> Self {
        self.0.until = Until::Start;
        self
    }

    /// A duplicate is rejected instead of skipped.
    #[must_use]
    pub fn or_fail(mut self) -> Self {
        self.0.on_duplicate = OnDuplicate::Fail;
        self
    }
}

/// A job: a name, a function, and what holds for it.
#[derive(Debug)]
pub struct Job<A> {
    name: String,
    definition: Definition,
    policy: Written,
    args: PhantomData<fn(A)>,
}

// What the program wrote; the rest are the defaults that depend on it.
#[derive(Debug, Default)]
struct Written {
    every: Option<Duration>,
    first: Option<First>,
    catch_up: Option<CatchUp>,
    dedup: Option<DedupRule>,
    max_concurrent: Option<Concurrency>,
    max_waiting: Option<u32>,
    on_full: Option<OnFull>,
    priority: Option<Priority>,
    attempts: Option<u32>,
    backoff: Option<Backoff>,
    timeout: Option<Option<Duration>>,
    monitoring: Option<bool>,
}

impl<A> Job<A> {
    /// A job of this name that runs this function. The function's first argument is what a trigger carries.
    pub fn new<H>(name: impl Into<String>, handler: H) -> Self
    where
        H: Handler<A>,
        A: serde::de::DeserializeOwned + Send + 'static,
    {
        let definition = Definition::Function(erase(handler));
        Self { name: name.into(), definition, policy: Written::default(), args: PhantomData }
    }

    /// It fires by itself, first when it enters the store.
    #[must_use]
    pub fn every(mut self, interval: Duration) -> Self {
        self.policy.every = Some(interval);
        self
    }

    /// Its schedule fires first one interval after it entered the store.
    #[must_use]
    pub fn first_after_interval(mut self) -> Self {
        self.policy.first = Some(First::AfterInterval);
        self
    }

    /// What was missed while nobody looked is not run. Default: one run for all of it.
    #[must_use]
    pub fn no_catch_up(mut self) -> Self {
        self.policy.catch_up = Some(CatchUp::None);
        self
    }

    /// The identity rule. Default: every trigger is distinct.
    #[must_use]
    pub fn dedup(mut self, rule: Dedup) -> Self {
        self.policy.dedup = Some(rule.0);
        self
    }

    /// Attempts at once, on all machines; 1 to 10,000. Default 1 with a schedule, else unlimited.
    #[must_use]
    pub fn max_concurrent(mut self, most: u32) -> Self {
        self.policy.max_concurrent = Some(Concurrency::Limited(most));
        self
    }

    /// Runs that may wait beyond that. Default 0 with a schedule and without dedup, else 100,000.
    #[must_use]
    pub fn max_waiting(mut self, most: u32) -> Self {
        self.policy.max_waiting = Some(most);
        self
    }

    /// A trigger without a place is rejected instead of skipped.
    #[must_use]
    pub fn fail_when_full(mut self) -> Self {
        self.policy.on_full = Some(OnFull::Fail);
        self
    }

    /// The head start of its triggers. Default normal.
    #[must_use]
    pub fn priority(mut self, priority: Priority) -> Self {
        self.policy.priority = Some(priority);
        self
    }

    /// Executions in all, 1 or more. Default 1.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.policy.attempts = Some(attempts);
        self
    }

    /// The wait before the second attempt; each next one is twice as long, at most an hour. Default 30 s.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.policy.backoff = Some(Backoff { delay, ..Backoff::default() });
        self
    }

    /// The longest an attempt may take; none: no end. Default 1 h.
    #[must_use]
    pub fn timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.policy.timeout = Some(timeout.into());
        self
    }

    /// One live run, never more, whatever the rest says. Default: by its name.
    #[must_use]
    pub fn monitoring(mut self, monitoring: bool) -> Self {
        self.policy.monitoring = Some(monitoring);
        self
    }
}

impl Written {
    fn policy(&self, name: &str) -> Result<Policy> {
        let wrong = |what: &str| Error::new(Kind::Invalid, format!("job {name}: {what}"));
        let schedule = match self.every {
            Some(every) if every.is_zero() => return Err(wrong("an interval is longer than nothing")),
            Some(every) => Some(Schedule {
                every,
                first: self.first.unwrap_or(First::Now),
                catch_up: self.catch_up.unwrap_or(CatchUp::Latest),
            }),
            None => None,
        };
        let monitoring = self.monitoring.unwrap_or_else(|| MONITORING.contains(&name));
        if monitoring && self.dedup.is_some() {
            return Err(wrong("a monitoring job has its own dedup; write monitoring(false)"));
        }
        let mut policy = Policy::new(monitoring, schedule);
        if let Some(most) = self.max_concurrent {
            if most == Concurrency::Limited(0) {
                return Err(wrong("max_concurrent is 1 or more"));
            }
            policy.max_concurrent = most;
        }
        let limited = matches!(policy.max_concurrent, Concurrency::Limited(_));
        let skips = (monitoring || schedule.is_some()) && self.dedup.is_none() && limited;
        policy.max_waiting = self.max_waiting.unwrap_or(if skips { 0 } else { DEFAULT_MAX_WAITING });
        if policy.max_waiting == 0 && !limited {
            return Err(wrong("max_waiting = 0 needs a max_concurrent"));
        }
        policy.dedup = self.dedup.clone();
        policy.on_full = self.on_full;
        policy.priority = self.priority.unwrap_or(policy.priority);
        policy.attempts = self.attempts.unwrap_or(policy.attempts);
        if policy.attempts == 0 {
            return Err(wrong("attempts is 1 or more"));
        }
        policy.backoff = self.backoff.unwrap_or(policy.backoff);
        policy.timeout = self.timeout.unwrap_or(policy.timeout);
        Ok(policy)
    }
}

/// Jobstile in this process: a store, and the jobs that this program can run.
#[derive(Debug, Clone)]
pub struct Jobstile {
    engine: Arc<Mutex<Option<Engine>>>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    queue: crate::store::queue::Queue,
    owner: String,
    by: Arc<str>,
    clock: Clock,
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
    /// Opens a store, and makes it where it is not there: `sqlite://jobs.db` (beside the working folder),
    /// `sqlite:///var/lib/app/jobs.db`, or `sqlite::memory:` for this process alone.
    ///
    /// # Errors
    /// Where the store cannot be used; see [`Kind`].
    pub async fn open(store: &str) -> Result<Self> {
        Self::open_with(store, Clock::system()).await
    }

    /// The same with a clock of one's own, for tests.
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
    /// [`Kind::Invalid`] where the job makes no sense; [`Kind::Taken`] where another program that is at work has a job of
    /// that name.
    pub async fn add<A>(&self, job: Job<A>) -> Result<JobHandle<A>> {
        let name = JobName::new(&job.name).map_err(|e| Error::new(Kind::Invalid, e.to_string()))?;
        let policy = job.policy.policy(&job.name)?;
        let defined = Defined { definition: job.definition, shutdown_grace: SHUTDOWN_GRACE, kill_after: KILL_AFTER };
        self.put(&job.name, &policy).await?;
        self.shared.jobs.lock().await.insert(job.name, (policy, defined));
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
    /// Where the store fails; [`Kind::Replaced`], at once, where its file is deleted or replaced meanwhile.
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

/// A job that was added: what triggers it, with arguments of its own type.
#[derive(Debug)]
pub struct JobHandle<A> {
    name: Arc<str>,
    shared: Arc<Shared>,
    args: PhantomData<fn(A)>,
}

impl<A> Clone for JobHandle<A> {
    fn clone(&self) -> Self {
        Self { name: Arc::clone(&self.name), shared: Arc::clone(&self.shared), args: PhantomData }
    }
}

/// How a trigger is to be decided, beyond its arguments.
#[derive(Debug, Clone, Default)]
pub struct TriggerOptions {
    /// None: the job's own.
    pub priority: Option<Priority>,
    /// How much later its run is due; none: now.
    pub later: Option<Duration>,
    /// An id: the same one within 24 hours gets the first answer again. At most 200 bytes.
    pub id: Option<String>,
}

impl<A: Serialize> JobHandle<A> {
    /// Triggers the job now. The answer is in the store when it comes.
    ///
    /// # Errors
    /// [`Kind::Invalid`] where the arguments are no JSON of at most 1 MiB; the store's own.
    pub async fn trigger(&self, args: &A) -> Result<Decision> {
        self.trigger_with(args, TriggerOptions::default()).await
    }

    /// Triggers the job.
    ///
    /// # Errors
    /// As [`JobHandle::trigger`], and where the id is no id.
    pub async fn trigger_with(&self, args: &A, options: TriggerOptions) -> Result<Decision> {
        let id = options.id.as_deref().map(TriggerId::new).transpose()?;
        let value = serde_json::to_value(args)
            .map_err(|e| Error::new(Kind::Invalid, "the arguments are no JSON").because(e))?;
        let args = Args::of(value).map_err(|e| Error::new(Kind::Invalid, e.to_string()))?;
        let when = options.later.map_or(When::Now, |later| When::At(self.shared.clock.now().plus(later)));
        let trigger = Trigger {
            job: Arc::clone(&self.name),
            args: Ok(args),
            priority: options.priority,
            when,
            id,
            source: Source::Library,
            by: Arc::clone(&self.shared.by),
        };
        match self.shared.queue.execute(Op::Trigger(trigger)).await? {
            Answer::Decided(decided) => Ok(Decision::from(decided)),
            _ => Err(Error::invariant("a trigger is answered by a decision")),
        }
    }
}

/// What became of a trigger.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a trigger may have been skipped; look at what became of it"]
pub struct Decision {
    /// What.
    pub decision: What,
    /// Why.
    pub code: Code,
    run: Option<RunId>,
    by: Option<RunId>,
    due: Option<Time>,
}

impl Decision {
    /// The run that does the work: the new one, or the one that covers this trigger.
    #[must_use]
    pub fn run(&self) -> Option<RunId> {
        self.run.or(self.by)
    }

    /// It became a run of its own.
    #[must_use]
    pub fn is_admitted(&self) -> bool {
        self.decision == What::Admitted
    }
}

impl From<Decided> for Decision {
    fn from(decided: Decided) -> Self {
        let Decided { decision, code, run, by, due, .. } = decided;
        Self { decision, code, run, by, due }
    }
}

impl std::fmt::Display for Decision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.run, self.by) {
            (Some(run), _) => {
                write!(f, "{} as run {run}", self.decision)?;
                if self.due.is_some() { f.write_str(", for later") } else { Ok(()) }
            }
            (None, Some(by)) => write!(f, "{} by run {by} ({})", self.decision, self.code),
            (None, None) => write!(f, "{} ({})", self.decision, self.code),
        }
    }
}
