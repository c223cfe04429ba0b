//! A way into a store for programs that ask and go: every command of the command line is one of these.

use std::path::{Path, PathBuf};

use jobstile_core::time::Time;

use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::fact::Fact;
use crate::op::{Apply, Decided, Operation, Trigger};
use crate::store::sqlite::{OpenAs, Reader, Store, resolve};

mod answers;
mod node;
mod read;

pub use crate::store::read::*;
pub use read::hour_of;

/// A store, opened for asking and for single operations. It works with or without a daemon on the store.
#[derive(Debug)]
pub struct Client {
    path: PathBuf,
    clock: Clock,
    reader: Reader,
    writer: Option<Store>,
}

impl Client {
    /// Opens a store that is there; nothing is created or changed.
    ///
    /// # Errors
    /// If there is none, or it may not be read, or has another schema.
    pub fn open(path: &Path) -> Result<Self> {
        let reader = Reader::open(path)?;
        Ok(Self { path: resolve(path)?, clock: Clock::system(), reader, writer: None })
    }

    /// What a store that is not there yet would hold once this policy is loaded. It lies in memory and answers questions;
    /// an operation finds no store.
    ///
    /// # Errors
    /// If the policy cannot be loaded.
    pub fn imagined(path: &Path, policy: Apply) -> Result<Self> {
        let clock = Clock::system();
        let mut store = Store::in_memory()?;
        store.execute(clock.now(), &[policy.into()]).answers.into_iter().try_for_each(|answer| answer.map(drop))?;
        Ok(Self { path: path.to_owned(), clock, reader: store.into_reader(), writer: None })
    }

    /// The same with another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// The store's file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The time by the client's clock.
    #[must_use]
    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// Executes one operation, and says what happened.
    ///
    /// # Errors
    /// If the store cannot be written, or the operation cannot be done.
    pub fn execute<O: Operation>(&mut self, op: O) -> Result<(O::Answer, Vec<Fact>)> {
        let now = self.clock.now();
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => none.insert(Store::open(&self.path, OpenAs::Guest)?),
        };
        let mut done = writer.execute(now, &[op.into()]);
        let answer = done.answers.pop().ok_or_else(|| Error::invariant("every operation has an answer"))??;
        let answer = O::answer(answer).ok_or_else(|| Error::invariant("an operation has the answer of its kind"))?;
        Ok((answer, done.facts))
    }

    /// Decides one trigger.
    ///
    /// # Errors
    /// As [`Client::execute`].
    pub fn trigger(&mut self, trigger: Trigger) -> Result<Decided> {
        self.execute(trigger).map(|(decided, _)| decided)
    }

    /// Copies the store into a file while it is in use.
    ///
    /// # Errors
    /// If the file already exists or cannot be written.
    pub fn backup(&self, to: &Path) -> Result<()> {
        self.reader.backup(to, self.now())
    }
}
