//! The kernel witness: daemons and keepers are killed with `kill -9` while jobs run, and start again at once. Whatever our
//! own books say, the kernel's file locks see when two attempts work where one may.
//!
//! `JOBSTILE_WITNESS_ROUNDS` is the number of rounds in which the daemon is killed (default 50); there is one round for the
//! keeper, and one for both, for every five of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use jobstile_child::{LIMIT, Limited as _};

use rustix::process::{Pid, Signal, kill_process};

/// Longest time anything here may take before its test fails.
const PATIENCE: Duration = Duration::from_secs(30);
/// As the configuration has it, and what a busy machine may add.
const KILL_AFTER: Duration = Duration::from_millis(300);
const SLACK: Duration = Duration::from_secs(3);

const CONFIG: &str = r#"
kill_after = "300ms"

[jobs.single]
every = "500ms"
shell = "exec WITNESS/witness.sh FOLDER/single 1 0.2"
overlap = "queue-one"
attempts = 3
backoff = { delay = "100ms" }

[jobs.triple]
every = "200ms"
shell = "exec WITNESS/witness.sh FOLDER/triple 3 0.5"
max_concurrent = 3
max_waiting = 20

[jobs.chain_state_monitor]
every = "500ms"
shell = "exec WITNESS/witness.sh FOLDER/monitor 1 0.3"
"#;

/// The groups of locks, and how many slots each has.
const GROUPS: [&str; 3] = ["single", "triple", "monitor"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    Daemon,
    Keeper,
    Both,
}

struct Site {
    dir: tempfile::TempDir,
    daemon: Child,
}

impl Site {
    fn new() -> Site {
        let dir = tempfile::tempdir().expect("a folder");
        for group in GROUPS {
            fs::create_dir(dir.path().join(group)).expect("a folder");
        }
        let witness = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/witness");
        let config = CONFIG
            .replace("WITNESS", &witness.display().to_string())
            .replace("FOLDER", &dir.path().display().to_string());
        fs::write(dir.path().join("jobstile.toml"), config).expect("written");
        let daemon = start(dir.path());
        Site { dir, daemon }
    }

    fn lines(&self, word: &str) -> Vec<String> {
        let logs = GROUPS.map(|group| fs::read_to_string(self.dir.path().join(group).join("log")).unwrap_or_default());
        let lines = logs.iter().flat_map(|log| log.lines());
        lines.filter(|line| line.starts_with(word)).map(str::to_owned).collect()
    }

    /// A new attempt has started in every group since `before`.
    fn wait_for_work(&self, before: &BTreeMap<&str, usize>) {
        self.until("every group works", || starts(self.dir.path()).iter().all(|(group, count)| *count > before[group]));
    }

    fn until(&self, what: &str, mut is_so: impl FnMut() -> bool) -> Duration {
        let start = Instant::now();
        while !is_so() {
            if start.elapsed() > PATIENCE {
                let log = fs::read_to_string(self.dir.path().join("serve.log")).unwrap_or_default();
                let tail: Vec<&str> = log.lines().rev().take(60).collect();
                let starts = starts(self.dir.path());
                panic!(
                    "never: {what}; starts {starts:?}; last lines of the daemon, newest first:\n{}",
                    tail.join("\n")
                );
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        start.elapsed()
    }

    fn keeper(&self) -> i32 {
        let pid = self.daemon.id();
        let mut keeper = None;
        self.until("the daemon has a keeper", || {
            keeper = processes(|one| one.name == "jobstile-keep" && one.parent == pid as i32 && one.state != 'Z').pop();
            keeper.is_some()
        });
        keeper.expect("found")
    }

    /// Processes that a job of this store has started, by their environment.
    fn of_jobs(&self) -> Vec<i32> {
        let folder = self.dir.path().display().to_string();
        processes(|one| {
            let environment = fs::read(format!("/proc/{}/environ", one.pid)).unwrap_or_default();
            let mut entries = environment.split(|byte| *byte == 0);
            one.state != 'Z'
                && entries.any(|entry| {
                    entry.starts_with(b"JOBSTILE_STORE=") && String::from_utf8_lossy(entry).contains(&folder)
                })
        })
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = jobstile_child::wait(&mut self.daemon, LIMIT);
        let start = Instant::now();
        while !self.of_jobs().is_empty() && start.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn start(dir: &Path) -> Child {
    let log = fs::OpenOptions::new().create(true).append(true).open(dir.join("serve.log")).expect("a log");
    let mut command = Command::new(program());
    command.without_ours();
    command
        .arg("serve")
        .arg("--config")
        .arg(dir.join("jobstile.toml"))
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("the same file"))
        .stderr(log)
        .spawn()
        .expect("a daemon")
}

fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_jobstile"))
}

fn starts(dir: &Path) -> BTreeMap<&'static str, usize> {
    let count = |group: &str| {
        let log = fs::read_to_string(dir.join(group).join("log")).unwrap_or_default();
        log.lines().filter(|line| line.starts_with("START")).count()
    };
    GROUPS.map(|group| (group, count(group))).into()
}

struct Process {
    pid: i32,
    name: String,
    state: char,
    parent: i32,
}

fn processes(wanted: impl Fn(&Process) -> bool) -> Vec<i32> {
    let look = |pid: i32| {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (name, rest) = text.split_once('(')?.1.rsplit_once(") ")?;
        let mut fields = rest.split(' ');
        let state = fields.next()?.chars().next()?;
        Some(Process { pid, name: name.to_owned(), state, parent: fields.next()?.parse().ok()? })
    };
    let entries = fs::read_dir("/proc").expect("/proc").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(look).filter(wanted).map(|one| one.pid).collect()
}

fn kill(pid: i32) {
    let _ = kill_process(Pid::from_raw(pid).expect("a pid"), Signal::KILL);
}

#[expect(clippy::print_stdout, reason = "what a passing round did is the result of a soak")]
fn rounds(victim: Victim, count: u64) {
    let mut site = Site::new();
    let mut slowest = Duration::ZERO;
    for round in 0..count {
        let before = starts(site.dir.path());
        site.wait_for_work(&before);
        // Not always at the same moment of an attempt's life; the same ones in every run of this test.
        std::thread::sleep(Duration::from_millis(round * 37 % 200));
        let keeper = site.keeper();
        let living = site.of_jobs();
        assert!(!living.is_empty(), "jobs run");
        match victim {
            Victim::Daemon => {}
            Victim::Keeper => kill(keeper),
            Victim::Both => {
                // So that the daemon does not notice in between.
                let _ = kill_process(Pid::from_child(&site.daemon), Signal::STOP);
                jobstile_child::stands_still(site.daemon.id()).expect("it stops");
                kill(keeper);
            }
        }
        if victim != Victim::Keeper {
            site.daemon.kill().expect("killed");
            jobstile_child::wait(&mut site.daemon, LIMIT).expect("waited for");
            site.daemon = start(site.dir.path());
        }
        let alive = || {
            let now = site.of_jobs();
            living.iter().filter(|pid| now.contains(pid)).count()
        };
        let took = site.until("the old processes are dead", || alive() == 0);
        slowest = slowest.max(took);
        if victim != Victim::Both {
            // When both are killed, it is the next daemon that ends them, as soon as it is there.
            assert!(took < KILL_AFTER + SLACK, "round {round}: processes lived on for {took:?}");
        }
        let overlaps = site.lines("OVERLAP");
        assert!(overlaps.is_empty(), "round {round}, {victim:?}: {overlaps:#?}");
    }
    // They still work, all of them.
    let before = starts(site.dir.path());
    site.wait_for_work(&before);
    let overlaps = site.lines("OVERLAP");
    assert!(overlaps.is_empty(), "{victim:?}: {overlaps:#?}");
    let (started, ended) = (site.lines("START").len(), site.lines("END").len());
    println!(
        "{victim:?}: {count} rounds, {started} attempts, {ended} of them to their end, none overlapped; the processes of a killed one were dead after {slowest:?} at the latest"
    );
}

fn daemon_rounds() -> u64 {
    let given = std::env::var("JOBSTILE_WITNESS_ROUNDS").ok();
    given.map_or(50, |rounds| rounds.parse().expect("JOBSTILE_WITNESS_ROUNDS is a number"))
}

#[test]
fn no_overlap_when_the_daemon_is_killed() {
    rounds(Victim::Daemon, daemon_rounds());
}

#[test]
fn no_overlap_when_the_keeper_is_killed() {
    rounds(Victim::Keeper, daemon_rounds().div_ceil(5));
}

#[test]
fn no_overlap_when_both_are_killed() {
    rounds(Victim::Both, daemon_rounds().div_ceil(5));
}

/// A witness that could not see an overlap would prove nothing.
#[test]
fn the_witness_sees_an_overlap() {
    let dir = tempfile::tempdir().expect("a folder");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/witness/witness.sh");
    let witness = |fence: &str| {
        let mut command = Command::new(&script);
        command.arg(dir.path()).args(["2", "0"]).envs([
            ("JOBSTILE_RUN_ID", "1"),
            ("JOBSTILE_ATTEMPT", "1"),
            ("JOBSTILE_FENCE", fence),
        ]);
        command.limited().expect("it ran").status.success()
    };
    // Each has ended; what it left behind still holds its lock.
    assert!(witness("1") && witness("2"));
    assert!(!witness("3"), "a third in two slots");
    let log = fs::read_to_string(dir.path().join("log")).expect("a log");
    assert_eq!(log.lines().filter(|line| line.starts_with("OVERLAP")).count(), 1, "{log}");
    let held = dir.path().join("slot-").display().to_string();
    let holders = || processes(|one| one.state != 'Z' && holds(one.pid, &held));
    let end_them = || {
        let start = Instant::now();
        while !holders().is_empty() {
            assert!(start.elapsed() < PATIENCE, "they do not end");
            holders().into_iter().for_each(kill);
        }
    };
    assert_eq!(holders().len(), 2);
    end_them();
    assert!(witness("4"), "the locks are free again");
    end_them();
}

fn holds(pid: i32, file: &str) -> bool {
    let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    files.filter_map(|one| fs::read_link(one.path()).ok()).any(|path| path.display().to_string().starts_with(file))
}
