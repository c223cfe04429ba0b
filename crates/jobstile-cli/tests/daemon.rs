//! The daemon, for real: started, killed, asked to stop, three at once.

#[path = "daemon/certificates.rs"]
mod certificates;
#[path = "daemon/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::io::Read;
use std::process::Stdio;
use std::time::{Duration, Instant};

use jobstile_child::Limited as _;

use jobstile::core::decide::Decision;
use jobstile::core::id::RunId;
use jobstile::core::outcome::Outcome;
use jobstile::core::run::State;
use jobstile::store::read::DecisionFilter;
use support::{Daemon, Folder, wait, wait_for};

/// How long three daemons share a store.
fn together() -> Duration {
    let seconds = std::env::var("JOBSTILE_TOGETHER_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(20);
    Duration::from_secs(seconds)
}

#[test]
fn three_daemons_on_one_file_never_overlap_and_decide_each_tick_once() {
    // The job holds a lock of the kernel while it runs; one that does not get it leaves a mark.
    let folder = Folder::new(
        r#"
        [jobs.one]
        every = "500ms"
        max_concurrent = 1
        shell = "flock -n lock sh -c 'echo ran >> ran; sleep 0.3' || echo overlap >> overlap"
        "#,
    );
    let mut daemons = vec![folder.serve(&[])];
    let client = folder.client();
    wait("the first run", || (!folder.read("ran").is_empty()).then_some(()));
    daemons.push(folder.serve(&["--join"]));
    daemons.push(folder.serve(&["--join"]));
    let end = Instant::now() + together();
    wait("three nodes", || (client.nodes(10).unwrap().len() == 3).then_some(()));
    while Instant::now() < end {
        std::thread::sleep(Duration::from_millis(100));
    }
    for daemon in &daemons {
        daemon.signal("TERM");
    }
    for daemon in daemons {
        assert_eq!(daemon.end(), Some(0), "{}", folder.read("log"));
    }
    assert_eq!(folder.read("overlap"), "");
    let filter = DecisionFilter { limit: 100_000, ..DecisionFilter::default() };
    let mut instants: BTreeMap<i64, u32> = BTreeMap::new();
    for decision in client.decisions(&filter).unwrap() {
        if let Some(nominal) = decision.nominal.filter(|_| decision.decision != Decision::Missed) {
            *instants.entry(nominal.0).or_default() += 1;
        }
    }
    assert!(instants.len() as u64 > together().as_secs(), "{} instants", instants.len());
    assert!(instants.values().all(|n| *n == 1), "{instants:?}");
    let ran = folder.read("ran").lines().count();
    assert!(ran > instants.len() / 3, "{ran} runs in {} instants", instants.len());
    assert_eq!(client.verify().unwrap(), []);
}

#[test]
fn a_thousand_triggers_behind_a_long_run_give_one_follow_up_that_starts_after_the_last() {
    let folder = Folder::new(
        r#"
        [jobs.sync]
        overlap = "queue-one"
        shell = "while [ ! -e go ]; do sleep 0.02; done"
        "#,
    );
    let daemon = folder.serve(&[]);
    let mut client = folder.client();
    wait("the job", || client.job("sync").unwrap());
    let first = folder.trigger(&mut client, "sync").run.unwrap();
    wait_for(&client, first, "running");
    let decisions: Vec<_> = (0..1_000).map(|_| folder.trigger(&mut client, "sync")).collect();
    let last = client.now();
    let follow_up = decisions[0].run.unwrap();
    assert!(decisions[1..].iter().all(|d| d.decision == Decision::Skipped && d.by == Some(follow_up)));
    folder.write("go", "");
    wait_for(&client, follow_up, "succeeded");
    let attempts = client.attempts(follow_up).unwrap();
    assert!(attempts[0].claimed_at > last, "{attempts:?} {last:?}");
    assert_eq!(client.store().unwrap().next_run, RunId(follow_up.0 + 1), "no further run");
    assert_eq!(client.verify().unwrap(), []);
    daemon.signal("TERM");
    assert_eq!(daemon.end(), Some(0));
}

#[test]
fn reload_prints_the_daemons_answer_and_a_refusal_is_kept() {
    let old = "[jobs.old]\nshell = \"while [ ! -e go ]; do sleep 0.02; done\"\nmax_concurrent = 1\nmax_waiting = 5\n";
    let tick = "[jobs.tick]\nevery = \"1h\"\nshell = \"true\"\n";
    let folder = Folder::new(&format!("{old}{tick}"));
    let reload = |more: &[&str]| folder.program().arg("reload").args(more).limited().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    // Without a store, and with one that nobody works on.
    let said = reload(&[]);
    assert_eq!(said.status.code(), Some(3), "{}", text(&said.stderr));
    let daemon = folder.serve(&[]);
    let mut client = folder.client();
    wait("the job", || client.job("old").unwrap());
    let runs = [folder.trigger(&mut client, "old").run.unwrap(), folder.trigger(&mut client, "old").run.unwrap()];
    wait_for(&client, runs[0], "running");

    let said = reload(&[]);
    assert_eq!(said.status.code(), Some(0), "{}", text(&said.stderr));
    assert!(text(&said.stdout).ends_with("again: version 2; nothing changed\n"), "{}", text(&said.stdout));

    folder.write("jobstile.toml", &format!("{tick}evry = 3\n"));
    let said = reload(&[]);
    assert_eq!(said.status.code(), Some(78));
    let shown = text(&said.stderr);
    assert!(shown.starts_with("error: unknown key `evry`") && shown.contains("^^^^"), "{shown}");
    assert!(shown.trim_end().ends_with("keeps the configuration that it has"), "{shown}");
    let node = client.nodes(1).unwrap().pop().unwrap();
    let refused = node.refused.unwrap();
    assert!(refused.starts_with("jobstile.toml:4:1: unknown key `evry`"), "{refused}");
    assert!(node.reloaded_at.is_some());
    let doctor = || folder.program().arg("doctor").limited().unwrap();
    let ill = doctor();
    let found = text(&ill.stdout);
    assert!(ill.status.code() == Some(1) && found.contains("jobstile.toml:4:1: unknown key `evry`"), "{found}");
    let error: serde_json::Value = serde_json::from_slice(&reload(&["-o", "json"]).stderr).unwrap();
    assert_eq!((error["error"]["kind"].as_str(), error["error"]["hint"].is_string()), (Some("configuration"), true));

    folder.write("jobstile.toml", &format!("{tick}[jobs.fresh]\nshell = \"true\"\n"));
    let found = text(&doctor().stdout);
    assert!(found.contains("refused it at"), "{found}");
    let shown = text(&reload(&[]).stdout);
    assert!(shown.contains("  new: fresh\n"), "{shown}");
    let found = text(&doctor().stdout);
    assert!(found.contains("jobstile.toml is in force since"), "{found}");
    folder.write("jobstile.toml", &format!("{tick}[jobs.fresh]\nshell = \"true\"\nattempts = 2\n"));
    let found = text(&doctor().stdout);
    assert!(found.contains("differs from what was loaded") && found.contains(": changed fresh; to load it"), "{found}");
    assert!(
        shown.contains("removed: old, which still holds 1 running run, 1 queued run: jobstile runs old\n"),
        "{shown}"
    );
    assert_eq!(client.nodes(1).unwrap().pop().unwrap().refused, None, "a good one takes the refusal back");
    folder.write("go", "");
    wait_for(&client, runs[0], "succeeded");
    let log = wait("the log", || Some(folder.read("log")).filter(|log| log.contains("Job removed, its runs stay")));
    assert!(log.contains("WARN | Job removed, its runs stay | job=old running=1 queued=1"), "{log}");
    daemon.signal("TERM");
    assert_eq!(daemon.end(), Some(0));
}

#[test]
fn a_first_start_says_what_starts_now_and_warns_of_what_runs_seldom() {
    let folder = Folder::new(
        "[jobs.backup]\nevery = \"1d\"\nshell = \"true\"\n[jobs.poll]\nevery = \"10s\"\ntimeout = \"1m\"\nshell = \"true\"\n\
         [jobs.late]\nevery = \"2h\"\nfirst = \"after_interval\"\nshell = \"true\"\n",
    );
    let check = |folder: &Folder| folder.program().arg("check").limited().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let said = check(&folder);
    assert!(text(&said.stdout).contains("\nstarts now: backup, poll\n"), "{}", text(&said.stdout));
    let warned = text(&said.stderr);
    assert!(warned.contains("warning: `backup` starts now, then every 1d") && !warned.contains("`poll`"), "{warned}");
    let daemon = folder.serve(&[]);
    let client = folder.client();
    wait("the job", || client.job("backup").unwrap());
    let log = folder.read("log");
    assert!(log.contains("\nstarts now: backup, poll\n") && log.contains("warning: `backup` starts now"), "{log}");
    // What the store knows goes on as before.
    assert!(!text(&check(&folder).stdout).contains("starts now"));
    daemon.signal("TERM");
    assert_eq!(daemon.end(), Some(0));
}

#[test]
fn a_log_that_nobody_reads_stops_neither_the_work_nor_the_end() {
    let jobs = (0..20).map(|n| format!("[jobs.job{n}]\nevery = \"1s\"\nshell = \"echo ran >> ran\"\n"));
    let folder = Folder::new(&jobs.collect::<String>());
    let (mut unread, log) = std::io::pipe().unwrap();
    rustix::pipe::fcntl_setpipe_size(&log, 4096).unwrap();
    let mut serve = folder.program();
    let child = serve.args(["serve", "--echo"]).env("JOBSTILE_LOG", "debug").stdin(Stdio::null()).stdout(log);
    let daemon = Daemon(child.stderr(Stdio::null()).spawn().unwrap());
    drop(serve);
    // More than the pipe holds was printed long ago.
    let ran = || folder.read("ran").lines().count();
    wait("what is done beside a full log", || (ran() >= 120).then_some(()));
    daemon.signal("TERM");
    assert_eq!(daemon.end(), Some(0));
    let mut said = String::new();
    unread.read_to_string(&mut said).unwrap();
    assert!(said.len() <= 8_192, "{} bytes were read by somebody", said.len());
}

#[test]
fn a_missing_command_makes_its_runs_wait_until_it_is_there() {
    let folder = Folder::new("[jobs.tool]\nattempts = 1\ncommand = [\"./tool\"]\n");
    let _daemon = folder.serve(&[]);
    let mut client = folder.client();
    wait("the job", || client.job("tool").unwrap());
    let run = folder.trigger(&mut client, "tool").run.unwrap();
    let node = wait("the node", || client.nodes(1).unwrap().pop());
    let offer = wait("its reasons", || client.offers(&node.row.id).unwrap().pop());
    assert!(offer.reason.as_deref().is_some_and(|reason| reason.contains("tool")), "{offer:?}");
    assert_eq!(client.run(run).unwrap().unwrap().row.state.to_string(), "queued");
    folder.write("tool", "#!/bin/sh\nexit 0\n");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path().join("tool"), executable).unwrap();
    wait_for(&client, run, "succeeded");
    assert_eq!(client.attempts(run).unwrap().len(), 1, "waiting burnt nothing");
}

#[test]
fn a_restart_in_the_middle_of_a_retrys_delay_keeps_it() {
    let folder = Folder::new(
        r#"
        [jobs.flaky]
        attempts = 2
        backoff = { delay = "6s" }
        shell = "[ $JOBSTILE_ATTEMPT = 2 ]"
        "#,
    );
    let daemon = folder.serve(&[]);
    let mut client = folder.client();
    wait("the job", || client.job("flaky").unwrap());
    let run = folder.trigger(&mut client, "flaky").run.unwrap();
    wait_for(&client, run, "retrying");
    let due = client.run(run).unwrap().unwrap().row.due;
    daemon.signal("KILL");
    daemon.end();
    let _daemon = folder.serve(&[]);
    wait_for(&client, run, "succeeded");
    assert_eq!(client.run(run).unwrap().unwrap().row.due, due);
    let attempts = client.attempts(run).unwrap();
    assert_eq!(attempts.len(), 2);
    let second = attempts.iter().find(|attempt| attempt.n == 2).unwrap();
    assert!(second.claimed_at >= due, "{second:?} {due:?}");
}

#[test]
fn a_term_lets_runs_end_and_a_second_one_ends_them() {
    let folder = Folder::new("[jobs.slow]\nshell = \"echo begun > begun; sleep 2; echo done > done\"\n");
    let daemon = folder.serve(&[]);
    let mut client = folder.client();
    wait("the job", || client.job("slow").unwrap());
    let run = folder.trigger(&mut client, "slow").run.unwrap();
    wait("the start", || (!folder.read("begun").is_empty()).then_some(()));
    daemon.signal("TERM");
    assert_eq!(daemon.end(), Some(0));
    assert_eq!(folder.read("done"), "done\n");
    wait_for(&client, run, "succeeded");

    std::fs::remove_file(folder.path().join("begun")).unwrap();
    folder.write("jobstile.toml", "[jobs.slow]\nshell = \"echo begun > begun; sleep 1000\"\n");
    let daemon = folder.serve(&[]);
    let again = wait("the next run", || {
        let decided = folder.trigger(&mut client, "slow");
        decided.run
    });
    wait("the start", || (!folder.read("begun").is_empty()).then_some(()));
    daemon.signal("TERM");
    wait("the word", || folder.read("log").contains("again to end them now").then_some(()));
    std::thread::sleep(Duration::from_millis(200));
    daemon.signal("TERM");
    assert_eq!(daemon.end(), Some(0));
    let row = client.run(again).unwrap().unwrap().row;
    assert_eq!((row.state.to_string().as_str(), row.failures, row.lost), ("queued", 0, 0), "interrupted burns nothing");
}

#[test]
fn a_refused_configuration_needs_attention_until_one_is_taken_and_that_is_an_event() {
    let tick = "[jobs.tick]\nevery = \"1h\"\nfirst = \"after_interval\"\nshell = \"true\"\n";
    let folder = Folder::new(tick);
    let ask = |args: &[&str]| folder.program().args(args).limited().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let daemon = folder.serve(&[]);
    let client = folder.client();
    wait("the job", || client.job("tick").unwrap());
    folder.write("jobstile.toml", &format!("{tick}evry = 3\n"));
    assert_eq!(ask(&["reload"]).status.code(), Some(78));
    let look = ask(&["monitor", "--exit-code"]);
    let shown = text(&look.stdout);
    assert_eq!(look.status.code(), Some(1), "{shown}");
    assert!(shown.contains("attention: 1 configuration refused"), "{shown}");
    assert!(
        shown.contains("configuration refused at ") && shown.contains("jobstile.toml:5:1: unknown key `evry`"),
        "{shown}"
    );
    let look: serde_json::Value = serde_json::from_slice(&ask(&["monitor", "-o", "json"]).stdout).unwrap();
    assert_eq!(look["attention"][0]["kind"], "configuration_refused", "{look:#}");

    folder.write("jobstile.toml", &format!("{tick}[jobs.fresh]\nshell = \"true\"\n"));
    assert_eq!(ask(&["reload"]).status.code(), Some(0));
    let look = ask(&["monitor", "--exit-code"]);
    let shown = text(&look.stdout);
    assert_eq!(look.status.code(), Some(0), "{shown}");
    assert!(shown.contains("configuration read again by ") && shown.contains(": new fresh"), "{shown}");
    daemon.signal("TERM");
    assert_eq!(daemon.end(), Some(0));
}

#[test]
fn a_file_that_is_not_good_is_refused_and_the_old_one_stays() {
    let folder = Folder::new("[jobs.a]\nshell = \"true\"\n");
    let daemon = folder.serve(&[]);
    let client = folder.client();
    wait("the job", || client.job("a").unwrap());
    folder.write("jobstile.toml", "[jobs.a]\nevry = \"1s\"\n");
    daemon.signal("HUP");
    wait("the refusal", || {
        folder
            .read("log")
            .contains("| ERROR | Configuration not changed | reason=\"jobstile.toml:2:1: unknown key `evry`")
            .then_some(())
    });
    assert!(client.job("a").unwrap().unwrap().policy.is_some());
    folder.write("jobstile.toml", "[jobs.b]\nshell = \"true\"\n");
    daemon.signal("HUP");
    wait("the new job", || client.job("b").unwrap());
    wait("the word", || {
        folder.read("log").contains(" | INFO | Configuration read again | jobs=1 version=2\n").then_some(())
    });
    wait("the old one's end", || client.job("a").unwrap().is_none_or(|job| job.policy.is_none()).then_some(()));
    daemon.signal("INT");
    assert_eq!(daemon.end(), Some(0));
    assert!(folder.read("log").ends_with(" | INFO | Stopped\n"), "{}", folder.read("log"));
}

#[test]
fn a_command_that_is_not_there_is_said_once_until_that_changes() {
    let folder = Folder::new("[jobs.a]\ncommand = [\"./absent\"]\n[jobs.b]\nshell = \"true\"\n");
    let daemon = folder.serve(&[]);
    let absent = || folder.read("log").matches(" | WARN | Job cannot run here | job_type=a reason=").count();
    wait("the warning", || (absent() == 1).then_some(()));
    folder.write("absent", "#!/bin/sh\n");
    let may_run = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path().join("absent"), may_run).unwrap();
    daemon.signal("HUP");
    let again = " | INFO | Job can run here again | job_type=a\n";
    wait("the good news", || folder.read("log").contains(again).then_some(()));
    daemon.signal("TERM");
    assert_eq!(daemon.end(), Some(0));
    let log = folder.read("log");
    assert!(absent() == 1 && !log.contains("job_type=b reason"), "{log}");
}

#[test]
fn as_json_everything_is_json() {
    let folder = Folder::new("[jobs.a]\nevery = \"1h\"\nshell = \"echo one; echo two\"\n");
    let daemon = folder.serve(&["--echo", "--log-format", "json"]);
    wait("the output", || folder.read("log").contains("\"two\"").then_some(()));
    daemon.signal("HUP");
    wait("the reload", || folder.read("log").contains("read again").then_some(()));
    daemon.signal("TERM");
    assert_eq!(daemon.end(), Some(0));
    let out = folder.read("log");
    let lines: Vec<serde_json::Value> =
        out.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect();
    let said: Vec<&str> = lines.iter().map(|line| line["message"].as_str().unwrap()).collect();
    assert_eq!((said[0], said[said.len() - 1]), ("Starting", "Stopped"), "{out}");
    let printed: Vec<&str> = lines.iter().filter_map(|line| line["line"].as_str()).collect();
    assert_eq!(printed, ["one", "two"]);
}

#[test]
fn a_second_daemon_is_refused_and_says_who_is_at_work() {
    let folder = Folder::new("[jobs.a]\nshell = \"true\"\n");
    let _daemon = folder.serve(&[]);
    let client = folder.client();
    wait("the job", || client.job("a").unwrap());
    let second = folder.program().arg("serve").limited().unwrap();
    assert_eq!(second.status.code(), Some(2));
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains("already works on this store") && said.contains("--join"), "{said}");
}

#[test]
fn a_daemon_whose_store_is_moved_away_stops_and_says_so() {
    let folder = Folder::new("[jobs.tick]\nevery = \"200ms\"\nshell = \"echo >> ran\"\n");
    let daemon = folder.serve(&[]);
    wait("the first run", || (!folder.read("ran").is_empty()).then_some(()));
    std::fs::rename(folder.path().join(".jobstile"), folder.path().join("moved")).unwrap();
    assert_eq!(daemon.end(), Some(69), "{}", folder.read("log"));
    let ran = folder.read("ran");
    assert!(folder.read("log").contains("deleted or replaced while it was open"), "{}", folder.read("log"));
    // Its place is free for another one; nobody else has run anything meanwhile.
    let next = folder.serve(&[]);
    wait("a run", || (folder.read("ran").len() > ran.len()).then_some(()));
    next.signal("TERM");
    assert_eq!(next.end(), Some(0), "{}", folder.read("log"));
}

#[test]
fn asking_it_to_stop_loses_no_attempt_whenever_that_is() {
    let folder = Folder::new("[jobs.one]\noverlap = \"queue\"\nshell = \"echo >> ran; sleep 0.02\"\n");
    let mut client = {
        let daemon = folder.serve(&[]);
        let client = wait("the job", || folder.client().job("one").unwrap().map(|_| folder.client()));
        daemon.signal("TERM");
        assert_eq!(daemon.end(), Some(0), "{}", folder.read("log"));
        client
    };
    let runs: Vec<RunId> = (0..60).map(|_| folder.trigger(&mut client, "one").run.unwrap()).collect();
    for round in 0..12u64 {
        let (daemon, ran) = (folder.serve(&[]), folder.read("ran").len());
        wait("a run", || (folder.read("ran").len() > ran).then_some(()));
        // At every point of a run, and between two.
        std::thread::sleep(Duration::from_millis(round * 3));
        daemon.signal("TERM");
        assert_eq!(daemon.end(), Some(0), "{}", folder.read("log"));
    }
    let mut succeeded = 0;
    for run in runs {
        let state = client.run(run).unwrap().unwrap().row.state;
        let outcomes: Vec<_> = client.attempts(run).unwrap().into_iter().map(|attempt| attempt.outcome).collect();
        match state {
            // What had begun has ended well and once, the rest still waits: nothing was lost or interrupted.
            State::Succeeded => assert_eq!(outcomes, [Some(Outcome::Success)], "run {run}"),
            State::Queued => assert_eq!(outcomes, [], "run {run}"),
            other => panic!("run {run} is {other}: {outcomes:?}"),
        }
        succeeded += usize::from(state == State::Succeeded);
    }
    assert!(succeeded >= 12, "{succeeded} runs in 12 rounds");
    assert_eq!(folder.read("ran").lines().count(), succeeded);
}

#[test]
fn what_other_processes_decide_is_logged_by_the_same_contract() {
    let folder = Folder::new(
        "[jobs.poll]\nmonitoring = true\nevery = \"1h\"\nfirst = \"after_interval\"\nshell = \"while [ ! -e go ]; do sleep 0.02; done\"\n",
    );
    let daemon = folder.serve(&[]);
    let mut client = folder.client();
    wait("the job", || client.job("poll").unwrap());
    let first = folder.trigger(&mut client, "poll").run.unwrap();
    wait_for(&client, first, "running");
    folder.trigger(&mut client, "poll");
    let lines = wait("two lines", || {
        let log = folder.read("log");
        let of_cli: Vec<String> = log.lines().filter(|l| l.contains("source=cli")).map(ToOwned::to_owned).collect();
        (of_cli.len() == 2).then_some(of_cli)
    });
    let admitted =
        "| INFO | Scheduled job enqueued successfully | job_type=poll pending_count=1 source=cli run=1 running=0";
    assert!(lines[0].contains(admitted), "{}", lines[0]);
    let skipped = "| INFO | Deduplicating monitoring job in executor | job_type=poll";
    assert!(lines[1].contains(skipped) && lines[1].contains("aggressive_deduplication=True"), "{}", lines[1]);
    folder.write("go", "");
    daemon.signal("TERM");
    assert_eq!(daemon.end(), Some(0), "{}", folder.read("log"));
}

#[test]
fn a_daemon_whose_lock_file_is_deleted_or_replaced_ends_what_it_runs() {
    for replaced in [false, true] {
        let folder = Folder::new("[jobs.long]\nevery = \"1h\"\nshell = \"echo $$ > pid; exec sleep 300\"\n");
        let daemon = folder.serve(&[]);
        wait("the first run", || (!folder.read("pid").is_empty()).then_some(()));
        let locks = folder.path().join(".jobstile/jobstile.db-nodes");
        if replaced {
            let away = folder.path().join("away");
            std::fs::rename(&locks, &away).unwrap();
            std::fs::create_dir(&locks).unwrap();
            for file in std::fs::read_dir(&away).unwrap() {
                std::fs::write(locks.join(file.unwrap().file_name()), "").unwrap();
            }
        } else {
            std::fs::remove_dir_all(locks).unwrap();
        }
        assert_eq!(daemon.end(), Some(69), "{}", folder.read("log"));
        assert!(folder.read("log").contains("deleted or replaced while it was held"), "{}", folder.read("log"));
        let pid = folder.read("pid").trim().to_owned();
        assert!(!std::path::Path::new("/proc").join(&pid).exists(), "{pid} lives");
    }
}
