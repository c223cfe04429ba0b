//! The plan of every statement: none reads a whole table that grows with history or backlog, but for those named here.

use std::collections::BTreeSet;
use std::path::Path;

use rusqlite::Connection;

use super::{migrate, open};

/// Statements that may read a whole table, and why.
const MAY_SCAN: &[(&str, &str, &str)] =
    &[("prune_stats.sql", "stat", "a row a job and hour for 30 days, looked at once in a while")];

/// Tables that grow.
const GROWING: [&str; 6] = ["run", "refusal", "attempt", "slot", "output", "stat"];

fn statements() -> Vec<(String, String)> {
    fn walk(root: &Path, folder: &Path, found: &mut Vec<(String, String)>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(root, &path, found);
            } else {
                let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
                found.push((name, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/sqlite/sql");
    let mut found = vec![];
    walk(&root, &root, &mut found);
    found.sort();
    found
}

/// The tables that a statement reads whole.
fn scans(connection: &Connection, sql: &str) -> rusqlite::Result<BTreeSet<String>> {
    let mut statement = connection.prepare(&format!("explain query plan {sql}"))?;
    let values = vec![rusqlite::types::Value::Null; statement.parameter_count()];
    let details = statement.query_map(rusqlite::params_from_iter(values), |row| row.get::<_, String>(3))?;
    let aliases = aliases(sql);
    let mut scanned = BTreeSet::new();
    for detail in details {
        let detail = detail?;
        let Some(rest) = detail.strip_prefix("SCAN ") else { continue };
        let name = rest.split(' ').next().unwrap_or_default();
        let table = aliases.iter().find(|(alias, _)| alias == name).map_or(name, |(_, table)| table);
        // A partial index holds what is live, not what is past; one over everything is as long as the table.
        let partial = ["run_running", "run_asked", "run_due", "run_waits", "run_ready", "slot_free", "slot_held"];
        if GROWING.contains(&table) && !partial.iter().any(|index| detail.ends_with(&format!("INDEX {index}"))) {
            scanned.insert(table.to_owned());
        }
    }
    Ok(scanned)
}

fn aliases(sql: &str) -> Vec<(String, String)> {
    let words: Vec<&str> = sql.split_whitespace().map(|word| word.trim_matches([',', '(', ')'])).collect();
    words
        .windows(2)
        .filter(|pair| {
            GROWING.contains(&pair[0]) && !["indexed", "join", "where", "set", "on", "as"].contains(&pair[1])
        })
        .map(|pair| (pair[1].to_owned(), pair[0].to_owned()))
        .collect()
}

fn store() -> Connection {
    let mut connection = Connection::open_in_memory().unwrap();
    open::settle_connection(&connection).unwrap();
    migrate::migrate(&mut connection, None).unwrap();
    connection
}

#[test]
fn no_statement_reads_a_whole_table_that_grows() {
    let connection = store();
    let statements = statements();
    assert!(statements.len() > 80, "only {} statements: the walk is wrong", statements.len());
    let mut found = vec![];
    // A verification reads everything: that is what it is for.
    for (name, sql) in statements.iter().filter(|(name, _)| !name.starts_with("verify/")) {
        let scanned = scans(&connection, sql).unwrap_or_else(|error| panic!("{name}: {error}"));
        let allowed: BTreeSet<String> =
            MAY_SCAN.iter().filter(|(file, _, _)| file == name).map(|(_, table, _)| (*table).to_owned()).collect();
        if scanned != allowed {
            found.push(format!("{name}: reads all of {scanned:?}, allowed is {allowed:?}"));
        }
    }
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn a_scan_is_seen() {
    let connection = store();
    let scans = |sql| scans(&connection, sql).unwrap().into_iter().collect::<Vec<_>>();
    assert_eq!(scans("select id from run where by_whom = ?1"), ["run"]);
    assert_eq!(scans("select r.id from run r where r.by_whom = ?1"), ["run"]);
    assert_eq!(scans("select id from refusal order by first_at"), ["refusal"]);
    assert_eq!(scans("select id from run where id = ?1"), [""; 0]);
    assert_eq!(scans("select id from run indexed by run_running where node is not null order by node"), [""; 0]);
}
