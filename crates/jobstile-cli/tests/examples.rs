//! What lies in `examples/` works: the scripts do their work, the files name what is there, the backend fences.

#![cfg(target_os = "linux")] // the scripts read /proc

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use jobstile_child::{LIMIT, Limited as _};

use toml::{Table, Value};

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}

fn jobs(file: &str) -> Table {
    let text = fs::read_to_string(examples().join(file)).expect("an example");
    let mut file: Table = text.parse().expect("TOML");
    match file.remove("jobs") {
        Some(Value::Table(jobs)) => jobs,
        other => panic!("no jobs: {other:?}"),
    }
}

fn command(job: &Value) -> Vec<String> {
    let argv = job["command"].as_array().expect("an argv");
    argv.iter().map(|word| word.as_str().expect("a word").to_owned()).collect()
}

/// Runs a script in a folder that links to the scripts; whether it succeeded, and what it printed.
fn run(folder: &Path, argv: &[&str]) -> (bool, String) {
    let output = Command::new(argv[0]).args(&argv[1..]).current_dir(folder).limited().expect("the script starts");
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).expect("text"))
}

fn scratch() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("scripts")).expect("a folder");
    for entry in fs::read_dir(examples().join("scripts")).expect("the scripts") {
        let script = entry.expect("a script").path();
        // Linked, not copied: a file that is open for writing, if only in a fork of another test, cannot be started.
        let link = folder.path().join("scripts").join(script.file_name().expect("a name"));
        std::os::unix::fs::symlink(script.canonicalize().expect("a script"), link).expect("a link");
    }
    folder
}

#[test]
fn the_monitors_show_what_they_say() {
    let jobs = jobs("monitors.toml");
    for name in
        ["chain_state_monitor", "chainhook_monitor", "agent_wallet_balance_monitor", "dao_token_holders_monitor"]
    {
        assert!(jobs.contains_key(name), "{name}");
    }
    assert_eq!(jobs.len(), 6);
    // Slower than its interval, and soon enough for somebody who watches.
    assert_eq!(jobs["chain_state_monitor"]["every"].as_str(), Some("3s"));
    assert_eq!(command(&jobs["chain_state_monitor"]), ["./scripts/cpu.sh", "8"]);
    assert!(jobs.values().any(|job| job.get("max_concurrent").and_then(Value::as_integer) == Some(2)));
    assert!(jobs.values().any(|job| job.get("attempts").and_then(Value::as_integer) == Some(3)));
    for (name, job) in &jobs {
        let script = examples().join(&command(job)[0]);
        let mode = fs::metadata(&script).unwrap_or_else(|e| panic!("{name}: {e}")).permissions().mode();
        assert_eq!(mode & 0o111, 0o111, "{name}: {} is not executable", script.display());
    }
}

#[test]
fn each_script_does_its_work() {
    let scratch = scratch();
    let folder = scratch.path();
    let says = |argv: &[&str], good: bool, words: &str| {
        let (succeeded, text) = run(folder, argv);
        assert!(succeeded == good && text.contains(words), "{argv:?}: success {succeeded}\n{text}");
    };
    says(&["./scripts/cpu.sh", "1"], true, "on average over 1 s");
    says(&["./scripts/memory.sh", "0"], true, "MiB available");
    says(&["./scripts/memory.sh", "101"], false, "below the limit");
    says(&["./scripts/disk.sh", "100"], true, "of the space");
    says(&["./scripts/disk.sh", "-1"], false, "above the limit");

    says(&["./scripts/log_growth.sh"], true, "not there yet");
    says(&["./scripts/sample.sh", "1"], true, "wrote 1 lines");
    says(&["./scripts/log_growth.sh", ".state/samples.log", "2"], true, "at the first look");
    says(&["./scripts/sample.sh", "1"], true, "wrote 1 lines");
    says(&["./scripts/log_growth.sh", ".state/samples.log", "2"], true, "grew by");
    says(&["./scripts/log_growth.sh", ".state/samples.log", "2"], true, "still has");
    says(&["./scripts/log_growth.sh", ".state/samples.log", "2"], false, "has not grown for 2 looks");
    fs::remove_file(folder.join(".state/samples.log")).expect("the log");
    says(&["./scripts/log_growth.sh", ".state/samples.log", "2"], false, "is gone");

    says(&["./scripts/backup_check.sh"], false, "no file");
    let tar = Command::new("tar").args(["-czf", ".state/backup.tar.gz", "scripts"]).current_dir(folder).limited();
    assert!(tar.expect("tar starts").status.success());
    says(&["./scripts/backup_check.sh"], true, "is whole");
    fs::write(folder.join(".state/backup.tar.gz"), "half of it").expect("a file");
    assert!(!run(folder, &["./scripts/backup_check.sh"]).0);
}

#[test]
fn the_samples_keep_the_newest_lines() {
    let scratch = scratch();
    let log = scratch.path().join(".state/samples.log");
    fs::create_dir(scratch.path().join(".state")).expect("a folder");
    fs::write(&log, "old\n".repeat(2000)).expect("a log");
    assert!(run(scratch.path(), &["./scripts/sample.sh", "1"]).0);
    let lines = fs::read_to_string(&log).expect("a log");
    assert_eq!(lines.lines().count(), 1000);
    assert!(lines.lines().last().expect("a line").contains("load="), "the newest is gone");
}

#[test]
fn the_environment_of_the_predecessor_fits_its_jobs() {
    let names: Vec<String> =
        jobs("aibtc.toml").keys().map(|name| name.to_ascii_uppercase().replace(['-', '.'], "_")).collect();
    let text = fs::read_to_string(examples().join("aibtc.env")).expect("an example");
    let mut ours = 0;
    for line in text.lines().filter(|line| line.starts_with("AIBTC_")) {
        let (name, _) = line.split_once('=').expect("NAME=VALUE");
        let name = name.trim_start_matches("AIBTC_");
        let job = name.strip_suffix("_INTERVAL_SECONDS").or_else(|| name.strip_suffix("_ENABLED"));
        const SWITCHES: [&str; 3] = ["JOB_DEDUPLICATION", "AGGRESSIVE_DEDUPLICATION", "JOB_STACKING_PREVENTION"];
        const NOT_OURS: [&str; 3] = ["TWITTER", "TELEGRAM_BOT", "SCHEDULE_SYNC"];
        if let Some(job) = job.filter(|job| !SWITCHES.contains(job) && !NOT_OURS.contains(job)) {
            assert!(names.iter().any(|name| name == job), "{line} belongs to no job of aibtc.toml");
            ours += 1;
        }
    }
    assert!(ours >= 10, "only {ours} variables are ours");
}

/// The backend of the example; it ends with the test.
struct Backend {
    process: Child,
    port: u16,
}

impl Drop for Backend {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = jobstile_child::wait(&mut self.process, LIMIT);
    }
}

impl Backend {
    fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|one| one.local_addr()).expect("a free port").port();
        let process = Command::new("python3")
            .arg(examples().join("backend.py"))
            .arg(port.to_string())
            .stderr(Stdio::null())
            .spawn()
            .expect("python3");
        let backend = Self { process, port };
        for _ in 0..500 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return backend;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("the backend does not listen");
    }

    /// The status of one call.
    fn call(&self, job: &str, fence: u64) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("the backend");
        write!(
            stream,
            "POST /internal/jobs/{job} HTTP/1.0\r\nContent-Length: 2\r\nJobstile-Fence: {fence}\r\n\r\n{{}}"
        )
        .expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer.split(' ').nth(1).expect("a status").to_owned()
    }
}

#[test]
fn the_backend_refuses_an_attempt_that_is_not_the_newest() {
    let backend = Backend::start();
    assert_eq!(backend.call("discord", 5), "204");
    assert_eq!(backend.call("discord", 5), "204", "the same attempt again");
    assert_eq!(backend.call("discord", 4), "409", "an older one");
    assert_eq!(backend.call("tweet", 4), "204", "of another job");
    assert_eq!(backend.call("discord", 6), "204", "a newer one");
}
