//! What a program triggers a job with, and what became of the trigger.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use jobstile_core::decide::{Code, Decision as What};
use jobstile_core::id::{RunId, TriggerId};
use jobstile_core::policy::Priority;
use jobstile_core::run::State;
use jobstile_core::time::Time;
use jobstile_core::trigger::{Source, When};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::jobstile::Shared;
use super::watch::Subscription;
use crate::args::Args;
use crate::bugs::planted;
use crate::clock;
use crate::error::{Error, Kind, Result};
use crate::fact::Fact;
use crate::op::{Decided, Trigger};
use crate::store::sqlite::Reader;

/// A job that was added: what triggers it, with arguments of its own type.
#[derive(Debug)]
pub struct JobHandle<A> {
    pub(super) name: Arc<str>,
    pub(super) shared: Arc<Shared>,
    pub(super) args: PhantomData<fn(A)>,
}

impl<A> Clone for JobHandle<A> {
    fn clone(&self) -> Self {
        Self { name: Arc::clone(&self.name), shared: Arc::clone(&self.shared), args: PhantomData }
    }
}

/// How a trigger is to be decided, beyond its arguments.
#[derive(Debug, Clone, Default)]
pub struct TriggerOptions {
    /// `None` means the job's own.
    pub priority: Option<Priority>,
    /// How much later its run is due; `None` means now.
    pub later: Option<Duration>,
    /// An id: the same one within 24 hours gets the first answer again. At most 200 bytes.
    pub id: Option<String>,
}

impl<A: Serialize> JobHandle<A> {
    /// Triggers the job now. The answer is in the store when it comes.
    ///
    /// # Errors
    /// [`Kind::Invalid`] if the arguments are no JSON of at most 1 MiB; the store's own.
    pub async fn trigger(&self, args: &A) -> Result<Decision> {
        self.trigger_with(args, TriggerOptions::default()).await
    }

    /// Triggers the job.
    ///
    /// # Errors
    /// As [`JobHandle::trigger`], and if the id is not valid.
    pub async fn trigger_with(&self, args: &A, options: TriggerOptions) -> Result<Decision> {
        let id = options.id.as_deref().map(TriggerId::new).transpose()?;
        let args = Args::from(args)?;
        let when = options.later.map_or(When::Now, When::In);
        let trigger = Trigger {
            job: Arc::clone(&self.name),
            args: Ok(if planted("embedded_arguments_are_lost") { Args::none() } else { args }),
            priority: options.priority,
            when,
            id,
            source: Source::Library,
            by: Arc::clone(&self.shared.by),
        };
        self.shared.queue.execute(trigger).await.map(Decision::from)
    }

    /// Triggers the job and waits for the end of the run that does the work: of the new one, or of the one that already
    /// does the same. So callers with the same arguments share one run and its result.
    ///
    /// It is not waited for a run that only takes the place, as with `concurrency_limit`. May be dropped at any time; the run
    /// goes on. The jobs must be running, here or elsewhere.
    ///
    /// # Errors
    /// As [`JobHandle::trigger`], and if the store cannot be read.
    pub async fn trigger_and_wait(&self, args: &A) -> Result<Waited> {
        // Listen before deciding, or an end between the two is lost.
        let mut facts = Subscription::new(&self.shared.facts);
        let decision = self.trigger(args).await?;
        let Some(run) = decision.does_the_work() else { return Ok(Waited { decision, end: None }) };
        loop {
            if let Some(end) = self.shared.ask(move |reader| end_of(reader, run)).await? {
                return Ok(Waited { decision, end: Some(end) });
            }
            let ended = async {
                while let Some(fact) = facts.next().await {
                    if matches!(&fact, Fact::Came(came) if came.run == run && came.state.is_terminal()) {
                        return;
                    }
                }
                std::future::pending().await
            };
            // Another process may be at work on it.
            tokio::select! {
                () = ended => {}
                () = clock::sleep(LOOK_AGAIN) => {}
            }
        }
    }
}

/// How often the end of a run is looked for that another process may bring.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

fn end_of(reader: &Reader, id: RunId) -> Result<Option<End>> {
    let run = reader.run(id)?.ok_or_else(|| Error::new(Kind::NotFound, format!("there is no run {id} any more")))?;
    if !run.row.state.is_terminal() {
        return Ok(None);
    }
    let error = reader.attempts(id)?.pop().and_then(|attempt| attempt.message);
    let State::Succeeded = run.row.state else {
        return Ok(Some(End { run: id, state: run.row.state, error, result: None }));
    };
    Ok(Some(End { run: id, state: State::Succeeded, error: None, result: reader.result(id)? }))
}

/// A trigger and the end of the run that did the work.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a trigger may have been skipped; look at what became of it"]
pub struct Waited {
    /// What became of the trigger.
    pub decision: Decision,
    /// How the run ended; `None` means that no run does the work.
    pub end: Option<End>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// The run.
    pub run: RunId,
    /// A terminal state.
    pub state: State,
    /// Why its last attempt failed, if it did.
    pub error: Option<String>,
    /// What it gave back, as JSON.
    pub result: Option<String>,
}

impl End {
    /// What it gave back.
    ///
    /// # Errors
    /// [`Kind::Invalid`] if it is something else, or nothing where something was expected.
    pub fn result<T: DeserializeOwned>(&self) -> Result<T> {
        let json = self.result.as_deref().unwrap_or("null");
        serde_json::from_str(json)
            .map_err(|e| Error::new(Kind::Invalid, format!("the result of run {}", self.run)).because(e))
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

    /// The run whose end tells the caller what it wanted to know.
    fn does_the_work(&self) -> Option<RunId> {
        self.run.or(self.by.filter(|_| self.code.is_duplicate() && self.decision == What::Skipped))
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
