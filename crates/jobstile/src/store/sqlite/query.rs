//! Questions to the file: one connection that cannot write, one `.sql` file a question.

mod decisions;
mod jobs;
mod merge;
mod nodes;
mod questions;
mod runs;
mod verify;

use std::cell::Cell;
use std::path::Path;

use jobstile_core::time::Time;
use rusqlite::{CachedStatement, Connection, OptionalExtension, Params, Row, Transaction, TransactionBehavior};

use super::open;
use super::row::failed;
use crate::error::Result;

macro_rules! ask {
    ($name:literal) => {
        include_str!(concat!("../sql/query/", $name, ".sql"))
    };
}
use ask;
pub(super) use verify::verify;

/// A connection that cannot write.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
    asked: Cell<u64>,
}

impl Reader {
    /// Opens a store for questions alone.
    ///
    /// # Errors
    /// If the file is absent, may not be read, or has another schema.
    pub fn open(path: &Path) -> Result<Self> {
        open::reader(path).map(|connection| Self { connection, asked: Cell::new(0) })
    }

    /// Statements so far.
    pub(crate) fn asked(&self) -> u64 {
        self.asked.get()
    }

    fn prepared(&self, sql: &str) -> rusqlite::Result<CachedStatement<'_>> {
        self.asked.set(self.asked.get() + 1);
        self.connection.prepare_cached(sql)
    }

    /// A store's own connection, lent for a question.
    pub(super) fn lent(connection: Connection) -> Self {
        Self { connection, asked: Cell::new(0) }
    }

    /// The connection again.
    pub(super) fn given_back(self) -> Connection {
        self.connection
    }

    /// Copies the store, while it is in use, into a file that is not there yet.
    ///
    /// # Errors
    /// If the file already exists or cannot be written.
    pub fn backup(&self, to: &Path, now: Time) -> Result<()> {
        super::backup(&self.connection, to, now)
    }

    /// Answers several questions by one state of the store.
    ///
    /// # Errors
    /// Those of the questions, and if the store cannot be read.
    pub fn at_once<T>(&self, ask: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        if !self.connection.is_autocommit() {
            return ask(self);
        }
        let _state = Transaction::new_unchecked(&self.connection, TransactionBehavior::Deferred).map_err(failed)?;
        ask(self)
    }

    /// Looks at the file itself, page by page, and says what is wrong with it; nothing where it is whole.
    pub(crate) fn quick_check(&self, max: usize) -> Result<Vec<String>> {
        let mut found = Vec::new();
        let of = rusqlite::types::Value::from(i64::try_from(max).unwrap_or(i64::MAX));
        self.connection
            .pragma(None, "quick_check", of, |row| {
                found.push(row.get::<_, String>(0)?);
                Ok(())
            })
            .map_err(failed)?;
        found.retain(|line| line != "ok");
        Ok(found)
    }

    fn one<T>(&self, sql: &str, params: impl Params, read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>) -> Result<T> {
        self.prepared(sql).and_then(|mut s| s.query_row(params, read)).map_err(failed)
    }

    fn maybe<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>> {
        self.prepared(sql).and_then(|mut s| s.query_row(params, read).optional()).map_err(failed)
    }

    fn all<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        let mut statement = self.prepared(sql).map_err(failed)?;
        let rows = statement.query_map(params, read).map_err(failed)?;
        rows.collect::<rusqlite::Result<Vec<T>>>().map_err(failed)
    }
}
