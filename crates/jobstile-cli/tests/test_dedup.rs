//! `jobstile test-dedup`: which jobs stack up, on a scratch store and on the running system.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use jobstile_child::{LIMIT, Limited as _};

const JOBS: &str = r#"
shutdown_grace = "100ms"
[defaults]
shell = "sleep 30"
[jobs.chain_state_monitor]
every = "90s"
[jobs.poll]
every = "30s"
[jobs.pair]
every = "30s"
max_concurrent = 2
[jobs.events]
every = "30s"
overlap = "queue-one"
[jobs.line]
every = "30s"
overlap = "queue"
[jobs.free]
overlap = "allow"
[jobs.keyed]
every = "30s"
args = { wallet = "A" }
dedup = { key = ["wallet"], on_duplicate = "fail" }
"#;

fn jobstile(folder: &Path, args: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_jobstile"));
    command.current_dir(folder).args(args).env_clear().with_bug().envs(variables.iter().copied());
    command.env("PATH", "/usr/bin:/bin").env("HOME", folder);
    command
}

fn run(args: &[&str], variables: &[(&str, &str)]) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("jobstile.toml"), JOBS).expect("to write");
    let output = jobstile(folder.path(), args, variables).limited().expect("the program starts");
    assert!(!folder.path().join(".jobstile").exists(), "the scratch store is nobody's");
    output
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

#[test]
fn all_monitoring_jobs_without_a_word() {
    let output = run(&["test-dedup"], &[]);
    assert_eq!(output.status.code(), Some(0));
    insta::assert_snapshot!(stdout(&output), @r"
    jobstile.toml · 5 triggers of each job, as its schedule gives them, on a scratch store with stub handlers
    switches  deduplication on · aggressive on · stacking prevention on

    JOB                  LIVE  ALLOWED  ADMITTED  TURNED AWAY          VERDICT
    chain_state_monitor     1        1         1  4 duplicate_running  passes

    it passes
    ");
}

#[test]
fn every_job_and_what_queues_by_design() {
    let output = run(&["test-dedup", "--all-types", "--num-triggers", "4"], &[]);
    assert_eq!(output.status.code(), Some(0));
    insta::assert_snapshot!(stdout(&output), @r"
    jobstile.toml · 4 triggers of each job, as its schedule gives them, on a scratch store with stub handlers
    switches  deduplication on · aggressive on · stacking prevention on

    JOB                  LIVE  ALLOWED  ADMITTED  TURNED AWAY          VERDICT
    chain_state_monitor     1        1         1  3 duplicate_running  passes
    events                  2        1         2  2 duplicate_waiting  queues by design: one of the same arguments may wait
    free                    4      any         4                       side by side by design: max_concurrent is unlimited
    keyed                   1        1         1  3 duplicate_running  passes
    line                    4        1         4                       queues by design: 100,000 may wait
    pair                    2        2         2  2 concurrency_limit  passes
    poll                    1        1         1  3 concurrency_limit  passes

    all 7 jobs pass
    ");
}

#[test]
fn without_deduplication_jobs_stack_up() {
    let off = ("AIBTC_JOB_DEDUPLICATION_ENABLED", "false");
    let output = run(&["test-dedup", "-a", "-n", "3"], &[off]);
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!(stdout(&output), @r"
    jobstile.toml · 3 triggers of each job, as its schedule gives them, on a scratch store with stub handlers
    switches  deduplication OFF · aggressive on · stacking prevention on

    JOB                  LIVE  ALLOWED  ADMITTED  TURNED AWAY                      VERDICT
    chain_state_monitor     1        1         3  2 concurrent_execution_detected  passes
    events                  3        1         3                                   FAILS
    free                    3      any         3                                   side by side by design: max_concurrent is unlimited
    keyed                   3        1         3                                   FAILS
    line                    3        1         3                                   queues by design: 100,000 may wait
    pair                    3        2         3                                   FAILS
    poll                    3        1         3                                   FAILS

    4 of 7 jobs FAIL: their runs stack up
      deduplication is off: environment AIBTC_JOB_DEDUPLICATION_ENABLED
    ");
    let output = run(&["test-dedup"], &[off, ("JOBSTILE_JOB_STACKING_PREVENTION_ENABLED", "0")]);
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!(stdout(&output), @r"
    jobstile.toml · 5 triggers of each job, as its schedule gives them, on a scratch store with stub handlers
    switches  deduplication OFF · aggressive on · stacking prevention OFF

    JOB                  LIVE  ALLOWED  ADMITTED  VERDICT
    chain_state_monitor     5        1         5  FAILS

    it FAILS: runs stack up
      deduplication is off: environment AIBTC_JOB_DEDUPLICATION_ENABLED
    ");
}

#[test]
fn one_job_as_json() {
    let output = run(&["test-dedup", "-j", "pair", "-o", "json"], &[("AIBTC_AGGRESSIVE_DEDUPLICATION_ENABLED", "no")]);
    assert_eq!(output.status.code(), Some(0));
    insta::assert_snapshot!(stdout(&output), @r#"
    {
      "jobs": [
        {
          "admitted": 2,
          "allowed": 2,
          "job": "pair",
          "live": 2,
          "monitoring": false,
          "running": 2,
          "turned_away": {
            "concurrency_limit": 3
          },
          "verdict": "passes",
          "why": "passes"
        }
      ],
      "of": "jobstile.toml",
      "passes": true,
      "switches": {
        "aggressive_deduplication": false,
        "deduplication": true,
        "stacking_prevention": true
      },
      "triggers": 5
    }
    "#);
}

#[test]
fn what_cannot_be_tested() {
    let output = run(&["test-dedup", "-j", "pol"], &[]);
    assert_eq!(output.status.code(), Some(3));
    insta::assert_snapshot!(stderr(&output), @r"
    error: no job `pol` in jobstile.toml; did you mean poll?
      its jobs: jobstile check
    ");
    assert_eq!(run(&["test-dedup", "-j", "poll", "-a"], &[]).status.code(), Some(2));
    assert_eq!(run(&["test-dedup", "-n", "0"], &[]).status.code(), Some(2));
    assert_eq!(run(&["test-dedup", "--yes"], &[]).status.code(), Some(2));
}

#[test]
fn a_key_without_arguments_is_given_some() {
    let folder = tempfile::tempdir().expect("a folder");
    let file =
        "[jobs.wallets]\nshell = \"sleep 30\"\ndedup = { key = [\"wallet\", \"net\"] }\nargs = { net = \"main\" }\n";
    std::fs::write(folder.path().join("jobstile.toml"), file).expect("to write");
    let output = jobstile(folder.path(), &["test-dedup", "-j", "wallets"], &[]).limited().expect("the program starts");
    let shown = stdout(&output);
    assert!(shown.contains("4 duplicate_running") && shown.contains("it passes"), "{shown}{}", stderr(&output));
}

#[test]
fn variables_of_a_file_count() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("jobstile.toml"), JOBS).expect("to write");
    std::fs::write(folder.path().join(".env"), "AIBTC_JOB_DEDUPLICATION_ENABLED=false\n").expect("to write");
    let args = ["test-dedup", "-j", "poll", "--env-file", ".env"];
    let output = jobstile(folder.path(), &args, &[]).limited().expect("the program starts");
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("deduplication is off: .env:1"), "{}", stdout(&output));
}

/// A daemon that is ended with the test.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).limited();
        let _ = jobstile_child::wait(&mut self.0, LIMIT);
    }
}

#[test]
fn on_the_running_system() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("jobstile.toml"), JOBS).expect("to write");
    let live = |args: &[&str]| {
        let args = [&["test-dedup", "--live", "-j", "chain_state_monitor"], args].concat();
        jobstile(folder.path(), &args, &[]).limited().expect("the program starts")
    };
    assert_eq!(live(&["--yes"]).status.code(), Some(3), "nobody has ever worked here");
    let mut serve = jobstile(folder.path(), &["serve"], &[]);
    let daemon = Daemon(serve.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the daemon starts"));
    let started = Instant::now();
    let output = loop {
        let output = live(&["--yes", "-n", "3", "-o", "json"]);
        if output.status.code() == Some(0) || started.elapsed() > Duration::from_secs(20) {
            break output;
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"));
    let job = &json["jobs"][0];
    assert_eq!((job["live"].as_u64(), job["verdict"].as_str()), (Some(1), Some("passes")), "{json}");
    let output = live(&[]);
    assert_eq!(output.status.code(), Some(2), "nothing starts without a yes");
    assert!(stderr(&output).contains("chain_state_monitor"), "{}", stderr(&output));
    drop(daemon);
}
