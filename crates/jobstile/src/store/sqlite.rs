//! The embedded store: one SQLite file, or one in memory.

mod log;
mod migrate;
mod open;
mod place;
#[cfg(test)]
mod plans;
mod query;
mod row;
mod tables;
mod turnstile;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jobstile_core::time::Time;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::bugs::planted;
use crate::clock::Stopwatch;
use crate::error::{Kind, Result};
use crate::op::{self, Answer, Done, Memory, Op, Reap};
use crate::store::question::{Question, Rows};
use crate::store::{NodeRow, Tables};

pub use migrate::{SCHEMA, migrations};
pub use open::{Checked, OpenAs, quick_check};
pub use place::{file_system, resolve};
pub use query::Reader;
use row::failed;
use tables::Tx;
use turnstile::Turnstile;
pub(crate) use turnstile::wake_file;

/// A store that operations can be executed on, where they are called: no thread, no queue, no clock of its own.
pub struct Store {
    connection: Connection,
    memory: Memory,
    turnstile: Option<Arc<Turnstile>>,
    path: Option<PathBuf>,
    log: log::Log,
    data_version: i64,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Store {
    /// A store in memory, gone with this value.
    ///
    /// # Errors
    /// If SQLite is too old or out of memory.
    pub fn in_memory() -> Result<Self> {
        let mut connection = Connection::open_in_memory().map_err(failed)?;
        open::check_version()?;
        open::settle_connection(&connection)?;
        migrate::migrate(&mut connection, None)?;
        Ok(Self {
            connection,
            memory: Memory::default(),
            turnstile: None,
            path: None,
            log: log::Log::default(),
            data_version: 0,
        })
    }

    /// Reads with the store's own connection: of a store in memory there is no other.
    pub(crate) fn read<T>(&mut self, ask: impl FnOnce(&Reader) -> Result<T>) -> Result<T> {
        let stand_in = Connection::open_in_memory().map_err(failed)?;
        let reader = Reader::lent(std::mem::replace(&mut self.connection, stand_in));
        let answer = ask(&reader);
        self.connection = reader.given_back();
        answer
    }

    /// Of a store in memory: from here on there are only questions.
    pub(crate) fn into_reader(self) -> Reader {
        Reader::lent(self.connection)
    }

    /// What only this store knows: its random, unpublished id.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn secret(&self) -> Result<String> {
        let sql = include_str!("sqlite/sql/secret.sql");
        self.connection.query_row(sql, [], |row| row.get(0)).map_err(failed)
    }

    /// The store in a file.
    ///
    /// # Errors
    /// If the file cannot be used: absent (unless it may be created), not allowed, on a network file system, damaged,
    /// foreign, or written by a newer Jobstile.
    pub fn open(typed: &Path, open_as: OpenAs) -> Result<Self> {
        let path = resolve(typed)?;
        // Before anything is written, and again when it is open: does everybody look at the same log and index?
        turnstile::look(&path)?;
        let mut connection = open::open(&path, typed, open_as)?;
        let turnstile = Arc::new(Turnstile::beside(&path)?);
        open::settle_schema(&mut connection, &path, typed, open_as)?;
        Ok(Self {
            connection,
            memory: Memory::default(),
            turnstile: Some(turnstile),
            log: log::Log::beside(&path),
            path: Some(path),
            data_version: 0,
        })
    }

    /// The file; `None` means in memory.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Executes a batch in one transaction and answers after its commit. A batch that fails is repeated operation by
    /// operation, so that it harms only its cause.
    pub fn execute(&mut self, now: Time, ops: &[Op]) -> Done {
        let mut done = self.transact(now, ops);
        if done.as_ref().is_err_and(|error| error.kind() == Kind::Full) {
            // What the log holds may find room in the file, and then the log begins anew.
            log::take_in(&self.connection, "passive");
            done = self.transact(now, ops).map_err(|error| self.log.how_much_is_needed(error));
        }
        match done {
            Ok(done) => done,
            Err(error) if ops.len() == 1 => nothing(Err(error)),
            Err(_) => {
                let mut all = Done::default();
                for op in ops {
                    let one = self.transact(now, std::slice::from_ref(op)).unwrap_or_else(|error| nothing(Err(error)));
                    all.answers.extend(one.answers);
                    all.facts.extend(one.facts);
                    all.marks.push(all.facts.len());
                    all.ready |= one.ready;
                    all.cut_short |= one.cut_short;
                    all.asked_to_end |= one.asked_to_end;
                    all.timed |= one.timed;
                    all.set_back.extend(one.set_back);
                    all.took += one.took;
                    all.counters = match (all.counters, one.counters) {
                        (Some((before, _)), Some((_, after))) => Some((before, after)),
                        (none, one) => none.or(one),
                    };
                }
                all
            }
        }
    }

    /// Asks a question. It sees what is committed, and takes no write lock.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn ask<Q: Question>(&self, question: &Q) -> Result<Q::Answer> {
        let transaction =
            Transaction::new_unchecked(&self.connection, TransactionBehavior::Deferred).map_err(failed)?;
        question.ask(&mut Rows(&mut Tx::of(&transaction)))
    }

    /// The rows of a query as text, for tests that look at a store in memory.
    ///
    /// # Errors
    /// If SQLite does not take the statement.
    #[doc(hidden)]
    pub fn rows(&self, query: &str) -> Result<Vec<Vec<String>>> {
        use rusqlite::types::ValueRef;
        let mut statement = self.connection.prepare_cached(query).map_err(failed)?;
        let columns = statement.column_count();
        let text = |value: ValueRef<'_>| match value {
            ValueRef::Null => "null".to_owned(),
            ValueRef::Integer(n) => n.to_string(),
            ValueRef::Real(n) => n.to_string(),
            ValueRef::Text(text) | ValueRef::Blob(text) => String::from_utf8_lossy(text).into_owned(),
        };
        let rows = statement.query_map([], |row| (0..columns).map(|c| row.get_ref(c).map(text)).collect());
        rows.and_then(Iterator::collect).map_err(failed)
    }

    fn transact(&mut self, now: Time, ops: &[Op]) -> Result<Done> {
        let turn = self.turnstile.as_ref().map(Turnstile::take).transpose()?;
        let before = self.connection.total_changes();
        let done = self.in_transaction(now, ops);
        if done.is_err() && !planted("memory_outlives_a_failed_batch") {
            // What was remembered may be of a version that was never committed.
            self.memory = Memory::default();
        }
        if let Some(turn) = turn {
            turn.leave(done.is_ok() && self.connection.total_changes() != before);
        }
        done
    }

    fn in_transaction(&mut self, now: Time, ops: &[Op]) -> Result<Done> {
        if planted("answer_before_the_commit") && !self.connection.is_autocommit() {
            self.connection.execute_batch("commit").map_err(failed)?;
        }
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        let began = Stopwatch::start();
        let mut done = op::execute(&mut Tx::of(&transaction), &mut self.memory, now, ops)?;
        done.took = began.read();
        if planted("answer_before_the_commit") {
            std::mem::forget(transaction);
            return Ok(done);
        }
        match transaction.commit().map_err(failed) {
            Err(error) if !planted("commit_error_is_dropped") => Err(error),
            _ => Ok(done),
        }
    }

    /// The promises that the store does not keep; a good one has none.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn verify(&self) -> Result<Vec<crate::store::read::Violation>> {
        query::verify(&self.connection)
    }

    /// Nothing is to be done: a log that has grown large is cut.
    pub(crate) fn tidy(&mut self) {
        let Some(turnstile) = self.turnstile.as_ref().filter(|_| self.log.is_large()) else { return };
        // Somebody else's turn is a reason to wait, and the next look comes soon.
        if let Ok(turn) = turnstile.take() {
            log::take_in(&self.connection, "truncate");
            turn.leave(false);
        }
    }

    /// Another connection has written since this was last asked; a look that costs no transaction.
    pub(crate) fn changed_by_others(&mut self) -> Result<bool> {
        let version: i64 = self.connection.pragma_query_value(None, "data_version", |r| r.get(0)).map_err(failed)?;
        Ok(std::mem::replace(&mut self.data_version, version) != version)
    }
}

fn backup(from: &Connection, to: &Path, now: Time) -> Result<()> {
    use std::io::ErrorKind;
    use std::os::unix::fs::OpenOptionsExt;
    // Arguments and output are in it: nobody else looks unless its owner says so.
    let made = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(to);
    made.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => {
            let what = format!("{} already exists; a backup never overwrites", to.display());
            crate::Error::new(crate::Kind::Invalid, what)
        }
        kind => {
            let kind = match kind {
                ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => crate::Kind::NotAllowed,
                _ => crate::Kind::Invalid,
            };
            crate::Error::new(kind, format!("cannot write {}", to.display())).because(error)
        }
    })?;
    let copied = migrate::backup(from, to)
        .and_then(|()| if planted("backup_keeps_what_runs") { Ok(()) } else { leave(to, now) });
    if copied.is_err() {
        // Half a copy is none. That it cannot be removed is less than why it was not made.
        let _ = std::fs::remove_file(to);
    }
    copied
}

// No node works on a copy: what ran while it was made starts again where the copy is put in place.
fn leave(copy: &Path, now: Time) -> Result<()> {
    let mut connection = Connection::open(copy).map_err(failed)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let (mut tables, mut memory) = (Tx::of(&transaction), Memory::default());
    let reason = "it ran while the store was copied";
    let reap = |node: NodeRow| Op::from(Reap { node: node.id, reason: reason.to_owned(), printed: HashMap::new() });
    let reaps: Vec<Op> = tables.live_nodes()?.into_iter().map(reap).collect();
    let done = op::execute(&mut tables, &mut memory, now, &reaps)?;
    done.answers.into_iter().try_for_each(|answer| answer.map(drop))?;
    drop(tables);
    transaction.commit().map_err(failed)
}

/// The SQLite that is built in.
#[must_use]
pub fn version() -> &'static str {
    rusqlite::version()
}

fn nothing(answer: Result<Answer>) -> Done {
    Done { answers: vec![answer], marks: vec![0], ..Done::default() }
}
