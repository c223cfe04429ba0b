//! A store that the real operations filled, at chosen times, and the program beside it as somebody types it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use jobstile_child::{LIMIT, Limited as _};

use jobstile::args::Args;
use jobstile::client::Client;
use jobstile::clock::Clock;
use jobstile::engine::node::{NodeLock, State, state};
use jobstile::engine::node_dir;
use jobstile::op::{
    Answer, Apply, Claim, Claimed, Decided, Enter, Free, JobPolicy, Offer, Op, Settle, Trigger, Weight,
};
use jobstile::store::sqlite::{OpenAs, Store};
use jobstile::store::{NodeRow, Printed};
use jobstile_core::outcome::Outcome;
use jobstile_core::policy::{Concurrency, Dedup, KeyRule, OnDuplicate, Policy, Switches, Until};
use jobstile_core::schedule::{CatchUp, First, Schedule};
use jobstile_core::time::Time;
use jobstile_core::trigger::{Source, When};

pub(crate) const NODE: &str = "00112233445566778899aabbccddeeff";

pub(crate) struct World {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) store: Store,
    /// When what is done happens.
    pub(crate) now: Time,
    lock: Option<NodeLock>,
    zone: String,
}

/// The jobs of this world, by what is to be seen on them.
fn jobs() -> Vec<(&'static str, Policy)> {
    let every = |seconds| {
        Some(Schedule { every: Duration::from_secs(seconds), first: First::AfterInterval, catch_up: CatchUp::Latest })
    };
    let dedup = |fields: &[&str], until, on_duplicate| {
        let fields = fields.iter().map(|field| (*field).to_owned()).collect();
        Some(Dedup { key: KeyRule::Fields(fields), until, on_duplicate })
    };
    let sync = Policy {
        dedup: dedup(&["wallet"], Until::Finish, OnDuplicate::Skip),
        max_concurrent: Concurrency::Limited(2),
        ..Policy::new(false, None)
    };
    vec![
        ("backup", Policy { attempts: 2, ..Policy::new(false, every(7_200)) }),
        ("chain_state_monitor", Policy::new(true, every(5_400))),
        ("report", Policy { enabled: false, ..Policy::new(false, every(86_400)) }),
        ("strict", Policy { dedup: dedup(&[], Until::Finish, OnDuplicate::Fail), ..Policy::new(false, None) }),
        ("sync_wallet", sync),
        ("tail", Policy { max_concurrent: Concurrency::Limited(1), max_waiting: 1, ..Policy::new(false, None) }),
    ]
}

impl World {
    /// A store with six jobs, loaded more than three hours ago, and one node at work. All times here are chosen so that
    /// what is shown keeps its width for half a minute.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("jobstile.toml"), "").unwrap();
        let store = Store::open(&folder.path().join(".jobstile/jobstile.db"), OpenAs::Owner).unwrap();
        let now = Clock::system().now();
        let mut world = Self { folder, store, now, lock: None, zone: noon(now) };
        world.ago(11_410);
        world.load(jobs());
        world.enter();
        world
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.store.path().unwrap().to_owned()
    }

    pub(crate) fn client(&self) -> Client {
        Client::open(&self.file()).unwrap()
    }

    /// What follows happened so many seconds ago.
    pub(crate) fn ago(&mut self, seconds: u64) {
        self.now = Clock::system().now().minus(Duration::from_secs(seconds));
    }

    pub(crate) fn op(&mut self, op: Op) -> Answer {
        self.store.execute(self.now, &[op]).answers.pop().unwrap().unwrap()
    }

    /// The jobs of this configuration are these.
    pub(crate) fn load(&mut self, jobs: Vec<(&str, Policy)>) {
        self.apply(jobs, Switches::default(), true);
    }

    /// These come to them, and the switches are these.
    pub(crate) fn apply(&mut self, jobs: Vec<(&str, Policy)>, switches: Switches, replace: bool) {
        let origins = r#"{"every":{"kind":"file","file":"jobstile.toml","line":3,"defaults":false},
            "enabled":{"kind":"variable","name":"AIBTC_REPORT_ENABLED"}}"#;
        let jobs = jobs
            .into_iter()
            .map(|(name, policy)| JobPolicy { name: name.into(), policy, origins: origins.into() })
            .collect();
        self.op(Op::Apply(Apply {
            owner: "/srv/jobstile.toml".into(),
            by: "anna@web1".into(),
            switches: Some(switches),
            origins: r#"{"deduplication":{"kind":"default"}}"#.into(),
            jobs,
            replace,
            taken: vec![],
        }));
    }

    /// A node comes that can run all but one job.
    pub(crate) fn enter(&mut self) {
        self.lock = Some(self.enter_as(NODE, 4711));
        let can = |job: &&str| (job.to_string(), None);
        let mut offers: Vec<(String, Option<String>)> =
            ["backup", "chain_state_monitor", "report", "strict", "sync_wallet"].iter().map(can).collect();
        offers.push(("tail".into(), Some("command not found: /srv/app/bin/tail".into())));
        self.op(Op::Offer(Offer { node: NODE.into(), jobs: offers }));
    }

    /// A daemon of this host comes; it lives as long as its lock.
    pub(crate) fn enter_as(&mut self, id: &str, pid: u32) -> NodeLock {
        let dir = node_dir(&self.file());
        std::fs::create_dir_all(&dir).unwrap();
        let lock = NodeLock::take(&dir, id).unwrap();
        self.op(Op::Enter(Enter(NodeRow {
            id: id.into(),
            name: "web1".into(),
            kind: "daemon".into(),
            host: "web1".into(),
            pid,
            user: "jobstile".into(),
            program: "jobstile 0.1.0".into(),
            dir: dir.to_string_lossy().into_owned(),
            workers: 16,
            boot_id: None,
            lock_uid: None,
        })));
        lock
    }

    /// The node is gone: killed, a quarter of an hour ago.
    pub(crate) fn leave(&mut self) {
        self.lock = None;
        // A process that another test is starting may hold the lock a moment longer.
        while state(&node_dir(&self.file()), NODE) != State::Gone {
            jobstile::clock::block(Duration::from_millis(1));
        }
        let file = node_dir(&self.file()).join(format!("{NODE}.lock"));
        let then = std::time::SystemTime::now() - Duration::from_secs(15 * 60 + 12);
        std::fs::File::options().write(true).open(file).unwrap().set_modified(then).unwrap();
    }

    pub(crate) fn trigger(&mut self, job: &str, args: &str) -> Decided {
        let trigger = Trigger {
            job: job.into(),
            args: Args::parse(args.as_bytes()),
            priority: None,
            when: When::Now,
            id: None,
            source: Source::Cli,
            by: "anna@web1".into(),
        };
        match self.op(Op::Trigger(trigger)) {
            Answer::Decided(decided) => decided,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn claim(&mut self) -> Vec<Claimed> {
        claim(&mut self.store, self.now)
    }

    pub(crate) fn settle(&mut self, claimed: &Claimed, outcome: Outcome, message: Option<&str>, printed: &[u8]) {
        let settle = settled(claimed, outcome, message, printed);
        self.op(Op::Settle(settle));
    }

    /// A run that started so long ago and ended after so many seconds.
    pub(crate) fn ran(
        &mut self,
        job: &str,
        args: &str,
        ago: u64,
        seconds: u64,
        outcome: Outcome,
        message: Option<&str>,
    ) {
        self.ago(ago);
        let run = self.trigger(job, args).run.unwrap();
        let claimed = self.claim().into_iter().find(|claimed| claimed.run == run).unwrap();
        self.ago(ago - seconds);
        self.settle(&claimed, outcome, message, b"begin\nend\n");
    }

    /// The program in the world's folder, with nothing of our environment.
    pub(crate) fn command(&self, line: &[&str]) -> Command {
        if self.lock.is_some() {
            // It shows that it lives, as a node does every second; a little ahead, so that it is `now` for a while.
            let file = node_dir(&self.file()).join(format!("{NODE}.lock"));
            let ahead = std::time::SystemTime::now() + Duration::from_millis(900);
            std::fs::File::options().write(true).open(file).unwrap().set_modified(ahead).unwrap();
        }
        let mut command = Command::new(env!("CARGO_BIN_EXE_jobstile"));
        command.args(line).current_dir(self.path()).env_clear().with_bug();
        command.env("PATH", "/usr/bin:/bin").env("HOME", self.path()).env("TZ", &self.zone);
        command.env("RUNTIME_DIRECTORY", self.path().join("jobstile")).env("TMPDIR", self.path());
        command
    }

    pub(crate) fn run(&self, line: &[&str]) -> Ran {
        Ran(self.command(line).stdin(Stdio::null()).limited().unwrap())
    }

    /// A time of a document as the screen shows it.
    pub(crate) fn clock(&self, time: &serde_json::Value) -> String {
        let time = jiff::Timestamp::from_microsecond(instant(time).0).unwrap();
        time.to_zoned(jiff::tz::TimeZone::posix(&self.zone).unwrap()).strftime("%H:%M:%S").to_string()
    }

    /// The same with something on standard input.
    pub(crate) fn run_with(&self, line: &[&str], input: &[u8]) -> Ran {
        let mut child =
            self.command(line).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // A program that does not read to the end closes it.
        let _ = child.stdin.take().unwrap().write_all(input);
        Ran(jobstile_child::output_of(child, LIMIT).unwrap())
    }

    /// What somebody sees: the command, both its outputs, and its exit code; times without their digits.
    pub(crate) fn screen(&self, line: &[&str]) -> String {
        let ran = self.run(line);
        let mut screen = format!("$ jobstile {}\n{}", line.join(" "), self.lasting(&ran.out()));
        if !ran.err().is_empty() {
            screen.push_str(&format!("--- to standard error\n{}", self.lasting(&ran.err())));
        }
        screen + &format!("[exit {}]\n", ran.code())
    }

    /// A text without what is different each time.
    pub(crate) fn lasting(&self, text: &str) -> String {
        let folder = self.path().display().to_string();
        without_times(&text.replace(&folder, "FOLDER").replace(&jobstile::engine::host::whoami(), "me@here"))
    }
}

/// How a command ended.
pub(crate) struct Ran(pub(crate) Output);

impl Ran {
    pub(crate) fn code(&self) -> i32 {
        self.0.status.code().unwrap()
    }

    pub(crate) fn out(&self) -> String {
        String::from_utf8(self.0.stdout.clone()).unwrap()
    }

    pub(crate) fn err(&self) -> String {
        String::from_utf8(self.0.stderr.clone()).unwrap()
    }

    /// The one document that was printed.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.0.stdout).unwrap_or_else(|e| panic!("{e}: {}{}", self.out(), self.err()))
    }
}

pub(crate) fn claim(store: &mut Store, now: Time) -> Vec<Claimed> {
    let can = jobs().into_iter().map(|(name, _)| name).filter(|name| *name != "tail");
    let jobs = can.map(|name| (name.to_owned(), Weight::Heavy)).collect();
    let claim = Claim { node: NODE.into(), jobs: Arc::new(jobs), free: Free { total: 99, heavy: 99, light: 99 } };
    match store.execute(now, &[Op::Claim(claim)]).answers.pop().unwrap().unwrap() {
        Answer::Claimed(claimed) => claimed,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn settled(claimed: &Claimed, outcome: Outcome, message: Option<&str>, printed: &[u8]) -> Settle {
    Settle {
        run: claimed.run,
        fence: claimed.fence,
        outcome,
        message: message.map(ToOwned::to_owned),
        exit_code: message.and_then(|text| text.strip_prefix("exit code ")?.split(',').next()?.parse().ok()),
        printed: Some(Printed { head: printed.to_vec(), tail: vec![], dropped: 0 }),
        retry_after: None,
        took: None,
        jitter: 0.0,
        result: None,
        wish: None,
    }
}

/// A time of a document.
pub(crate) fn instant(time: &serde_json::Value) -> Time {
    Time(time.as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_microsecond())
}

/// A zone in which it is noon, so that everything near is today.
fn noon(now: Time) -> String {
    let hour = now.0.div_euclid(3_600_000_000).rem_euclid(24);
    // POSIX counts westward.
    format!("NOON{:+}", hour - 12)
}

/// Times of the day and durations with every digit a 0, each as wide as it was; what a configuration says stays.
pub(crate) fn without_times(text: &str) -> String {
    let mut out = String::new();
    let mut before = String::new();
    for part in text.split_inclusive([' ', '\n', '(', ')', ',']) {
        let word = part.trim_end_matches([' ', '\n', '(', ')', ',', '.', ';', ':', '?', '"', '…']);
        // What somebody is told to write, or has written, is the same every time.
        let fixed =
            ["every", "timeout", "backoff.delay", "backoff.max", "write", "or", "DURATION", "--in", "--interval"]
                .contains(&before.as_str());
        match is_of_time(word) && !fixed {
            true => {
                out.extend(word.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }));
                out.push_str(&part[word.len()..]);
            }
            false => out.push_str(part),
        }
        // Columns are apart by any number of spaces.
        if !word.is_empty() {
            before = word.to_owned();
        }
    }
    out
}

// `14:07:03`, `12s`, `0.4s`, `3m`.
fn is_of_time(word: &str) -> bool {
    let clock = word.len() == 8
        && word.chars().enumerate().all(|(at, c)| if at % 3 == 2 { c == ':' } else { c.is_ascii_digit() });
    let hour =
        word.len() == 5 && word.chars().enumerate().all(|(at, c)| if at == 2 { c == ':' } else { c.is_ascii_digit() });
    let number = word.trim_end_matches(['m', 's', 'h', 'd']);
    let duration = number.len() < word.len()
        && ["ms", "s", "m", "h", "d"].contains(&&word[number.len()..])
        && number.starts_with(|c: char| c.is_ascii_digit())
        && number.chars().all(|c| c.is_ascii_digit() || c == '.');
    clock || hour || duration
}
