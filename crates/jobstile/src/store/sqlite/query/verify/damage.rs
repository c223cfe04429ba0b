//! What no statement can see: texts and words that this program cannot read. Each harms only what it is about.

use std::str::FromStr;

use jobstile_core::decide::{Code, Decision};
use jobstile_core::outcome::Outcome;
use jobstile_core::policy::Priority;
use jobstile_core::run::State;
use jobstile_core::trigger::Source;
use rusqlite::{Connection, Row};

use crate::error::Result;
use crate::store::numbers::Numbers;
use crate::store::read::Violation;
use crate::store::sqlite::row::failed;
use crate::store::wire;

pub(super) const POLICIES: &str = "policies_can_be_read";
pub(super) const NUMBERS: &str = "numbers_can_be_read";
pub(super) const WORDS: &str = "words_are_known";

type Known = fn(&str) -> bool;

/// Columns with a closed set of words.
const COLUMNS: [(&str, &str, &str, Known); 9] = [
    ("run", "id", "state", known::<State>),
    ("run", "id", "priority", known::<Priority>),
    ("run", "id", "source", known::<Source>),
    ("run", "id", "code", known::<Code>),
    ("refusal", "id", "source", known::<Source>),
    ("refusal", "id", "decision", known::<Decision>),
    ("refusal", "id", "code", known::<Code>),
    ("refusal", "id", "priority", known::<Priority>),
    ("attempt", "run", "outcome", known::<Outcome>),
];

fn known<T: FromStr>(word: &str) -> bool {
    word.parse::<T>().is_ok()
}

pub(super) fn look(connection: &Connection) -> Result<Vec<Violation>> {
    let mut found = Vec::new();
    each(connection, "select name, policy from job where policy is not null order by name", |row| {
        let (job, text): (String, String) = (row.get(0)?, row.get(1)?);
        if let Err(error) = wire::read(&job, &text) {
            let demands = "policies can be read; a job whose policy cannot does not run";
            found.push(Violation { check: POLICIES, demands, found: error.to_string() });
        }
        Ok(())
    })?;
    let numbers = "select coalesce(job.name, stat.job), hour, numbers from stat left join job on job.id = stat.job";
    each(connection, numbers, |row| {
        if Numbers::read(&row.get::<_, String>(2)?).is_err() {
            let says = format!("numbers of {} in hour {} since 1970", row.get::<_, String>(0)?, row.get::<_, i64>(1)?);
            found.push(Violation { check: NUMBERS, demands: "numbers can be read", found: says });
        }
        Ok(())
    })?;
    for (table, id, column, is_known) in COLUMNS {
        let sql = format!("select {column}, min({id}), count(*) from {table} where {column} is not null group by 1");
        each(connection, &sql, |row| {
            let (word, id, count): (String, i64, u64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            if !is_known(&word) {
                let says = format!("{table} {id} has the {column} {word:?} (as {count} rows have)");
                found.push(Violation { check: WORDS, demands: "words are ones that this program knows", found: says });
            }
            Ok(())
        })?;
    }
    Ok(found)
}

fn each(connection: &Connection, sql: &str, mut one: impl FnMut(&Row<'_>) -> rusqlite::Result<()>) -> Result<()> {
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        one(row).map_err(failed)?;
    }
    Ok(())
}
