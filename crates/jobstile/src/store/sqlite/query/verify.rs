//! The promises, checked by SQL: each statement under `sql/verify/` finds nothing in a store that keeps them.

mod damage;

use std::collections::BTreeSet;
use std::sync::OnceLock;

use rusqlite::Connection;

use super::Reader;
use crate::error::Result;
use crate::store::read::Violation;
use crate::store::sqlite::migrate;
use crate::store::sqlite::row::failed;

const SCHEMA: &str = "the_schema_is_whole";

struct Check {
    name: &'static str,
    demands: &'static str,
    sql: &'static str,
}

macro_rules! checks {
    ($($name:ident: $demands:literal,)+) => {
        const CHECKS: &[Check] = &[$(Check {
            name: stringify!($name),
            demands: $demands,
            sql: include_str!(concat!("../sql/verify/", stringify!($name), ".sql")),
        }),+];
    };
}

checks! {
    slots_are_held_by_running_runs: "a slot is free, or held by a running run of its job and its fence",
    running_runs_hold_their_slot: "a running run of a limited job holds a slot of it",
    limits_have_their_slots: "a limit has as many slots as its policy says; those beyond are held, and go with their holders",
    tally_counts_the_runs: "the tally of a job is the count of its live runs",
    targets_are_unique_and_take_a_place: "one run of a key is the target, and it is queued, retrying or running",
    nobody_waits_beside_a_free_slot: "no run waits for a slot that is free, unless a ready run can take it",
    what_is_waited_for_is_there: "a run waits for the limit of its own job",
    claims_are_attempts: "every claim of a run is an attempt: ended, or running now",
    fences_grow: "every claim of a run has a greater fence than the one before",
    numbers_were_given_out: "no run, decision, fence or version has a number that is yet to be given",
    a_state_and_its_columns_agree: "a run's place, end, node and counts say what its state says",
    an_end_says_why: "a run that ended without success says why, and by whom where a run was in its way",
    a_skip_names_a_run: "a skip for a duplicate or for want of a place names a run",
    a_trigger_has_one_decision: "a trigger became a run or was refused, not both",
    an_instant_is_its_trigger_id: "an instant of a schedule is decided once",
    runs_are_of_living_nodes: "a running run is of a node that has not ended",
    a_cursor_is_of_a_schedule: "only a schedule that is on has a next instant, after the last one",
    output_is_of_an_attempt: "output is of an attempt that is there",
    jobs_have_their_tally: "every job has its tally, and the store its numbers",
    rows_refer_to_rows: "no row refers to one that is not there",
}

/// What the promises find broken, by check; nothing in a good store.
pub(in crate::store::sqlite) fn verify(connection: &Connection) -> Result<Vec<Violation>> {
    let mut violations = Vec::new();
    for check in CHECKS {
        let mut statement = connection.prepare_cached(check.sql).map_err(failed)?;
        let found = statement.query_map([], |row| row.get::<_, String>(0)).map_err(failed)?;
        for found in found {
            let found = found.map_err(failed)?;
            violations.push(Violation { check: check.name, demands: check.demands, found });
        }
    }
    violations.extend(damage::look(connection)?);
    violations.extend(missing(connection)?);
    Ok(violations)
}

// The promises are in the schema first: a table, column, index or trigger that is not there keeps none.
fn missing(connection: &Connection) -> Result<Vec<Violation>> {
    static WHOLE: OnceLock<BTreeSet<String>> = OnceLock::new();
    let whole = match WHOLE.get() {
        Some(whole) => whole,
        None => {
            let mut fresh = Connection::open_in_memory().map_err(failed)?;
            migrate::migrate(&mut fresh, None)?;
            let names = schema(&fresh)?;
            WHOLE.get_or_init(|| names)
        }
    };
    let here = schema(connection)?;
    let demands = "every table, column, index and trigger of the schema is there";
    Ok(whole.difference(&here).map(|found| Violation { check: SCHEMA, demands, found: found.clone() }).collect())
}

fn schema(connection: &Connection) -> Result<BTreeSet<String>> {
    let mut statement = connection.prepare_cached(include_str!("../sql/query/schema.sql")).map_err(failed)?;
    let names = statement.query_map([], |row| row.get(0)).map_err(failed)?;
    names.collect::<rusqlite::Result<_>>().map_err(failed)
}

impl Reader {
    pub(crate) fn verify(&self) -> Result<Vec<Violation>> {
        self.at_once(|reader| verify(&reader.connection))
    }
}

#[cfg(test)]
mod tests {
    use super::damage::{NUMBERS, POLICIES, WORDS};
    use super::*;
    use crate::store::sqlite::open;

    const GOOD: &str = "
        pragma ignore_check_constraints = on;
        pragma foreign_keys = off;
        insert into job (id, name, policy, owner, version, origins, next_at, last_at) values
            (1, 'a', '{\"monitoring\":false,\"dedup\":null,\"max_concurrent\":2,\"max_waiting\":0,\"on_full\":null,\"priority\":\"normal\",
                \"attempts\":1,\"backoff\":[1,2.0,3],\"timeout_us\":1,\"schedule\":{\"every_us\":5,\"first\":\"now\",\"catch_up\":\"none\"},
                \"enabled\":true,\"args\":null}', 'o', 1, '{}', 20, 10),
            (2, 'b', null, null, 1, '{}', null, null);
        update job set owner = 'o', policy = (
            select json_set(policy, '$.max_concurrent', null, '$.schedule', null) from job where id = 1) where id = 2;
        insert into tally values (1, 1, 1, 1, 1), (2, 0, 0, 1, 0);
        update store set next_run = 20, next_refusal = 20, next_fence = 20, next_version = 2;
        insert into node (id, name, kind, host, pid, user, program, dir, workers, busy, started_at, seen_at, ended_at, end_reason)
            values ('n', 'web1', 'daemon', 'web1', 1, 'u', 'p', '/d', 4, 1, 1, 1, null, null);
        insert into slot values (1, 0, 1, 5), (1, 1, null, null);
    ";

    /// A run with the columns that matter; the others are as its state demands.
    fn run(id: i64, job: i64, state: &str, claims: i64, failures: i64, fence: i64) -> String {
        let is = |states: &[&str]| i64::from(states.contains(&state));
        let place = is(&["queued", "running", "retrying"]);
        let (node, claimed) = if state == "running" { ("'n'", "1") } else { ("null", "null") };
        let (ended, code) = match state {
            "succeeded" => ("9", "null"),
            "dead" => ("9", "'attempts_used_up'"),
            "cancelled" => ("9", "'cancelled_by_hand'"),
            _ => ("null", "null"),
        };
        format!(
            "insert into run (id, job, state, key, keyed, deduped, target, lineage, place, priority, rank, admitted_at, first_due, due,
                source, by_whom, version, claims, failures, lost, fence, node, claimed_at, ended_at, code)
             values ({id}, {job}, '{state}', 'k{id}', 1, 1, {place}, 0, {place}, 'normal', 0, 1, 1, 1, 'cli', 'u', 1, {claims}, {failures}, 0,
                {fence}, {node}, {claimed}, {ended}, {code});"
        )
    }

    fn attempt(run: i64, n: i64, fence: i64, outcome: &str) -> String {
        format!(
            "insert into attempt (run, n, fence, node, claimed_at, ended_at, outcome)
             values ({run}, {n}, {fence}, 'n', 1, 2, '{outcome}');"
        )
    }

    fn found(planted: &str) -> Vec<Violation> {
        let mut connection = Connection::open_in_memory().unwrap();
        open::settle_connection(&connection).unwrap();
        migrate::migrate(&mut connection, None).unwrap();
        let rows = [
            run(1, 1, "running", 2, 1, 5),
            attempt(1, 1, 2, "failure"),
            run(2, 1, "queued", 0, 0, 0),
            run(3, 1, "retrying", 1, 1, 3),
            attempt(3, 1, 3, "timeout"),
            run(4, 1, "scheduled", 0, 0, 0),
            run(5, 1, "succeeded", 1, 0, 4),
            attempt(5, 1, 4, "success"),
            run(6, 1, "dead", 1, 1, 6),
            attempt(6, 1, 6, "failure"),
            run(7, 1, "cancelled", 0, 0, 0),
            run(8, 2, "running", 1, 0, 7),
            "insert into output values (5, 1, x'41', x'', 0);".into(),
            "insert into refusal (id, job, job_name, source, decision, code, key, by_run, minute, trigger_id, nominal, args,
                priority, by_whom, version, first_at, last_at, count) values (1, 1, 'a', 'cli', 'skipped', 'duplicate_running', 'k', 1, null, 't', null, null,
                'normal', 'u', 1, 1, 1, 1);"
                .into(),
        ];
        connection.execute_batch(GOOD).unwrap();
        connection.execute_batch(&rows.concat()).unwrap();
        connection.execute_batch(planted).unwrap_or_else(|error| panic!("{planted}: {error}"));
        verify(&connection).unwrap()
    }

    #[test]
    fn a_good_store_keeps_every_promise() {
        assert_eq!(found(""), []);
    }

    #[test]
    fn each_check_finds_what_it_is_for() {
        let planted: &[(&str, &str)] = &[
            ("slots_are_held_by_running_runs", "update slot set run = 2, fence = 9 where n = 1"),
            ("slots_are_held_by_running_runs", "update slot set fence = 4 where n = 0"),
            ("slots_are_held_by_running_runs", "update slot set run = 99, fence = 9 where n = 1"),
            ("slots_are_held_by_running_runs", "update slot set run = 8, fence = 7 where n = 1"),
            ("running_runs_hold_their_slot", "update slot set run = null, fence = null"),
            ("limits_have_their_slots", "delete from slot where n = 1"),
            ("limits_have_their_slots", "insert into slot values (1, 2, null, null)"),
            ("limits_have_their_slots", "insert into slot values (2, 0, null, null)"),
            ("tally_counts_the_runs", "update tally set retrying = 2 where job = 1"),
            ("tally_counts_the_runs", "update run set state = 'queued', waits_on = null where id = 4"),
            ("targets_are_unique_and_take_a_place", "update run set target = 1 where id = 5"),
            ("targets_are_unique_and_take_a_place", "drop index run_target; update run set key = 'k1' where id = 3"),
            ("nobody_waits_beside_a_free_slot", "update run set waits_on = 'limit:1' where id = 2"),
            ("what_is_waited_for_is_there", "update run set waits_on = 'limit:2' where id = 2"),
            ("claims_are_attempts", "delete from attempt where run = 3"),
            ("claims_are_attempts", "update run set failures = 2 where id = 3"),
            ("claims_are_attempts", "update attempt set outcome = 'lost' where run = 6"),
            ("fences_grow", "update run set fence = 1 where id = 5"),
            ("fences_grow", "update attempt set fence = 5 where run = 1"),
            ("numbers_were_given_out", "update store set next_run = 8"),
            ("numbers_were_given_out", "update store set next_fence = 7"),
            ("numbers_were_given_out", "update store set next_refusal = 1"),
            ("numbers_were_given_out", "update refusal set by_run = 20"),
            ("a_state_and_its_columns_agree", "update run set place = 0, target = 0 where id = 2"),
            ("a_state_and_its_columns_agree", "update run set ended_at = null where id = 6"),
            ("a_state_and_its_columns_agree", "update run set node = 'n' where id = 2"),
            ("a_state_and_its_columns_agree", "update run set claimed_at = null where id = 8"),
            ("an_end_says_why", "update run set code = null where id = 6"),
            ("an_end_says_why", "update run set code = 'superseded' where id = 7"),
            ("a_skip_names_a_run", "update refusal set by_run = 0"),
            ("a_trigger_has_one_decision", "update run set trigger_id = 't' where id = 2"),
            ("an_instant_is_its_trigger_id", "update run set trigger_id = '@4', nominal = 5 where id = 2"),
            ("an_instant_is_its_trigger_id", "update refusal set nominal = 5"),
            ("runs_are_of_living_nodes", "update node set ended_at = 5"),
            ("runs_are_of_living_nodes", "update run set node = 'm' where id = 8"),
            ("a_cursor_is_of_a_schedule", "update job set next_at = 5 where id = 2"),
            ("a_cursor_is_of_a_schedule", "update job set last_at = 20 where id = 1"),
            ("output_is_of_an_attempt", "insert into output values (5, 2, x'', x'', 0)"),
            ("jobs_have_their_tally", "delete from tally where job = 2"),
            ("jobs_have_their_tally", "delete from store"),
            (SCHEMA, "drop index run_target"),
            (SCHEMA, "alter table store drop column secret"),
            ("rows_refer_to_rows", "insert into stat values (77, 1, '{}')"),
            (WORDS, "update run set priority = 'hihg' where id = 2"),
            (WORDS, "update run set source = 'nowhere' where id = 2"),
            (WORDS, "update run set code = 'because' where id = 6"),
            (WORDS, "update run set state = 'asleep' where id = 6"),
            (WORDS, "update attempt set outcome = 'ok' where run = 6"),
            (WORDS, "update refusal set code = 'because'"),
            (WORDS, "update refusal set decision = 'maybe'"),
            (POLICIES, "update job set policy = '{' where id = 1"),
            (POLICIES, "update job set policy = json_set(policy, '$.schedule.every_us', 0) where id = 1"),
            (NUMBERS, "insert into stat values (1, 1, '{\"decisions\":')"),
            (NUMBERS, "insert into stat values (1, 1, '{\"decisions\": 3}')"),
            (NUMBERS, "insert into stat values (1, 1, '{\"run\": {\"count\": -1}}')"),
        ];
        for (check, planted) in planted {
            let found = found(planted);
            assert!(found.iter().any(|one| one.check == *check), "{check} does not see: {planted}\n{found:?}");
        }
        for check in CHECKS {
            assert!(planted.iter().any(|(name, _)| *name == check.name), "nothing planted for {}", check.name);
        }
    }

    #[test]
    fn every_statement_is_a_check() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/sqlite/sql/verify");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
            .collect();
        let mut names: Vec<&str> = CHECKS.iter().map(|check| check.name).collect();
        files.sort();
        names.sort_unstable();
        assert_eq!(files, names);
    }
}
