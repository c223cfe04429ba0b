//! A store of an older version is brought up to date: nothing is lost, nothing is doubled, and it goes on.
//!
//! `migration/616e4a0.sql` is what `sqlite3 jobs.db .dump` printed of a store that the program of commit 616e4a0 wrote: a
//! daemon with nine jobs, triggered and paused from the command line, a job taken out by a reload, one run cancelled and
//! one repeated by hand, and then daemon and keeper killed while five runs were running. Only the machine's name was
//! replaced.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jobstile::args::Args;
use jobstile::client::{Client, DecisionFilter, RunFilter};
use jobstile::op::{
    Answer, Claim, Claimed, Decided, Due, Enter, Free, Op, Reap, Resume, Runnable, Settle, Ticks, Trigger, Weight,
};
use jobstile::store::NodeRow;
use jobstile::store::sqlite::{OpenAs, Store};
use jobstile_core::decide::{Code, Decision};
use jobstile_core::outcome::Outcome;
use jobstile_core::run::State;
use jobstile_core::time::Time;
use jobstile_core::trigger::{Source, When};
use rusqlite::Connection;

const OLD: &str = include_str!("migration/616e4a0.sql");
/// The node that was killed.
const DEAD: &str = "cf55b2df311dfe1db073ce3b90d45307";
/// Just after it was.
const KILLED: Time = Time(1_795_697_183_000_000);
/// Everything that the fixture says of its live runs; each must end once.
const LIVE: [i64; 15] = [1, 9, 10, 11, 12, 13, 16, 17, 18, 20, 21, 22, 23, 24, 32];

const RUN: &str = "id, job, state, key, keyed, deduped, target, lineage, place, priority, rank, admitted_at, first_due, due, args,
    source, trigger_id, nominal, by_whom, rerun_of, version, waits_on, claims, failures, lost, fence, node, claimed_at, cancel_at,
    cancel_by, ended_at, code, by_run";

/// What a table held in the old schema, by its old columns.
const TABLES: [(&str, &str); 11] = [
    ("version", "*"),
    ("job", "*"),
    ("tally", "*"),
    ("run", RUN),
    ("attempt", "run, n, fence, node, claimed_at, ended_at, outcome, message, exit_code"),
    ("output", "*"),
    ("slot", "*"),
    (
        "refusal",
        "id, job, job_name, source, decision, code, key, by_run, minute, trigger_id, nominal, args, priority, by_whom,
         version, first_at, last_at, count",
    ),
    ("node", "id, name, kind, host, pid, user, program, dir, workers, busy, started_at, seen_at, ended_at, end_reason"),
    ("node_job", "*"),
    ("stat", "*"),
];

fn an_old_store() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jobs.db");
    let store = Connection::open(&path).unwrap();
    // A dump says nothing of the header.
    store.execute_batch("pragma application_id = 1246708307; pragma journal_mode = wal;").unwrap();
    store.execute_batch(OLD).unwrap();
    (dir, path)
}

fn rows(path: &Path, table: &str, columns: &str) -> Vec<String> {
    let store = Connection::open(path).unwrap();
    let mut statement = store.prepare(&format!("select {columns} from {table}")).unwrap();
    let n = statement.column_count();
    let rows = statement.query_map([], |row| {
        (0..n).map(|at| row.get_ref(at).map(|value| format!("{value:?}"))).collect::<rusqlite::Result<Vec<_>>>()
    });
    let mut rows: Vec<String> = rows.unwrap().map(|row| row.unwrap().join(" ")).collect();
    rows.sort();
    rows
}

#[test]
fn a_migration_loses_nothing() {
    let (_dir, path) = an_old_store();
    let before = TABLES.map(|(table, columns)| rows(&path, table, columns));
    assert!(before.iter().all(|rows| !rows.is_empty()), "the fixture has rows of every kind");
    let store = Store::open(&path, OpenAs::Owner).unwrap();
    assert_eq!(store.verify().unwrap(), []);
    drop(store);
    assert_eq!(TABLES.map(|(table, columns)| rows(&path, table, columns)), before);
    let numbers = "next_run, next_refusal, next_fence, next_version, created_at, length(secret)";
    let integers = [33, 16, 24, 3, 1_795_697_174_000_000, 32].map(|n: i64| format!("Integer({n})"));
    assert_eq!(rows(&path, "store", numbers), [integers.join(" ")]);
    let again = Store::open(&path, OpenAs::Owner).unwrap();
    drop(again);
    assert_eq!(rows(&path, "migration", "version"), ["Integer(1)", "Integer(2)"]);
}

#[test]
fn a_store_keeps_a_copy_of_what_it_was_which_only_its_owner_may_read() {
    let (_dir, path) = an_old_store();
    let before = TABLES.map(|(table, columns)| rows(&path, table, columns));
    drop(Store::open(&path, OpenAs::Owner).unwrap());
    let copy = path.with_file_name("jobs.db.schema-1.backup");
    assert_eq!(std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(TABLES.map(|(table, columns)| rows(&copy, table, columns)), before);
    assert_eq!(rows(&copy, "migration", "version"), ["Integer(1)"]);
}

#[test]
fn an_old_store_is_used_only_after_its_migration() {
    let (_dir, path) = an_old_store();
    for refused in [Store::open(&path, OpenAs::Guest).map(drop), Client::open(&path).map(drop)] {
        let refused = refused.unwrap_err();
        let why = std::error::Error::source(&refused).map_or_else(|| refused.to_string(), ToString::to_string);
        assert!(why.contains("jobstile migrate"), "{why}");
    }
}

/// A migrated store and a new node on it.
struct World {
    _dir: tempfile::TempDir,
    path: PathBuf,
    store: Store,
    now: Time,
    claimed: Vec<Claimed>,
}

impl World {
    fn new() -> Self {
        let (dir, path) = an_old_store();
        let store = Store::open(&path, OpenAs::Owner).unwrap();
        let mut world = Self { _dir: dir, path, store, now: KILLED, claimed: vec![] };
        world.op(Op::Enter(Enter(NodeRow {
            id: "0a".into(),
            name: "host".into(),
            kind: "daemon".into(),
            host: "host".into(),
            pid: 7,
            user: "anna".into(),
            program: "jobstile 0.2.0".into(),
            dir: "/srv/jobs/jobs.db-nodes".into(),
            workers: 100,
            boot_id: None,
            lock_uid: None,
        })));
        world
    }

    fn op(&mut self, op: Op) -> Answer {
        let answer = self.store.execute(self.now, &[op]).answers.pop().unwrap().unwrap();
        assert_eq!(self.store.verify().unwrap(), []);
        answer
    }

    fn trigger(&mut self, job: &str, id: &str, args: &str) -> Decided {
        let args = if args.is_empty() { Ok(Args::none()) } else { Args::parse(args.as_bytes()) };
        let trigger = Trigger {
            job: job.into(),
            args,
            priority: None,
            when: When::Now,
            id: Some(id.into()),
            source: Source::Cli,
            by: "anna@host".into(),
        };
        match self.op(Op::Trigger(trigger)) {
            Answer::Decided(decided) => decided,
            other => panic!("{other:?}"),
        }
    }

    /// What is due moves, schedules fire, and the new node claims what it can.
    fn turn(&mut self) -> Vec<i64> {
        self.op(Op::Due(Due { max: 1_000 }));
        self.op(Op::Ticks(Ticks { jobs: None, by: "host".into() }));
        let jobs = Client::open(&self.path).unwrap().jobs().unwrap();
        let jobs: Runnable = jobs.iter().map(|job| (job.name.to_string(), Weight::Heavy)).collect();
        let free = Free { total: 100, heavy: 100, light: 100 };
        match self.op(Op::Claim(Claim { node: "0a".into(), jobs: Arc::new(jobs), free })) {
            Answer::Claimed(claimed) => {
                let runs = claimed.iter().map(|claimed| claimed.run.0).collect();
                self.claimed.extend(claimed);
                runs
            }
            other => panic!("{other:?}"),
        }
    }

    fn succeed(&mut self) {
        for claimed in std::mem::take(&mut self.claimed) {
            self.op(Op::Settle(Settle {
                run: claimed.run,
                fence: claimed.fence,
                outcome: Outcome::Success,
                message: None,
                exit_code: Some(0),
                printed: None,
                retry_after: None,
                took: None,
                jitter: 0.0,
                result: None,
                wish: None,
            }));
        }
    }

    fn reap(&mut self) {
        let (node, reason) = (DEAD.to_owned(), "its daemon is gone".to_owned());
        self.op(Op::Reap(Reap { node: node.into(), reason, printed: Default::default() }));
    }
}

#[test]
fn a_migrated_store_goes_on() {
    let mut world = World::new();
    world.reap();
    let claimed = world.turn();
    for lost in [1, 9, 16, 17, 32] {
        assert!(claimed.contains(&lost), "run {lost} was running and starts again: {claimed:?}");
    }
    // Fences of before go up to 23.
    assert!(world.claimed.iter().all(|claimed| claimed.fence.0 > 23));
    world.op(Op::Resume(Resume { job: Some("nightly".into()) }));
    // Retries come due after an hour, the last run for later after two.
    for _ in 0..20 {
        world.succeed();
        world.now = world.now.plus(Duration::from_secs(600));
        world.turn();
    }
    world.succeed();
    let client = Client::open(&world.path).unwrap();
    for run in LIVE {
        let run = client.run(jobstile_core::id::RunId(run)).unwrap().unwrap().row;
        // Those for later may meet a run of their job that came before them.
        let ended =
            matches!(run.state, State::Succeeded) || (run.first_due > run.admitted_at && run.state == State::Refused);
        assert!(ended, "{run:?}");
    }
    let twice = rows(
        &world.path,
        "run",
        "count(*) - count(distinct id), count(trigger_id) - count(distinct job || trigger_id)",
    );
    assert_eq!(twice, ["Integer(0) Integer(0)"]);
}

#[test]
fn a_migrated_store_replays_the_first_answers() {
    let mut world = World::new();
    let known = [
        ("backup", "backup-1", "", Decision::Admitted, Code::WithinLimits, Some(9)),
        ("backup", "backup-3", "", Decision::Admitted, Code::WithinLimits, Some(11)),
        ("backup", "backup-4", "", Decision::Rejected, Code::QueueFull, None),
        ("flaky", "flaky-1", "", Decision::Admitted, Code::WithinLimits, Some(12)),
        ("broken", "broken-1", r#"{"n":1}"#, Decision::Admitted, Code::WithinLimits, Some(14)),
        ("tick", "later-1", "", Decision::Admitted, Code::WithinLimits, Some(20)),
        ("nightly", "nightly-1", "", Decision::Admitted, Code::WithinLimits, Some(23)),
    ];
    for (job, id, args, decision, code, run) in known {
        let answer = world.trigger(job, id, args);
        let got = (answer.decision, answer.code, answer.run.map(|run| run.0), answer.replayed);
        assert_eq!(got, (decision, code, run, true), "{id}");
    }
    let other = world.trigger("broken", "broken-1", r#"{"n":2}"#);
    assert_eq!((other.decision, other.code), (Decision::Rejected, Code::TriggerIdReused));
    // Instants that the old node looked at are not decided again when the clock was set back.
    let decided = |path: &Path| [rows(path, "run", "count(*)"), rows(path, "refusal", "count(*)")];
    let before = decided(&world.path);
    world.now = KILLED.minus(Duration::from_secs(5));
    while world.now < KILLED {
        world.op(Op::Ticks(Ticks { jobs: None, by: "host".into() }));
        world.now = world.now.plus(Duration::from_millis(200));
    }
    assert_eq!(decided(&world.path), before);
}

#[test]
fn every_question_is_answered_by_a_migrated_store() {
    let (_dir, path) = an_old_store();
    drop(Store::open(&path, OpenAs::Owner).unwrap());
    let client = Client::open(&path).unwrap();
    assert_eq!(client.verify().unwrap(), []);
    assert_eq!(client.quick_check(10).unwrap(), Vec::<String>::new());
    let jobs = client.jobs().unwrap();
    assert_eq!(jobs.len(), 9);
    assert_eq!(client.nodes(10).unwrap().len(), 1);
    assert_eq!(client.offers(&DEAD.into()).unwrap().len(), 8);
    assert_eq!(client.versions(None, 10).unwrap().len(), 2);
    let runs = client.runs(&RunFilter { limit: 100, ..RunFilter::default() }).unwrap();
    assert_eq!(runs.len(), 32);
    let (mut attempts, mut outputs) = (0, 0);
    for run in &runs {
        attempts += client.attempts(run.row.id).unwrap().iter().filter(|attempt| attempt.ended_at.is_some()).count();
        outputs += usize::from(client.output(run.row.id, None).is_ok_and(|output| !output.printed.head.is_empty()));
    }
    assert_eq!((attempts, outputs), (18, 18));
    let decisions = client.decisions(&DecisionFilter { limit: 100, ..DecisionFilter::default() }).unwrap();
    assert_eq!(decisions.len(), 32 + 15);
    for job in &jobs {
        client.numbers(job.id, 0).unwrap();
        client.slots(job.id).unwrap();
    }
    let pauses = jobs.iter().filter_map(|job| job.pause.as_ref().map(|pause| (&*job.name, pause.why.as_deref())));
    assert_eq!(pauses.collect::<Vec<_>>(), [("nightly", Some("the disk is being replaced")), ("poll", None)]);
}
