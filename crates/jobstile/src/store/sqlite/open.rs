//! Opening the file: what must hold before a single row is read.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::row::failed;
use super::{migrate, place};
use crate::error::{Error, Kind, Result};

/// The oldest SQLite without the defect that can lose committed writes of a write-ahead log.
const OLDEST: i32 = 3_051_003;
/// Pages of the write-ahead log before it is taken into the file.
const CHECKPOINT_PAGES: u32 = 8_000;
/// The write-ahead log is cut to this many bytes after a checkpoint.
const JOURNAL_BYTES: u64 = 64 << 20;
/// How long a statement waits for a program that does not take turns.
pub(super) const BUSY: Duration = Duration::from_secs(10);

/// What the opener may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenAs {
    /// Creates the file, and brings an older schema up to date.
    Owner,
    /// Uses what is there.
    Guest,
}

pub(super) fn check_version() -> Result<()> {
    let version = rusqlite::version_number();
    if version >= OLDEST {
        return Ok(());
    }
    let what = format!("SQLite {} can lose committed writes; 3.51.3 or newer is needed", rusqlite::version());
    Err(Error::new(Kind::Store, what))
}

/// Opens the file at a resolved path; the schema is not looked at yet.
pub(super) fn open(path: &Path, typed: &Path, open_as: OpenAs) -> Result<Connection> {
    check_version()?;
    place::prepare(path, typed, open_as)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let at = |e: Error| Error::new(e.kind(), format!("{}", typed.display())).because(e);
    let connection = Connection::open_with_flags(path, flags).map_err(failed).map_err(at)?;
    connection.busy_timeout(BUSY).map_err(failed)?;
    // Settling changes the file's header: not one of somebody else.
    migrate::refuse_foreign(&connection).map_err(at)?;
    settle_connection(&connection).map_err(at)?;
    // The first read opens the log's index.
    migrate::refuse_foreign(&connection).map_err(at)?;
    Ok(connection)
}

/// Brings the schema up to date, or refuses another one.
pub(super) fn settle_schema(connection: &mut Connection, path: &Path, typed: &Path, open_as: OpenAs) -> Result<()> {
    let settled = match open_as {
        OpenAs::Owner => migrate::migrate(connection, Some(path)),
        OpenAs::Guest => migrate::check(connection),
    };
    settled.map_err(|e: Error| Error::new(e.kind(), format!("{}", typed.display())).because(e))
}

/// A connection for queries alone.
pub(super) fn reader(typed: &Path) -> Result<Connection> {
    let path = &place::resolve(typed)?;
    let at = |e: Error| Error::new(e.kind(), format!("{}", typed.display())).because(e);
    place::look(path, typed)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed).map_err(at)?;
    connection.busy_timeout(BUSY).map_err(failed)?;
    connection.set_prepared_statement_cache_capacity(64);
    migrate::check(&connection).map_err(at)?;
    Ok(connection)
}

/// What a look at a file's pages found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checked {
    /// No damage.
    Whole,
    /// No damage so far; there was no time for all of it.
    Unfinished,
    /// Damage, as SQLite names it.
    Damaged(String),
}

/// Looks the file over for damage, at most so long.
///
/// # Errors
/// If the file cannot be looked at, which says nothing about it.
pub fn quick_check(path: &Path, at_most: Duration) -> Result<Checked> {
    let connection = reader(path)?;
    let handle = connection.get_interrupt_handle();
    let (done, ended) = std::sync::mpsc::channel::<()>();
    let timer = std::thread::spawn(move || {
        if ended.recv_timeout(at_most).is_err_and(|e| e == std::sync::mpsc::RecvTimeoutError::Timeout) {
            handle.interrupt();
        }
    });
    let checked: rusqlite::Result<String> = connection.query_row("pragma quick_check(1)", [], |r| r.get(0));
    drop(done);
    // It ends by itself; a panic in it has nothing to say about the file.
    let _ = timer.join();
    use rusqlite::ErrorCode::{DatabaseCorrupt, OperationInterrupted};
    match checked {
        Ok(word) if word == "ok" => Ok(Checked::Whole),
        Ok(damage) => Ok(Checked::Damaged(damage)),
        Err(e) if e.sqlite_error_code() == Some(OperationInterrupted) => Ok(Checked::Unfinished),
        Err(e) if e.sqlite_error_code() == Some(DatabaseCorrupt) => Ok(Checked::Damaged(e.to_string())),
        Err(e) => Err(failed(e)),
    }
}

pub(super) fn settle_connection(connection: &Connection) -> Result<()> {
    connection.busy_timeout(BUSY).map_err(failed)?;
    connection.set_prepared_statement_cache_capacity(256);
    let pragmas = format!(
        "pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = on; pragma temp_store = memory;
         pragma wal_autocheckpoint = {CHECKPOINT_PAGES}; pragma journal_size_limit = {JOURNAL_BYTES};
         pragma cache_size = -65536; pragma trusted_schema = off;"
    );
    connection.execute_batch(&pragmas).map_err(failed)?;
    // A reader with group rights then opens the store although nobody else has it open.
    connection
        .set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
        .map(drop)
        .map_err(failed)
}
