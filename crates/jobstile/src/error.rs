//! What can go wrong, in one type.

use std::error::Error as StdError;

use jobstile_core::policy::Mistake;

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
}

/// What went wrong: a kind, a sentence that names the thing, and the cause.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
    mistakes: Vec<Mistake>,
}

/// A result with Jobstile's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error with a sentence.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None, mistakes: vec![] }
    }

    /// The same with its cause.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(cause.into());
        self
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
        None
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
