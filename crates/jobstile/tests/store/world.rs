//! A store in a file, at chosen times, with one node that works on it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jobstile::args::Args;
use jobstile::op::{
    Answer, Apply, Claim, Claimed, Decided, Enter, Free, JobPolicy, Op, Runnable, Settle, Ticks, Trigger, Weight,
};
use jobstile::store::NodeRow;
use jobstile::store::sqlite::{OpenAs, Store};
use jobstile_core::outcome::Outcome;
use jobstile_core::policy::{Concurrency, Policy, Switches};
use jobstile_core::schedule::{CatchUp, First, Schedule};
use jobstile_core::time::Time;
use jobstile_core::trigger::{Source, When};
use rusqlite::Connection;

pub(crate) const NODE: &str = "0a";

pub(crate) fn at(seconds: i64) -> Time {
    Time(1_800_000_000_000_000 + seconds * 1_000_000)
}

pub(crate) fn every(seconds: u64) -> Option<Schedule> {
    Some(Schedule { every: Duration::from_secs(seconds), first: First::Now, catch_up: CatchUp::None })
}

/// Any number at once, and any number may wait.
pub(crate) fn free() -> Policy {
    Policy { max_concurrent: Concurrency::Unlimited, max_waiting: 100_000, ..Policy::new(false, None) }
}

/// One at once, and any number may wait.
pub(crate) fn one() -> Policy {
    Policy { max_concurrent: Concurrency::Limited(1), ..free() }
}

pub(crate) struct World {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) store: Store,
    pub(crate) now: Time,
    jobs: Vec<String>,
}

impl World {
    pub(crate) fn new(jobs: Vec<(&str, Policy)>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("s.db"), OpenAs::Owner).unwrap();
        let names = jobs.iter().map(|(name, _)| (*name).to_owned()).collect();
        let mut world = Self { dir, store, now: at(0), jobs: names };
        world.apply(jobs);
        world.enter(NODE);
        world
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("s.db")
    }

    /// The same store opened again, as by another process.
    pub(crate) fn reopen(&mut self) {
        self.store = Store::open(&self.path(), OpenAs::Owner).unwrap();
    }

    pub(crate) fn apply(&mut self, jobs: Vec<(&str, Policy)>) {
        let job = |(name, policy): (&str, Policy)| JobPolicy { name: name.into(), policy, origins: "{}".into() };
        self.op(Op::Apply(Apply {
            owner: "jobs.toml".into(),
            by: "anna@web1".into(),
            switches: Some(Switches::default()),
            origins: "{}".into(),
            jobs: jobs.into_iter().map(job).collect(),
            replace: true,
            taken: vec![],
        }));
    }

    pub(crate) fn enter(&mut self, id: &str) {
        self.op(Op::Enter(Enter(NodeRow {
            id: id.into(),
            name: "web1".into(),
            kind: "daemon".into(),
            host: "web1".into(),
            pid: 7,
            user: "anna".into(),
            program: "jobstile 0.1.0".into(),
            dir: "/nowhere".into(),
            workers: 100,
            boot_id: None,
            lock_uid: None,
        })));
    }

    pub(crate) fn try_op(&mut self, op: Op) -> jobstile::Result<Answer> {
        self.store.execute(self.now, &[op]).answers.pop().unwrap()
    }

    pub(crate) fn op(&mut self, op: Op) -> Answer {
        self.try_op(op).unwrap()
    }

    pub(crate) fn trigger(&mut self, job: &str) -> Decided {
        self.decide(trigger(job))
    }

    pub(crate) fn decide(&mut self, trigger: Trigger) -> Decided {
        match self.op(Op::Trigger(trigger)) {
            Answer::Decided(decided) => decided,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn ticks(&mut self) {
        self.op(Op::Ticks(Ticks { jobs: None, by: "web1".into() }));
    }

    pub(crate) fn claim(&mut self, n: usize) -> Vec<Claimed> {
        match self.op(claim(NODE, &self.jobs.iter().map(String::as_str).collect::<Vec<_>>(), n)) {
            Answer::Claimed(claimed) => claimed,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn settle(&mut self, claimed: &Claimed, outcome: Outcome) {
        self.op(settle(claimed, outcome));
    }

    /// Looks into the store past the library, as another process would.
    pub(crate) fn rows(&self, sql: &str) -> Vec<String> {
        rows(&self.path(), sql)
    }

    /// Writes into the store past the library.
    pub(crate) fn plant(&self, sql: &str) {
        let other = Connection::open(self.path()).unwrap();
        other.execute_batch(&format!("pragma ignore_check_constraints = on; {sql}")).unwrap();
    }

    pub(crate) fn violations(&self) -> Vec<String> {
        self.store.verify().unwrap().into_iter().map(|found| format!("{}: {}", found.check, found.found)).collect()
    }
}

pub(crate) fn trigger(job: &str) -> Trigger {
    Trigger {
        job: job.into(),
        args: Ok(Args::none()),
        priority: None,
        when: When::Now,
        id: None,
        source: Source::Cli,
        by: "anna@web1".into(),
    }
}

pub(crate) fn claim(node: &str, jobs: &[&str], n: usize) -> Op {
    let jobs: Runnable = jobs.iter().map(|job| ((*job).to_owned(), Weight::Heavy)).collect();
    Op::Claim(Claim { node: node.into(), jobs: Arc::new(jobs), free: Free { total: n, heavy: n, light: n } })
}

pub(crate) fn settle(claimed: &Claimed, outcome: Outcome) -> Op {
    Op::Settle(Settle {
        run: claimed.run,
        fence: claimed.fence,
        outcome,
        message: None,
        exit_code: None,
        printed: None,
        retry_after: None,
        took: None,
        jitter: 0.0,
        result: None,
        wish: None,
    })
}

pub(crate) fn rows(store: &Path, sql: &str) -> Vec<String> {
    let other = Connection::open(store).unwrap();
    let mut statement = other.prepare(sql).unwrap();
    let n = statement.column_count();
    let text = |row: &rusqlite::Row<'_>| {
        use rusqlite::types::ValueRef;
        let value = |at| match row.get_ref(at).unwrap() {
            ValueRef::Null => "null".to_owned(),
            ValueRef::Integer(n) => n.to_string(),
            ValueRef::Real(n) => n.to_string(),
            ValueRef::Text(text) | ValueRef::Blob(text) => String::from_utf8_lossy(text).into_owned(),
        };
        Ok((0..n).map(value).collect::<Vec<_>>().join(" "))
    };
    statement.query_map([], text).unwrap().map(Result::unwrap).collect()
}
