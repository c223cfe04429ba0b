//! The three switches: all 8 combinations, for a monitoring and an ordinary job, with one and two
//! at once, idle, waiting, running and retrying, for a tick and a trigger.

mod table;

use serde_json::Value;

use table::TABLE;

/// One case of the 256, in the order of the table's columns.
type Case = [&'static str; 7];

fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    for dedup in ["on", "off"] {
        for aggressive in ["on", "off"] {
            for stacking in ["on", "off"] {
                for kind in ["M", "O"] {
                    for max in ["1", "2"] {
                        for state in ["idle", "waiting", "running", "retrying"] {
                            for source in ["tick", "trigger"] {
                                all.push([dedup, aggressive, stacking, kind, max, state, source]);
                            }
                        }
                    }
                }
            }
        }
    }
    all
}

/// Columns of the one row that speaks of this case: decision, code, then, log.
fn row(case: &Case) -> [&'static str; 4] {
    let mut found = Vec::new();
    for line in TABLE.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let words: Vec<&str> = line.split_whitespace().filter(|w| *w != "|").collect();
        assert_eq!(words.len(), 11, "{line}");
        if (0..7).all(|i| words[i] == "*" || words[i] == case[i]) {
            found.push([words[7], words[8], words[9], words[10]]);
        }
    }
    assert_eq!(found.len(), 1, "rows for {case:?}");
    found[0]
}

fn job(case: &Case) -> &'static str {
    if case[3] == "M" { "chain_state_monitor" } else { "ordinary" }
}

/// Brings the job into its state by 2 s; the tick or trigger comes at 10 s.
fn scenario(case: &Case) -> String {
    let [dedup, aggressive, stacking, _, max, state, source] = *case;
    let name = job(case);
    let every = if source == "tick" { "10s" } else { "1h" };
    let takes = match state {
        "retrying" => "[\"1s fail\", \"hang\"]",
        _ => "\"hang\"",
    };
    let mut text = format!(
        r#"
        [jobs.{name}]
        every = "{every}"
        first = "after_interval"
        max_concurrent = {max}
        attempts = 2
        backoff = {{ delay = "1h" }}
        [jobs.other]
        [scenario]
        until = "15s"
        workers = {workers}
        takes = {{ {name} = {takes}, other = "hang" }}
        env = {{ AIBTC_JOB_DEDUPLICATION_ENABLED = "{dedup}", AIBTC_AGGRESSIVE_DEDUPLICATION_ENABLED = "{aggressive}", AIBTC_JOB_STACKING_PREVENTION_ENABLED = "{stacking}" }}
        "#,
        workers = if state == "waiting" { 1 } else { 10 },
    );
    let mut event = |at: &str, what: &str, job: &str| {
        text += &format!("[[scenario.event]]\nat = \"{at}\"\n{what} = \"{job}\"\n");
    };
    match state {
        "idle" => {}
        "waiting" => {
            // It waits for the only worker, which another job's run has.
            event("0s", "pause", name);
            event("0s", "trigger", name);
            event("1s", "trigger", "other");
            event("2s", "resume", name);
        }
        _ => event("0s", "trigger", name),
    }
    if source == "trigger" {
        event("10s", "trigger", name);
    }
    text
}

/// What the facts say of the instant 10 s, in the words of the table.
fn observed(case: &Case, facts: &[Value]) -> Vec<String> {
    let now: Vec<&Value> = facts.iter().filter(|f| f["at"] == 10.0).collect();
    let decision =
        now.iter().find(|f| f["what"] == "decision").unwrap_or_else(|| panic!("no decision at 10 s for {case:?}"));
    // The run of the state is the job's first, so it is run 1.
    let by = |fact: &Value| match fact["by"].as_u64() {
        None => "",
        Some(1) => ":it",
        Some(_) => ":another",
    };
    let then = match decision["run"].as_u64() {
        None => "-".to_owned(),
        Some(run) => {
            let last =
                now.iter().rfind(|f| f["what"] == "state" && f["run"] == run).expect("a state of the admitted run");
            match last["state"].as_str() {
                Some("queued") => "waits".to_owned(),
                Some("running") => "starts".to_owned(),
                Some("refused") => format!("refused{}", by(last)),
                _ => last.to_string(),
            }
        }
    };
    let mut seen = vec![
        decision["decision"].as_str().unwrap_or("").to_owned(),
        format!("{}{}", decision["code"].as_str().unwrap_or(""), by(decision)),
        then,
    ];
    let lines = now.iter().filter(|f| f["what"] == "log");
    seen.extend(lines.map(|f| f["line"].as_str().unwrap_or("").to_owned()));
    seen
}

/// The log lines that a word of the table's last column stands for.
fn lines(case: &Case, word: &str) -> Vec<String> {
    let name = job(case);
    let skip = "INFO | Skipping job execution - concurrency limit reached";
    let duplicate = "INFO | Deduplicating monitoring job in executor";
    let last = "INFO | Final execution check - skipping duplicate monitoring job";
    let allowed = "DEBUG | Job execution allowed";
    let enqueued = "INFO | Scheduled job enqueued successfully";
    let admitted = |pending: u32| {
        vec![
            format!("{allowed} | job_type={name} action=scheduled reason=within_limits"),
            format!("{enqueued} | job_type={name} pending_count={pending}"),
        ]
    };
    match word {
        "level-1" => vec![format!("{skip} | job_type={name} action=skipped reason=concurrency_limit")],
        "level-2" => vec![format!("{duplicate} | job_type={name} aggressive_deduplication=True")],
        "enqueued-1" => admitted(1),
        "enqueued-2" => admitted(2),
        "enqueued-1,final" => {
            let mut lines = admitted(1);
            lines.push(format!("{last} | reason=concurrent_execution_detected"));
            lines
        }
        other => panic!("{other} is no word of the last column"),
    }
}

/// Compares a replay, with its log, to the whole table.
pub(crate) fn check(replay: impl Fn(&str) -> Result<Vec<Value>, String>) {
    let mut wrong = String::new();
    for case in cases() {
        let [decision, code, then, log] = row(&case);
        let mut expected = vec![decision.to_owned(), code.to_owned(), then.to_owned()];
        expected.extend(lines(&case, log));
        let seen = match replay(&scenario(&case)) {
            Ok(facts) => observed(&case, &facts),
            Err(error) => vec![error],
        };
        if seen != expected {
            wrong += &format!("{case:?}\n  expected {expected:?}\n  got      {seen:?}\n");
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn the_table_speaks_of_each_case_once() {
    let cases = cases();
    assert_eq!(cases.len(), 256);
    for case in &cases {
        row(case);
    }
}
