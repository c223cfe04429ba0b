//! What can go wrong, in one type.

use std::error::Error as StdError;
use std::time::Duration;

use jobstile_core::policy::Mistake;
use jobstile_core::policy::keys::LONGEST;

/// What kind of thing went wrong; programs turn it into an exit code or a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The store cannot be reached or used.
    Store,
    /// The disk that the store is on is full.
    Full,
    /// The store was written by a newer Jobstile.
    Newer,
    /// The store's file was deleted or replaced while it was open.
    Replaced,
    /// The system does not allow it.
    NotAllowed,
    /// There is no such job, run or file.
    NotFound,
    /// What was asked for makes no sense.
    Invalid,
    /// Another owner or daemon has it.
    Taken,
    /// A promise was about to be broken; nothing was written.
    Invariant,
    /// The other side went away.
    Closed,
    /// A handler failed, and says what is to follow.
    Failed,
}

/// What is to follow a failed attempt, by the word of its handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Wish {
    /// No other attempt.
    #[error("not tried again")]
    GiveUp,
    /// Another one after this time, if there are attempts left.
    #[error("to be tried again in {0:?}")]
    RetryIn(Duration),
}

/// Causes of an error that are looked through.
const MAX_CAUSES: usize = 16;

impl Wish {
    /// The wish of an error, or of one of its causes.
    pub(crate) fn of(error: &(dyn StdError + 'static)) -> Option<Self> {
        let mut next = Some(error);
        for _ in 0..MAX_CAUSES {
            let error = next?;
            let whole = error.downcast_ref::<Error>().and_then(|error| error.wish);
            if let Some(wish) = whole.or_else(|| error.downcast_ref::<Self>().copied()) {
                return Some(wish);
            }
            next = error.source();
        }
        None
    }
}

/// What went wrong: a kind, a sentence that names the thing, and the cause.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
    mistakes: Vec<Mistake>,
    wish: Option<Wish>,
}

/// A result with Jobstile's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error with a sentence.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None, mistakes: vec![], wish: None }
    }

    /// The same with its cause.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(cause.into());
        self
    }

    /// A failure of a handler after which there is no other attempt: the run ends `dead`.
    pub fn give_up(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { wish: Some(Wish::GiveUp), ..Self::new(Kind::Failed, cause.into().to_string()) }
    }

    /// A failure of a handler whose next attempt, if there is one left, starts after this time instead of the backoff's. At
    /// most ten years.
    pub fn retry_in(delay: Duration, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let wish = Some(Wish::RetryIn(delay.min(LONGEST)));
        Self { wish, ..Self::new(Kind::Failed, cause.into().to_string()) }
    }

    /// A broken promise: a bug that was stopped.
    pub fn invariant(what: impl Into<String>) -> Self {
        Self::new(Kind::Invariant, what)
    }

    /// A job that cannot be: everything that is wrong with what was written of it.
    pub(crate) fn mistaken(job: &str, mistakes: Vec<Mistake>) -> Self {
        let sentences: Vec<String> = mistakes.iter().map(|mistake| mistake.sentence(job)).collect();
        Self { mistakes, ..Self::new(Kind::Invalid, format!("job {job}: {}", sentences.join("; "))) }
    }

    /// Everything that is wrong with a job that was to be added, field by field.
    #[must_use]
    pub fn mistakes(&self) -> &[Mistake] {
        &self.mistakes
    }

    /// What kind of thing went wrong.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)?;
        let mut cause = self.source.as_deref().map(|e| e as &dyn StdError);
        let mut said = self.message.clone();
        while let Some(error) = cause {
            let text = error.to_string();
            // SQLite's errors have themselves as their cause, with a number before it.
            if !text.ends_with(&said) {
                write!(f, ": {text}")?;
            }
            said = text;
            cause = error.source();
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        // What an error type of somebody else's hides of its inside, it gives on as a cause.
        self.wish.as_ref().map(|wish| wish as _)
    }
}

impl From<jobstile_core::run::Impossible> for Error {
    fn from(step: jobstile_core::run::Impossible) -> Self {
        Self::invariant(step.to_string())
    }
}

impl From<jobstile_core::id::BadTriggerId> for Error {
    fn from(bad: jobstile_core::id::BadTriggerId) -> Self {
        Self::new(Kind::Invalid, bad.to_string())
    }
}
