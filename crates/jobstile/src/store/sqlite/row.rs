//! Rows as Rust values, and SQLite's errors as ours.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use jobstile_core::decide::{Tally, Target};
use jobstile_core::id::{Fence, JobId, RunId, Version};
use jobstile_core::identity::{Identity, Kin};
use jobstile_core::policy::{Priority, Switches};
use jobstile_core::run::State;
use jobstile_core::time::Time;
use jobstile_core::trigger::Source;
use rusqlite::types::Type;
use rusqlite::{ErrorCode, Row};

use crate::error::{Error, Kind};
use crate::fact::Decided;
use crate::store::{FirstAnswer, JobRow, NodeRow, RunRow};

/// A failure of SQLite, with its kind.
pub(crate) fn failed(error: rusqlite::Error) -> Error {
    let (kind, what) = match error.sqlite_error_code() {
        Some(ErrorCode::ConstraintViolation) => (Kind::Invariant, "the store refused a write that breaks a promise"),
        Some(ErrorCode::DiskFull) => (Kind::Full, "the disk is full: nothing was written"),
        Some(ErrorCode::SystemIoFailure) => (Kind::Store, "the disk does not read or write (is it full?)"),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => (Kind::NotAllowed, "the store may not be written"),
        Some(ErrorCode::CannotOpen) => (Kind::Store, "the store's file cannot be opened"),
        Some(ErrorCode::DatabaseCorrupt) => (Kind::Store, "the store's file is damaged (restore a backup)"),
        Some(ErrorCode::NotADatabase) => (Kind::Store, "the file is no SQLite database"),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            (Kind::Store, "the store is locked by another program")
        }
        _ => (Kind::Store, "the store failed"),
    };
    Error::new(kind, what).because(error)
}

/// A state's spelling.
pub(super) fn word(state: State) -> &'static str {
    state.as_str()
}

pub(super) fn parsed<T: FromStr>(row: &Row<'_>, at: usize) -> rusqlite::Result<T>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    let text = row.get_ref(at)?.as_str()?;
    text.parse().map_err(|e| rusqlite::Error::FromSqlConversionFailure(at, Type::Text, Box::new(e)))
}

pub(super) fn maybe_parsed<T: FromStr>(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<T>>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    match row.get_ref(at)?.as_str_or_null()? {
        None => Ok(None),
        Some(text) => {
            text.parse().map(Some).map_err(|e| rusqlite::Error::FromSqlConversionFailure(at, Type::Text, Box::new(e)))
        }
    }
}

/// A word that somebody else may have written: an unknown one is the usual one, and `verify` names it.
fn known<T: FromStr>(row: &Row<'_>, at: usize, usual: T) -> rusqlite::Result<T> {
    Ok(row.get_ref(at)?.as_str()?.parse().unwrap_or(usual))
}

fn time(row: &Row<'_>, at: usize) -> rusqlite::Result<Time> {
    row.get(at).map(Time)
}

pub(super) fn maybe_time(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<Time>> {
    Ok(row.get::<_, Option<i64>>(at)?.map(Time))
}

pub(super) fn text<T: From<Arc<str>>>(row: &Row<'_>, at: usize) -> rusqlite::Result<T> {
    row.get::<_, Arc<str>>(at).map(T::from)
}

pub(super) fn maybe_text<T: From<Arc<str>>>(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<T>> {
    Ok(row.get::<_, Option<Arc<str>>>(at)?.map(T::from))
}

pub(super) fn job_id(row: &Row<'_>) -> rusqlite::Result<JobId> {
    row.get(0).map(JobId)
}

pub(super) fn run_id(row: &Row<'_>) -> rusqlite::Result<RunId> {
    row.get(0).map(RunId)
}

pub(super) fn run_id_at(row: &Row<'_>, at: usize) -> rusqlite::Result<RunId> {
    row.get(at).map(RunId)
}

/// Four counts in a row.
pub(super) fn tally(row: &Row<'_>, at: usize) -> rusqlite::Result<Tally> {
    Ok(Tally {
        scheduled: row.get(at)?,
        queued: row.get(at + 1)?,
        running: row.get(at + 2)?,
        retrying: row.get(at + 3)?,
    })
}

pub(super) fn switches(row: &Row<'_>) -> rusqlite::Result<Switches> {
    Ok(Switches { deduplication: row.get(0)?, aggressive: row.get(1)?, stacking_prevention: row.get(2)? })
}

pub(super) fn target(row: &Row<'_>) -> rusqlite::Result<Target> {
    Ok(Target {
        run: RunId(row.get(0)?),
        state: parsed(row, 1)?,
        started: row.get(2)?,
        priority: known(row, 3, Priority::Normal)?,
    })
}

pub(super) fn job(row: &Row<'_>) -> rusqlite::Result<JobRow> {
    Ok(JobRow {
        id: job_id(row)?,
        name: row.get(1)?,
        policy: row.get(2)?,
        owner: row.get(3)?,
        version: Version(row.get(4)?),
        origins: row.get(5)?,
        next_at: maybe_time(row, 6)?,
        last_at: maybe_time(row, 7)?,
        paused_at: maybe_time(row, 8)?,
        paused_until: maybe_time(row, 9)?,
    })
}

pub(super) fn run(row: &Row<'_>) -> rusqlite::Result<RunRow> {
    Ok(RunRow {
        id: RunId(row.get(0)?),
        job: JobId(row.get(1)?),
        state: parsed(row, 2)?,
        key: text(row, 3)?,
        identity: identity(row)?,
        in_line: row.get(6)?,
        priority: known(row, 7, Priority::Normal)?,
        rank: row.get(8)?,
        admitted_at: time(row, 9)?,
        first_due: time(row, 10)?,
        due: time(row, 11)?,
        args: row.get(12)?,
        source: known(row, 13, Source::Cli)?,
        trigger_id: maybe_text(row, 14)?,
        nominal: maybe_time(row, 15)?,
        by_whom: row.get(16)?,
        rerun_of: row.get::<_, Option<i64>>(17)?.map(RunId),
        version: Version(row.get(18)?),
        waits_on: row.get(19)?,
        claims: row.get(20)?,
        failures: row.get(21)?,
        lost: row.get(22)?,
        fence: Fence(row.get(23)?),
        node: maybe_text(row, 24)?,
        claimed_at: maybe_time(row, 25)?,
        cancel_at: maybe_time(row, 26)?,
        cancel_by: row.get(27)?,
        ended_at: maybe_time(row, 28)?,
        code: row.get_ref(29)?.as_str_or_null()?.and_then(|text| text.parse().ok()),
        by_run: row.get::<_, Option<i64>>(30)?.map(RunId),
        delay: row.get::<_, Option<u64>>(32)?.map(Duration::from_micros),
    })
}

// Columns of `run`: keyed, target, deduped.
fn identity(row: &Row<'_>) -> rusqlite::Result<Identity> {
    let (keyed, target, deduped): (bool, bool, bool) = (row.get(4)?, row.get(5)?, row.get(31)?);
    let scheduled = row.get_ref(2)?.as_str()? == State::Scheduled.as_str();
    Ok(match (keyed, target, deduped && scheduled) {
        (false, _, _) => Identity::Unkeyed,
        (true, true, _) => Identity::Target,
        (true, false, true) => Identity::Later,
        (true, false, false) => Identity::Keyed,
    })
}

pub(super) fn kin(row: &Row<'_>) -> rusqlite::Result<Kin> {
    Ok(Kin {
        run: RunId(row.get(0)?),
        first_due: time(row, 1)?,
        state: parsed(row, 2)?,
        started: row.get(3)?,
        asked_to_end: row.get(4)?,
    })
}

pub(super) fn first_answer(row: &Row<'_>) -> rusqlite::Result<FirstAnswer> {
    Ok(FirstAnswer {
        at: time(row, 0)?,
        args: row.get(1)?,
        decision: parsed(row, 2)?,
        code: parsed(row, 3)?,
        run: row.get::<_, Option<i64>>(4)?.map(RunId),
        by: row.get::<_, i64>(5).map(|id| (id > 0).then_some(RunId(id)))?,
    })
}

pub(super) fn node(row: &Row<'_>) -> rusqlite::Result<NodeRow> {
    Ok(NodeRow {
        id: text(row, 0)?,
        name: row.get(1)?,
        kind: row.get(2)?,
        host: row.get(3)?,
        pid: row.get(4)?,
        user: row.get(5)?,
        program: row.get(6)?,
        dir: row.get(7)?,
        workers: row.get(8)?,
        boot_id: row.get(9)?,
        lock_uid: row.get(10)?,
    })
}

pub(super) fn news(row: &Row<'_>) -> rusqlite::Result<(Decided, String)> {
    let fact = Decided {
        at: time(row, 0)?,
        job: row.get(1)?,
        source: parsed(row, 2)?,
        decision: parsed(row, 3)?,
        code: parsed(row, 4)?,
        run: row.get::<_, Option<i64>>(5)?.map(RunId),
        by: row.get::<_, i64>(6).map(|id| (id > 0).then_some(RunId(id)))?,
        count: row.get(7)?,
        replayed: false,
        aggressive: false,
        later: row.get(8)?,
        waiting: row.get(9)?,
        running: row.get(10)?,
    };
    Ok((fact, row.get(11)?))
}
