//! What a program triggers a job with, and what became of the trigger.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use jobstile_core::decide::{Code, Decision as What};
use jobstile_core::id::{RunId, TriggerId};
use jobstile_core::policy::Priority;
use jobstile_core::time::Time;
use jobstile_core::trigger::{Source, When};
use serde::Serialize;

use super::jobstile::Shared;
use crate::args::Args;
use crate::bugs::planted;
use crate::error::{Error, Result};
use crate::op::{Answer, Decided, Op, Trigger};

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
        let when = options.later.map_or(When::Now, |later| When::At(self.shared.clock.now().plus(later)));
        let trigger = Trigger {
            job: Arc::clone(&self.name),
            args: Ok(if planted("embedded_arguments_are_lost") { Args::none() } else { args }),
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
