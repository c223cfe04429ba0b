//! What disk and database give: nothing durable on top of them can be faster.

use std::fs::OpenOptions;
use std::io::{Seek, SeekFrom, Write};
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};

use crate::Effort;
use crate::figure::{Aim, Report, Round, Watch};
use crate::place::Place;

/// Bytes of a synced write: one page of the write-ahead log.
const PAGE: usize = 4096;

/// The same that the product has.
pub(crate) fn sqlite_version() -> &'static str {
    rusqlite::version()
}

pub(crate) fn measure(report: &mut Report, effort: Effort) -> anyhow::Result<()> {
    report.times("one page written and synced", syncs(effort)?, Aim::None, Aim::None);
    for group in [1, 100, 1_000] {
        report.rate(format!("SQLite, unique rows, {group} a commit"), inserts(effort, group)?, Aim::None);
    }
    Ok(())
}

fn syncs(effort: Effort) -> anyhow::Result<Vec<Duration>> {
    let place = Place::new()?;
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).open(place.file("page"))?;
    let page = [7; PAGE];
    let mut took = vec![];
    for _ in 0..effort.samples {
        let began = Instant::now();
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&page)?;
        file.sync_data()?;
        took.push(began.elapsed());
    }
    Ok(took)
}

fn inserts(effort: Effort, group: u64) -> anyhow::Result<Vec<Round>> {
    let place = Place::new()?;
    let mut connection = Connection::open(place.store())?;
    connection.execute_batch(
        "pragma journal_mode = wal; pragma synchronous = full; pragma wal_autocheckpoint = 8000; pragma cache_size = -65536;
         create table t (id integer primary key, key text not null unique, args text not null) strict;",
    )?;
    let (mut next, mut rates) = (0u64, vec![]);
    for _ in 0..effort.rounds {
        let (watch, first) = (Watch::start(), next);
        while watch.elapsed() < Duration::from_millis(effort.round_ms) {
            let transaction = connection.transaction()?;
            for _ in 0..group {
                let (key, args) = (format!("wallet-{next:09}"), format!(r#"{{"wallet":"wallet-{next:09}"}}"#));
                transaction.prepare_cached("insert into t (key, args) values (?1, ?2)")?.execute(params![key, args])?;
                next += 1;
            }
            transaction.commit()?;
        }
        rates.push(watch.stop(next - first));
    }
    Ok(rates)
}
