//! What a command sees, what is kept of what it says, and how its end is told.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use jobstile::runner::command::Place;
use jobstile::runner::output::{self, Follow, Next};
use jobstile::runner::progress::{Listener, Progress};
use jobstile::runner::{Attempt, Command, Definition, Exit, Outcome, Shell, sweep};

use crate::support::{Node, attempt, block_on, environment, keeper_of, until};

crate::tests![
    a_command_that_exits_with_0_succeeds,
    a_failure_says_its_code_and_its_last_line,
    every_deadly_signal_is_told,
    the_environment_is_exactly_what_was_promised,
    arguments_come_on_standard_input,
    arguments_that_nobody_reads_do_no_harm,
    long_arguments_are_not_put_into_the_environment,
    descriptors_0_1_2_and_the_attempts_lock_and_no_others,
    what_is_written_stays_in_order,
    no_character_is_cut_where_nothing_is_left_out,
    what_can_never_start_has_failed,
    a_command_gives_a_result_and_says_how_far_it_is,
    signals_are_as_in_a_fresh_process,
    what_cannot_start_is_not_started_and_says_why,
    can_run_looks_where_the_command_will_look,
    an_env_file_is_read_at_each_start,
    a_flood_is_bounded_on_disk_and_in_memory,
    output_can_be_followed_while_it_is_written,
    a_thousand_short_commands_leave_nothing,
];

fn a_command_that_exits_with_0_succeeds() {
    block_on(async {
        let node = Node::new();
        let ended = node.run(attempt(), &node.command(&["echo", "hello", "two  words", "$HOME"])).await;
        assert_eq!(ended.outcome, Outcome::Success);
        assert_eq!(ended.exit, Some(Exit::Code(0)));
        assert_eq!(ended.message, None);
        assert_eq!(ended.output.head, b"hello two  words $HOME\n");
        assert_eq!(ended.output.dropped, 0);
        node.end().await;
    });
}

fn a_failure_says_its_code_and_its_last_line() {
    block_on(async {
        let node = Node::new();
        let line = "echo fine; echo '502 Bad Gateway: api.hiro.so' >&2; echo; exit 1";
        let ended = node.run(attempt(), &node.shell(line)).await;
        assert_eq!(ended.outcome, Outcome::Failure);
        assert_eq!(ended.message.as_deref(), Some("exit code 1, \"502 Bad Gateway: api.hiro.so\""));
        // Without standard error the last line of standard output will do, and nothing in it acts on a terminal.
        let ended = node.run(attempt(), &node.shell("printf 'one\\n\\033[31mtwo\\n'; exit 255")).await;
        assert_eq!(ended.message.as_deref(), Some("exit code 255, \"\\x1b[31mtwo\""));
        node.end().await;
    });
}

fn every_deadly_signal_is_told() {
    block_on(async {
        let node = Node::new();
        for (signal, text) in
            [(1, "1 (SIGHUP)"), (9, "9 (SIGKILL)"), (11, "11 (SIGSEGV)"), (13, "13 (SIGPIPE)"), (40, "40")]
        {
            let ended = node.run(attempt(), &node.shell(&format!("kill -{signal} $$"))).await;
            assert_eq!(ended.outcome, Outcome::Failure);
            assert_eq!(ended.exit, Some(Exit::Signal(signal)));
            assert_eq!(ended.message, Some(format!("ended by signal {text}")));
        }
        node.end().await;
    });
}

fn the_environment_is_exactly_what_was_promised() {
    block_on(async {
        let node = Node::with(|context| {
            context.store = Some("/var/lib/jobstile/jobstile.db".into());
            context.environment = environment(&[
                ("PATH", "/usr/bin:/bin"),
                ("HOME", "/home/jobs"),
                ("LC_TIME", "it_IT.UTF-8"),
                ("SECRET", "no"),
                ("HIRO_API_KEY", "key"),
                ("HIROSHIMA", "no"),
                ("MODE", "daemon"),
                ("JOBSTILE_LOG", "debug"),
                ("JOBSTILE_ARGS", "no"),
            ]);
        });
        fs::write(node.path("env"), "# for the app\nFROM_FILE=yes\nMODE=file\nexport QUOTED=\"a b\"\n")
            .expect("written");
        let mut attempt = attempt();
        attempt.args = r#"{"wallet":"SP2X0"}"#.into();
        attempt.attempt = 3;
        let place = Place {
            env: [("MODE".to_owned(), "fast".to_owned())].into(),
            env_file: Some("env".into()),
            pass_env: vec!["HIRO_*".to_owned(), "ABSENT".to_owned()],
            ..node.place()
        };
        let argv = vec!["env".to_owned(), "-0".to_owned()];
        let (run, fence) = (attempt.run, attempt.fence);
        let ended = node.run(attempt, &Definition::Command(Command { argv, place })).await;
        let text = String::from_utf8(ended.output.head).expect("text");
        let mut seen: Vec<&str> = text.split_terminator('\0').collect();
        seen.sort_unstable();
        let mut promised = vec![
            "FROM_FILE=yes".to_owned(),
            "HIRO_API_KEY=key".to_owned(),
            "HOME=/home/jobs".to_owned(),
            r#"JOBSTILE_ARGS={"wallet":"SP2X0"}"#.to_owned(),
            "JOBSTILE_ATTEMPT=3".to_owned(),
            format!("JOBSTILE_FENCE={fence}"),
            "JOBSTILE_JOB=job".to_owned(),
            format!("JOBSTILE_MARK={}", sweep::mark("", &node.id)),
            format!("JOBSTILE_NODE={}", node.id),
            format!("JOBSTILE_RUN_ID={run}"),
            "JOBSTILE_STORE=sqlite:///var/lib/jobstile/jobstile.db".to_owned(),
            "LC_TIME=it_IT.UTF-8".to_owned(),
            "MODE=fast".to_owned(),
            "PATH=/usr/bin:/bin".to_owned(),
            "QUOTED=a b".to_owned(),
        ];
        promised.sort_unstable();
        assert_eq!(seen, promised);
        node.end().await;
    });
}

fn arguments_come_on_standard_input() {
    block_on(async {
        let node = Node::new();
        let mut with = attempt();
        with.args = r#"{"text":"é\u0000"}"#.into();
        let ended = node.run(with.clone(), &node.command(&["cat"])).await;
        assert_eq!(ended.output.head, with.args.as_bytes());
        let ended = node.run(attempt(), &node.command(&["cat"])).await;
        assert_eq!(ended.output.head, b"", "without arguments there is nothing to read");
        // More than a pipe takes at once.
        let mut large = attempt();
        large.args = format!("\"{}\"", "x".repeat(1 << 20)).into();
        let ended = node.run(large, &node.shell("sleep 0.1; wc -c")).await;
        assert_eq!(ended.output.head, b"1048578\n");
        node.end().await;
    });
}

fn arguments_that_nobody_reads_do_no_harm() {
    block_on(async {
        let node = Node::new();
        let mut large = attempt();
        large.args = format!("\"{}\"", "x".repeat(1 << 20)).into();
        assert_eq!(node.run(large.clone(), &node.command(&["true"])).await.outcome, Outcome::Success);
        let mut large = attempt();
        large.args = format!("\"{}\"", "x".repeat(1 << 20)).into();
        assert_eq!(node.run(large, &node.shell("exec <&-; echo closed")).await.outcome, Outcome::Success);
        node.end().await;
    });
}

fn long_arguments_are_not_put_into_the_environment() {
    block_on(async {
        let node = Node::new();
        for (length, seen) in [(32 << 10, "32768 given\n"), ((32 << 10) + 1, "32769 not\n")] {
            let mut attempt = attempt();
            attempt.args = format!("\"{}\"", "x".repeat(length - 2)).into();
            let line = "printf '%s ' $(wc -c); env | grep -q '^JOBSTILE_ARGS=' && echo given || echo not";
            assert_eq!(String::from_utf8_lossy(&node.run(attempt, &node.shell(line)).await.output.head), seen);
        }
        node.end().await;
    });
}

fn descriptors_0_1_2_and_the_attempts_lock_and_no_others() {
    block_on(async {
        // The node's lock, and something that this program inherited without knowing.
        let dir = tempfile::tempdir().expect("a folder");
        let lock = jobstile::engine::node::NodeLock::take(dir.path(), "a").expect("a lock");
        let stray = fs::File::open("/dev/null").expect("a file");
        rustix::io::fcntl_setfd(&stray, rustix::io::FdFlags::empty()).expect("inheritable");
        let node = Node::with(|context| context.lock = Some(lock.share().expect("shared")));
        // `ls` itself has the folder open as a further one.
        let list = "ls /proc/self/fd; readlink /proc/self/fd/[0-9][0-9]*";
        let attempt = attempt();
        let file = jobstile::runner::lock::path(node.dir.path(), attempt.run, attempt.fence);
        let file =
            file.parent().expect("a folder").canonicalize().expect("there").join(file.file_name().expect("a name"));
        let ended = node.run(attempt, &node.shell(list)).await;
        let text = String::from_utf8_lossy(&ended.output.head).into_owned();
        assert_eq!(text, format!("0\n1\n1023\n2\n3\n{}\n", file.display()));
        assert!(!file.exists(), "it is removed with the attempt");
        let ended = node.run(crate::support::attempt(), &node.lockless(list)).await;
        assert_eq!(String::from_utf8_lossy(&ended.output.head), "0\n1\n2\n3\n", "and none where it is switched off");
        let keeper = keeper_of(std::process::id()).expect("a keeper");
        let held = fs::read_dir(format!("/proc/{keeper}/fd"))
            .expect("its files")
            .flatten()
            .filter(|file| fs::read_link(file.path()).is_ok_and(|target| target == dir.path().join("a.lock")))
            .count();
        assert_eq!(held, 1, "the keeper holds the lock");
        node.end().await;
    });
}

fn what_is_written_stays_in_order() {
    block_on(async {
        let node = Node::new();
        let line = "for n in 1 2 3 4 5 6 7 8 9; do echo out $n; echo err $n >&2; done";
        let ended = node.run(attempt(), &node.shell(line)).await;
        let written: String = (1..=9).map(|n| format!("out {n}\nerr {n}\n")).collect();
        assert_eq!(String::from_utf8_lossy(&ended.output.head), written);
        node.end().await;
    });
}

fn no_character_is_cut_where_nothing_is_left_out() {
    block_on(async {
        let node = Node::new();
        let ended = node.run(attempt(), &node.shell("printf x; yes é | head -n 10000 | tr -d '\n'")).await;
        let output = ended.output;
        assert_eq!(output.dropped, 0);
        let head = String::from_utf8(output.head).expect("whole characters");
        let tail = String::from_utf8(output.tail).expect("whole characters");
        assert_eq!(head + &tail, format!("x{}", "é".repeat(10_000)));
        // Nor at the edges of what is left out, which are counted.
        let ended = node.run(attempt(), &node.shell("printf x; yes é | head -n 100000 | tr -d '\n'")).await;
        let output = ended.output;
        let kept = [String::from_utf8(output.head), String::from_utf8(output.tail)].map(|text| text.expect("whole"));
        assert_eq!(kept.map(|text| text.len() as u64).iter().sum::<u64>() + output.dropped, 200_001);
        node.end().await;
    });
}

fn what_can_never_start_has_failed() {
    block_on(async {
        let node = Node::new();
        let path = node.path("script");
        let shown = path.display();
        let cases = [
            ("", 126, format!("cannot start {shown}: the file is empty")),
            ("echo hello\n", 126, format!("cannot start {shown}: no executable format, and no `#!` in its first line")),
            ("#!/nosuch\n", 127, format!("cannot start {shown}: its interpreter /nosuch does not exist")),
            (
                "#!/bin/sh\r\n",
                127,
                format!(
                    "cannot start {shown}: its interpreter /bin/sh\\r does not exist: the line ends in a carriage return, as on Windows"
                ),
            ),
        ];
        for (text, code, message) in cases {
            fs::write(&path, text).expect("written");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("set");
            let ended = node.run(attempt(), &node.command(&["./script"])).await;
            assert_eq!((ended.outcome, ended.exit), (Outcome::Failure, Some(Exit::Code(code))), "{text:?}");
            assert_eq!(ended.message, Some(message));
        }
        let long = "x".repeat(3_000_000);
        let ended = node.run(attempt(), &node.command(&["true", &long])).await;
        assert_eq!((ended.outcome, ended.exit), (Outcome::Failure, Some(Exit::Code(126))));
        let message = ended.message.expect("a message");
        assert!(message.ends_with("/true: its arguments and environment are too long for the kernel"), "{message}");
        let files = fs::read_dir(node.dir.path()).expect("readable").count();
        assert_eq!(files, 1, "no file of an attempt is left");
        node.end().await;
    });
}

fn a_command_gives_a_result_and_says_how_far_it_is() {
    block_on(async {
        let node = Node::new();
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let progress = Listener::new(move |progress| drop(tell.send(progress)));
        let line = "echo ::progress 1/3 wallets; until [ -e go ]; do sleep 0.01; done; \
            echo ::progress 3/3 wallets; echo '::result {\"rows\": 3}'";
        let running = node.start(Attempt { progress, ..attempt() }, node.shell(line));
        let at = |done| Some(Progress { done, total: Some(3), words: "wallets".to_owned() });
        assert_eq!(told.recv().await, at(1), "while it runs");
        fs::write(node.path("go"), "").expect("written");
        let ended = running.ended().await;
        assert_eq!(told.recv().await, at(3));
        assert_eq!((ended.outcome, ended.result.as_deref()), (Outcome::Success, Some("{\"rows\": 3}")));
        // A failure gives none, and one that is no JSON is none.
        let ended = node.run(attempt(), &node.shell("echo real; echo '::result 1'; exit 1")).await;
        assert_eq!((ended.result, ended.message.as_deref()), (None, Some("exit code 1, \"real\"")));
        assert_eq!(node.run(attempt(), &node.shell("echo ::result {")).await.result, None);
        node.end().await;
    });
}

fn signals_are_as_in_a_fresh_process() {
    block_on(async {
        let node = Node::new();
        let ended = node.run(attempt(), &node.command(&["grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"])).await;
        let text = String::from_utf8_lossy(&ended.output.head).into_owned();
        let mask = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("a mask");
            // Signals 1 to 31; the C library keeps the two after them for itself.
            u64::from_str_radix(line.trim(), 16).expect("a number") & 0x7fff_ffff
        };
        assert_eq!(mask("SigBlk:"), 0);
        // What this program, like every Rust program, ignores itself: SIGPIPE. The others are of the process that
        // started it.
        assert_eq!(mask("SigIgn:") & 1 << 12, 0, "{text}");
        let own = fs::read_to_string("/proc/self/status").expect("our own");
        let own = own.lines().find_map(|line| line.strip_prefix("SigIgn:")).expect("a mask");
        let own = u64::from_str_radix(own.trim(), 16).expect("a number") & 0x7fff_ffff;
        assert_eq!(mask("SigIgn:") & !own, 0, "{text}");
        // Its own process group, and no terminal.
        let ended = node.run(attempt(), &node.shell("echo $$; ps -o pgid=,tty= -p $$")).await;
        let text = String::from_utf8_lossy(&ended.output.head).into_owned();
        let words: Vec<&str> = text.split_whitespace().collect();
        assert_eq!(words.len(), 3, "{text}");
        assert_eq!((words[0], words[2]), (words[1], "?"));
        // The first to go when memory is short.
        let ended = node.run(attempt(), &node.command(&["cat", "/proc/self/oom_score_adj"])).await;
        assert_eq!(ended.output.head, b"500\n");
        let keeper = keeper_of(std::process::id()).expect("a keeper");
        let score = fs::read_to_string(format!("/proc/{keeper}/oom_score_adj")).expect("a score");
        assert_eq!(score, fs::read_to_string("/proc/self/oom_score_adj").expect("a score"));
        node.end().await;
    });
}

fn what_cannot_start_is_not_started_and_says_why() {
    block_on(async {
        let node = Node::new();
        let here = node.dir.path().display().to_string();
        fs::write(node.path("plain"), "text").expect("written");
        let path = "/nowhere:/bin";
        let cases = [
            (vec!["./bin/sync-prices"], format!("command not found: {here}/bin/sync-prices")),
            (vec!["./plain"], format!("command not executable: {here}/plain")),
            (vec!["./"], format!("command is a folder: {here}")),
            (vec!["no-such-command"], format!("command not found: no-such-command (PATH is {path})")),
        ];
        for (argv, message) in cases {
            let mut place = node.place();
            place.env.insert("PATH".to_owned(), path.to_owned());
            let argv = argv.into_iter().map(str::to_owned).collect();
            let definition = Definition::Command(Command { argv, place });
            let ended = node.run(attempt(), &definition).await;
            assert_eq!((ended.outcome, ended.exit), (Outcome::NotStarted, None), "{message}");
            assert_eq!(ended.message, Some(message));
        }
        let place = Place { cwd: "/no/such/folder".into(), ..Place::default() };
        let ended = node.run(attempt(), &Definition::Shell(Shell { line: "true".to_owned(), place })).await;
        assert_eq!(ended.message.as_deref(), Some("folder not found: /no/such/folder"));
        assert_eq!(fs::read_dir(node.dir.path()).expect("readable").count(), 1, "no output file is left");
        node.end().await;
    });
}

fn can_run_looks_where_the_command_will_look() {
    let node = Node::new();
    let definition = node.command(&["./tool"]);
    let missing = format!("command not found: {}", node.path("tool").display());
    assert_eq!(node.runners.can_run(&definition), Err(missing));
    fs::write(node.path("tool"), "#!/bin/sh\n").expect("written");
    assert!(node.runners.can_run(&definition).is_err());
    fs::set_permissions(node.path("tool"), fs::Permissions::from_mode(0o755)).expect("set");
    assert_eq!(node.runners.can_run(&definition), Ok(()));
    // In the PATH that the command gets from `env`, from its folder.
    let mut place = node.place();
    place.env.insert("PATH".to_owned(), ".".to_owned());
    let definition = Definition::Command(Command { argv: vec!["tool".to_owned()], place });
    assert_eq!(node.runners.can_run(&definition), Ok(()));
    assert!(node.runners.can_run(&node.command(&["tool"])).is_err());
    let place = Place { env_file: Some("/no/env".into()), ..node.place() };
    let definition = Definition::Shell(Shell { line: "true".to_owned(), place });
    assert_eq!(node.runners.can_run(&definition), Err("env_file not found: /no/env".to_owned()));
    let without = Node::with(|context| context.keeper = None);
    let reason = without.runners.can_run(&without.shell("true")).expect_err("no keeper");
    assert_eq!(reason, "commands need a keeper: name a program that has the verb `keep`");
}

fn an_env_file_is_read_at_each_start() {
    block_on(async {
        let node = Node::new();
        let place = Place { env_file: Some("env".into()), ..node.place() };
        let definition = Definition::Shell(Shell { line: "echo $TOKEN".to_owned(), place });
        for token in ["one", "two"] {
            fs::write(node.path("env"), format!("TOKEN={token}\n")).expect("written");
            let ended = node.run(attempt(), &definition).await;
            assert_eq!(String::from_utf8_lossy(&ended.output.head), format!("{token}\n"));
        }
        fs::write(node.path("env"), "TOKEN=1\nwhat is this\n").expect("written");
        let ended = node.run(attempt(), &definition).await;
        assert_eq!(ended.outcome, Outcome::NotStarted);
        let message = format!("env_file {}: line 2: a line that sets nothing", node.path("env").display());
        assert_eq!(ended.message, Some(message));
        node.end().await;
    });
}

fn a_flood_is_bounded_on_disk_and_in_memory() {
    block_on(async {
        let node = Node::new();
        // 400 MB in numbered lines of eight bytes, the first and the last of which are known.
        let line = "awk 'BEGIN { for (i = 10000000; i < 60000000; i++) print i % 10000000 + 10000000 }'";
        let attempt = attempt();
        let (run, fence) = (attempt.run, attempt.fence);
        let ended = node.run(attempt, &node.shell(line)).await;
        assert_eq!(ended.outcome, Outcome::Success);
        let output = ended.output;
        assert_eq!(output.head.len() as u64, output::HEAD);
        assert_eq!(output.tail.len() as u64, output::TAIL);
        assert_eq!(output.dropped, 9 * 50_000_000 - output::HEAD - output::TAIL);
        assert!(output.head.starts_with(b"10000000\n10000001\n"));
        assert!(output.tail.ends_with(b"19999998\n19999999\n"));
        let size = fs::metadata(output::path(node.dir.path(), run, fence)).expect("a file").len();
        assert!(size <= 64 + output::HEAD + output::RING, "{size} bytes on disk");
        let keeper = keeper_of(std::process::id()).expect("a keeper");
        let status = fs::read_to_string(format!("/proc/{keeper}/status")).expect("a status");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
        let peak: u64 = peak.trim().trim_end_matches(" kB").parse().expect("a number");
        assert!(peak < 40 << 10, "the keeper took {peak} kB");
        node.end().await;
    });
}

fn output_can_be_followed_while_it_is_written() {
    block_on(async {
        let node = Node::new();
        let attempt = attempt();
        let (run, fence) = (attempt.run, attempt.fence);
        let line = "echo first; while [ ! -e go ]; do sleep 0.01; done; seq 1 1000000; echo last";
        let running = node.start(attempt, node.shell(line));
        let mut follow = None;
        until("the file is there", || {
            follow = Follow::open(node.dir.path(), run, fence).ok();
            follow.is_some()
        })
        .await;
        let mut follow = follow.expect("open");
        let (mut seen, mut skipped) = (Vec::new(), 0);
        until("the first line", || match follow.next().expect("readable") {
            Next::Data(data) => {
                seen.extend(data);
                true
            }
            _ => false,
        })
        .await;
        assert_eq!(seen, b"first\n");
        assert_eq!(follow.next().expect("readable"), Next::Wait);
        fs::write(node.path("go"), "").expect("written");
        let start = Instant::now();
        loop {
            assert!(start.elapsed() < Duration::from_secs(20));
            match follow.next().expect("readable") {
                Next::Data(data) => {
                    // Between two gaps the lines are whole and count up.
                    seen.extend(data);
                }
                Next::Skipped(bytes) => {
                    skipped += bytes;
                    seen.extend(b"\n");
                }
                Next::Wait => tokio::task::yield_now().await,
                Next::End => break,
            }
        }
        assert!(seen.ends_with(b"1000000\nlast\n"));
        let gaps = seen.len() as u64 + skipped - (6 + 6_888_896 + 5);
        assert!(gaps <= skipped, "each gap added one byte");
        let text = String::from_utf8(seen).expect("nothing was torn");
        let numbers: Vec<u64> = text.lines().filter_map(|line| line.parse().ok()).collect();
        if skipped == 0 {
            assert!(numbers.iter().copied().eq(1..=1_000_000));
        }
        assert_eq!(running.ended().await.outcome, Outcome::Success);
        output::remove(node.dir.path(), run, fence).expect("removed");
        assert_eq!(output::read(node.dir.path(), run, fence).expect("none"), output::Output::default());
        node.end().await;
    });
}

fn a_thousand_short_commands_leave_nothing() {
    block_on(async {
        let node = Node::new();
        let definition = node.command(&["true"]);
        let start = Instant::now();
        for _ in 0..10 {
            let mut running = Vec::new();
            for _ in 0..100 {
                running.push(node.start(attempt(), definition.clone()));
            }
            for one in running {
                assert_eq!(one.ended().await.outcome, Outcome::Success);
            }
        }
        let took = start.elapsed();
        let keeper = keeper_of(std::process::id()).expect("a keeper");
        let children = fs::read_to_string(format!("/proc/{keeper}/task/{keeper}/children")).expect("a list");
        assert_eq!(children, "", "children of the keeper, dead or alive");
        let open = fs::read_dir(format!("/proc/{keeper}/fd")).expect("its files").count();
        assert!(open < 20, "the keeper has {open} files open");
        assert!(took < Duration::from_secs(60), "{took:?}");
        node.end().await;
    });
}
