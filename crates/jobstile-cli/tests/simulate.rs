//! `jobstile simulate`: the seed's two tables, the forms of its output, and bad scenario files.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output};

use jobstile_child::Limited as _;

fn simulate(scenario: &str, flags: &[&str]) -> Output {
    let mut file = tempfile::Builder::new().prefix("scenario").suffix(".toml").tempfile().expect("a file");
    file.write_all(scenario.as_bytes()).expect("to write");
    let folder = file.path().parent().expect("a folder");
    Command::new(env!("CARGO_BIN_EXE_jobstile"))
        .current_dir(folder)
        .args(["simulate", "--scenario"])
        .arg(file.path().file_name().expect("a name"))
        .args(flags)
        .env_remove("RUST_BACKTRACE")
        .limited()
        .expect("the program starts")
}

fn of_file(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../scenarios").join(name);
    std::fs::read_to_string(path).expect("a scenario")
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

/// What the program says of a scenario that it cannot read, without the file's random name.
fn refused(scenario: &str) -> String {
    let output = simulate(scenario, &[]);
    assert_eq!(output.status.code(), Some(78), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    let text = String::from_utf8(output.stderr).expect("UTF-8");
    let name = text.split("scenario").nth(1).and_then(|rest| rest.split(".toml").next()).unwrap_or("").to_owned();
    text.replace(&format!("scenario{name}.toml"), "FILE")
}

#[test]
fn the_seeds_table_after() {
    insta::assert_snapshot!(stdout(&simulate(&of_file("seed_after_240s.toml"), &[])), @r"
    Time   Event                                   Run   Code
    00:00  chain_state_monitor job scheduled       1     within_limits
    00:00  Job starts executing (takes 4m)         1
    01:30  Job skipped - instance already running  by 1  duplicate_running
    03:00  Job skipped - instance already running  by 1  duplicate_running
    04:00  Job completes                           1
    04:30  chain_state_monitor job scheduled       2     within_limits
    04:30  Job starts executing                    2
    ");
}

#[test]
fn the_seeds_table_before() {
    insta::assert_snapshot!(stdout(&simulate(&of_file("seed_before_180s.toml"), &[])), @r"
    Time   Event                                    Run  Code
    00:00  chain_state_monitor job scheduled        1    within_limits
    00:00  Job starts executing (takes 3m)          1
    01:30  chain_state_monitor job scheduled again  2    within_limits
    01:30  Job queued (run 1 still running)         2
    03:00  Job completes                            1
    03:00  chain_state_monitor job scheduled again  3    within_limits
    03:00  Job queued (after run 2)                 3
    03:00  Job starts executing                     2
    04:30  chain_state_monitor job scheduled again  4    within_limits
    04:30  Job queued (run 2 still running)         4
    ");
}

#[test]
fn every_kind_of_event_has_its_words() {
    let scenario = r#"
        [jobs.sync]
        attempts = 2
        backoff = { delay = "30s" }
        dedup = { key = ["w"], until = "start" }
        max_concurrent = 1
        [jobs.poll]
        every = "1m"
        timeout = "20s"
        [jobs.few]
        max_concurrent = 1
        max_waiting = 1
        [scenario]
        until = "4m"
        takes = { sync = ["10s fail", "5s fail", "5s"], poll = ["hang", "1500ms"], few = "100s" }
    "#;
    let event = |at: &str, rest: &str| format!("[[scenario.event]]\nat = \"{at}\"\n{rest}\n");
    let events = [
        event("0s", "trigger = \"sync\"\nargs = { w = 1 }"),
        event("1s", "trigger = \"sync\"\nargs = { w = 2 }"),
        event("2s", "trigger = \"sync\"\nargs = { w = 2 }"),
        event("3s", "trigger = \"sync\"\nargs = { v = 2 }"),
        event("3s", "trigger = \"nobody\""),
        event("4s", "trigger = \"sync\"\nargs = { w = 1 }\nin = \"90s\""),
        event("20s", "trigger = \"few\""),
        event("21s", "trigger = \"few\""),
        event("22s", "trigger = \"few\"\nid = \"a\""),
        event("23s", "trigger = \"few\"\nid = \"a\""),
        event("30s", "cancel = 6"),
        event("59s", "pause = \"poll\""),
        event("61s", "resume = \"poll\""),
        event("70s", "crash = \"45s\""),
        event("150s", "retry = 1"),
    ];
    insta::assert_snapshot!(stdout(&simulate(&format!("{scenario}{}", events.concat()), &[])), @r"
    Time       Event                                         Run   Code
    00:00      poll job scheduled                            1     within_limits
    00:00      sync job triggered                            2     within_limits
    00:00      poll job starts executing (takes 20s)         1
    00:00      sync job starts executing (takes 10s)         2
    00:01      sync job triggered again                      3     within_limits
    00:01      sync job queued (run 2 still running)         3
    00:02      sync job skipped - instance already queued    by 3  duplicate_waiting
    00:03      sync job rejected - a field of its key is missing        missing_key_field
    00:03      nobody job rejected - there is no such job          unknown_job
    00:04      sync job triggered again                      4     within_limits
    00:04      sync job is due at 01:34                      4
    00:10      sync job fails, retries at 00:40              2
    00:10      sync job starts executing (takes 5s)          3
    00:15      sync job fails, retries at 00:45              3
    00:20      poll job times out for the last time          1     attempts_used_up
    00:20      few job triggered                             5     within_limits
    00:20      few job starts executing (takes 95s)          5
    00:21      few job triggered again                       6     within_limits
    00:21      few job queued (run 5 still running)          6
    00:22      few job rejected - queue is full              by 5  queue_full
    00:23      few job trigger id seen before - the first answer again  by 5  queue_full
    00:30      few job cancelled                             6     cancelled_by_hand
    00:40      sync job starts again, attempt 2 (takes 5s)   2
    00:45      sync job completes                            2
    00:45      sync job starts again, attempt 2 (takes 5s)   3
    00:50      sync job completes                            3
    01:00      poll job skipped - job is paused                    paused
    01:55      few job lost, starts again                    5
    01:55      few job starts again, attempt 2 (takes 100s)  5
    01:55      sync job starts executing (takes 5s)          4
    02:00      sync job completes                            4
    02:00      poll job scheduled                            7     within_limits
    02:00      poll job starts executing (takes 1s 500ms)    7
    02:01.500  poll job completes                            7
    02:30      poll job triggered                            8     within_limits
    02:30      poll job starts executing (takes 1s 500ms)    8
    02:31.500  poll job completes                            8
    03:00      poll job scheduled                            9     within_limits
    03:00      poll job starts executing (takes 1s 500ms)    9
    03:01.500  poll job completes                            9
    03:35      few job completes                             5
    04:00      poll job scheduled                            10    within_limits
    04:00      poll job starts executing                     10
    ");
}

#[test]
fn facts_are_json_values() {
    let scenario = r#"
        [jobs.j]
        [scenario]
        until = "1s"
        takes = { j = "250.5ms" }
        [[scenario.event]]
        at = "0s"
        trigger = "j"
        args = { wallet = "SP2X0" }
    "#;
    insta::assert_snapshot!(stdout(&simulate(scenario, &["-o", "jsonl", "--log"])), @r#"
    {"at":0.0,"what":"decision","job":"j","source":"script","decision":"admitted","code":"within_limits","run":1}
    {"at":0.0,"what":"log","line":"DEBUG | Job execution allowed | job_type=j action=scheduled reason=within_limits"}
    {"at":0.0,"what":"log","line":"INFO | Scheduled job enqueued successfully | job_type=j pending_count=1"}
    {"at":0.0,"what":"state","job":"j","run":1,"state":"queued"}
    {"at":0.0,"what":"state","job":"j","run":1,"state":"running","attempt":1,"args":{"wallet":"SP2X0"}}
    {"at":0.2505,"what":"state","job":"j","run":1,"state":"succeeded"}
    "#);
    let json: serde_json::Value = serde_json::from_str(&stdout(&simulate(scenario, &["-o", "json"]))).expect("JSON");
    assert_eq!(json.as_array().map(Vec::len), Some(4));
}

#[test]
fn identical_skips_are_counted_in_the_log() {
    let scenario = r#"
        [jobs.j]
        every = "1s"
        [scenario]
        until = "21s"
        takes = { j = "hang" }
    "#;
    let lines = stdout(&simulate(scenario, &["-o", "jsonl", "--log"]));
    let log: Vec<&str> = lines.lines().filter(|line| line.contains("Skipping")).collect();
    insta::assert_snapshot!(log.join("\n"), @r#"
    {"at":1.0,"what":"log","line":"INFO | Skipping job execution - concurrency limit reached | job_type=j action=skipped reason=concurrency_limit"}
    {"at":11.0,"what":"log","line":"INFO | Skipping job execution - concurrency limit reached | job_type=j action=skipped reason=concurrency_limit repeated=9"}
    {"at":21.0,"what":"log","line":"INFO | Skipping job execution - concurrency limit reached | job_type=j action=skipped reason=concurrency_limit repeated=10"}
    "#);
}

#[test]
fn a_bad_scenario_names_the_place() {
    insta::assert_snapshot!(refused("[jobs.j]\n[scenario]\nuntil = 90\n"), @r#"
    error: a duration needs its unit
     --> FILE:3:9
      |
    3 | until = 90
      |         ^^ "90s", "90m"?
    "#);
    insta::assert_snapshot!(refused("[jobs.j]\nevry = \"1h\"\n[scenario]\nuntil = \"90s\"\n"), @r#"
    error: unknown key `evry` in job `j`
     --> FILE:2:1
      |
    2 | evry = "1h"
      | ^^^^ did you mean `every`?
    "#);
    insta::assert_snapshot!(refused("[jobs.j\n[scenario]\n"), @r"
    error: unclosed table, expected `]`
     --> FILE:1:8
      |
    1 | [jobs.j
      |        ^
    ");
    let cancel = "[jobs.j]\n[scenario]\nuntil = \"90s\"\n[[scenario.event]]\nat = \"1s\"\ncancel = 5\n";
    insta::assert_snapshot!(refused(cancel), @r"
    error: there is no run 5
     --> FILE:6:1
      |
    6 | cancel = 5
      | ^^^^^^ at this time
    ");
}

#[test]
fn a_scenario_that_is_not_there() {
    let output = Command::new(env!("CARGO_BIN_EXE_jobstile"))
        .args(["simulate", "--scenario", "/nowhere/s.toml"])
        .limited()
        .expect("the program starts");
    assert_eq!(output.status.code(), Some(78));
    assert!(String::from_utf8_lossy(&output.stderr).contains("there is no file /nowhere/s.toml"), "{output:?}");
}
