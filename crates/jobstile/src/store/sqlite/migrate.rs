//! The schema's versions: ordered files with checksums, forward only.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use sha2::{Digest, Sha256};

use super::row::failed;
use crate::error::{Error, Kind, Result};

const MIGRATIONS: [&str; 2] = [include_str!("migrations/0001_first.sql"), include_str!("migrations/0002_answers.sql")];

/// The schema that this program writes.
pub const SCHEMA: usize = MIGRATIONS.len();

/// The statements of every schema, oldest first.
#[must_use]
pub fn migrations() -> &'static [&'static str] {
    &MIGRATIONS
}

/// Brings the schema up to date. A file that has an older one is copied first, as `<file>.schema-<n>.backup`.
pub(super) fn migrate(connection: &mut Connection, path: Option<&Path>) -> Result<()> {
    let have = applied(connection)?;
    if have == SCHEMA {
        return check(connection);
    }
    if have > SCHEMA {
        return Err(newer(have));
    }
    if have > 0
        && let Some(path) = path
    {
        let mut copy = path.as_os_str().to_owned();
        copy.push(format!(".schema-{have}.backup"));
        keep(connection, Path::new(&copy))?;
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    // Another process may have been faster.
    refuse_foreign(&transaction)?;
    let have = applied(&transaction)?;
    if have == 0 {
        transaction
            .execute_batch(
                "create table migration (version integer primary key, checksum text not null, applied_at integer not null) strict",
            )
            .map_err(failed)?;
        transaction.pragma_update(None, "application_id", APPLICATION).map_err(failed)?;
    }
    for (at, sql) in MIGRATIONS.iter().enumerate().skip(have) {
        transaction.execute_batch(sql).map_err(failed)?;
        transaction
            .execute(
                "insert into migration values (?1, ?2, unixepoch() * 1000000)",
                rusqlite::params![at + 1, checksum(sql)],
            )
            .map_err(failed)?;
    }
    transaction.commit().map_err(failed)
}

// Arguments and output are in the copy: nobody but its owner may read it.
fn keep(connection: &Connection, copy: &Path) -> Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let failed = |e| Error::new(Kind::Store, format!("cannot write {}", copy.display())).because(e);
    match std::fs::remove_file(copy) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(failed(e)),
        _ => {}
    }
    std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(copy).map_err(failed)?;
    backup(connection, copy)
}

/// «JOBS» in SQLite's header, so that `file` and others can tell.
const APPLICATION: i32 = 0x4a4f_4253;

/// Refuses a database that another program has made; an empty one is nobody's.
pub(super) fn refuse_foreign(connection: &Connection) -> Result<()> {
    let by: i32 = connection.pragma_query_value(None, "application_id", |r| r.get(0)).map_err(failed)?;
    if by == APPLICATION {
        return Ok(());
    }
    let tables: i64 = connection
        .query_row("select count(*) from sqlite_schema where name not like 'sqlite_%'", [], |r| r.get(0))
        .map_err(failed)?;
    match tables {
        0 => Ok(()),
        _ => Err(Error::new(Kind::Store, "the file is a database of another program; nothing was changed")),
    }
}

/// Refuses a schema that is not the one this program knows.
pub(super) fn check(connection: &Connection) -> Result<()> {
    refuse_foreign(connection)?;
    let have = applied(connection)?;
    if have > SCHEMA {
        return Err(newer(have));
    }
    if have < SCHEMA {
        let what = if have == 0 {
            "no Jobstile has written this file yet".to_owned()
        } else {
            format!("the store has schema {have}, this program needs {SCHEMA}: run jobstile migrate")
        };
        return Err(Error::new(Kind::Store, what));
    }
    for (at, sql) in MIGRATIONS.iter().enumerate() {
        let written: String = connection
            .query_row("select checksum from migration where version = ?1", [at + 1], |r| r.get(0))
            .map_err(failed)?;
        if written != checksum(sql) {
            let what = format!("schema {} of the store is not the one that this program knows", at + 1);
            return Err(Error::new(Kind::Store, what));
        }
    }
    Ok(())
}

fn newer(have: usize) -> Error {
    let what = format!("the store was written by a newer Jobstile: schema {have}, this program knows up to {SCHEMA}");
    Error::new(Kind::Newer, what)
}

fn applied(connection: &Connection) -> Result<usize> {
    let table: Option<i64> = connection
        .query_row("select 1 from sqlite_schema where name = 'migration'", [], |r| r.get(0))
        .optional()
        .map_err(failed)?;
    if table.is_none() {
        return Ok(0);
    }
    connection.query_row("select coalesce(max(version), 0) from migration", [], |r| r.get(0)).map_err(failed)
}

fn checksum(sql: &str) -> String {
    Sha256::digest(sql.as_bytes()).iter().map(|b| format!("{b:02x}")).collect()
}

/// Copies a store that is in use into a file.
pub(super) fn backup(from: &Connection, to: &Path) -> Result<()> {
    let mut copy = Connection::open(to).map_err(failed)?;
    let backup = rusqlite::backup::Backup::new(from, &mut copy).map_err(failed)?;
    backup.run_to_completion(1_000, std::time::Duration::ZERO, None).map_err(failed)
}
