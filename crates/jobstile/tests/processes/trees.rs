//! Nothing of an attempt is left when it has ended, whatever its processes do.

use std::time::{Duration, Instant};

use jobstile::runner::{Attempt, Exit, Outcome, Stop};
use rustix::process::Signal;

use crate::support::{Node, attempt, block_on, carrying, kill, lives, numbers, until};

crate::tests![
    children_that_outlive_the_command_are_ended_with_it,
    what_a_command_leaves_behind_is_named,
    what_ends_by_itself_is_not_left_behind,
    a_command_that_is_asked_to_end_may_end_its_children_itself,
    the_rest_of_a_tree_is_asked_when_the_command_has_ended,
    a_timeout_ends_the_whole_tree,
    a_cancel_ends_the_whole_tree,
    a_tree_without_any_trace_is_ended_with_its_attempt,
    what_may_be_of_two_attempts_is_dead_before_either_has_ended,
    another_attempt_is_left_alone,
    an_attempt_that_began_before_leaves_what_can_be_told_alone,
    what_cannot_be_told_goes_with_the_first_that_ends,
    a_trapped_term_is_followed_by_kill,
    who_ends_in_time_is_not_killed,
    stop_now_does_not_ask,
    the_first_request_decides_the_outcome,
    a_command_that_ended_by_itself_keeps_its_outcome,
    a_stopped_command_is_ended_as_well,
    a_request_before_the_start_counts,
    a_grandchild_with_the_pipe_does_not_hold_the_attempt_up,
    a_dropped_attempt_is_ended,
    closing_the_runners_ends_what_runs,
];

/// Starts sleepers that go away in every way there is and write their pids: a child in the background, one in its own
/// session, one whose parent has ended, one that is both, and one that also hides its environment.
pub(crate) const FOREST: &str = r#"
    sleeper='echo $$ >> pids; exec sleep 300'
    sh -c "$sleeper" &
    setsid sh -c "$sleeper" &
    (sh -c "$sleeper" &)
    (setsid sh -c "$sleeper" &)
    (env -i PATH=$PATH setsid sh -c "$sleeper" &)
"#;
pub(crate) const TREES: usize = 5;

pub(crate) fn forest(then: &str) -> String {
    let then = then.to_owned();
    format!("{FOREST}\n until [ \"$(wc -l < pids)\" -ge {TREES} ] 2>&-; do sleep 0.01; done; {then}")
}

async fn all_dead(pids: &[i32]) {
    let living: Vec<&i32> = pids.iter().filter(|pid| lives(**pid)).collect();
    assert!(living.is_empty(), "{living:?} of {pids:?} live");
}

fn children_that_outlive_the_command_are_ended_with_it() {
    block_on(async {
        let node = Node::new();
        let ended = node.run(attempt(), &node.shell(&forest("exit 3"))).await;
        assert_eq!(ended.exit, Some(Exit::Code(3)), "{ended:?}");
        let pids = numbers(&node.path("pids"), TREES).await;
        all_dead(&pids).await;
        node.end().await;
    });
}

fn what_a_command_leaves_behind_is_named() {
    block_on(async {
        let node = Node::new();
        let line = "nohup sleep 600 >/dev/null 2>&1 & echo $! >> pids; echo started";
        let ended = node.run(attempt(), &node.shell(line)).await;
        let pid = numbers(&node.path("pids"), 1).await[0];
        assert_eq!(ended.outcome, Outcome::Success);
        assert_eq!(ended.message, Some(format!("ended what it left running: sleep (pid {pid})")));
        let ended = node.run(attempt(), &node.shell("for n in 1 2 3 4 5; do sleep 600 & done; echo bad; exit 1")).await;
        let message = ended.message.expect("a message");
        assert!(message.starts_with("exit code 1, \"bad\"; ended what it left running: sleep (pid "), "{message}");
        assert!(message.ends_with(" and 2 more"), "{message}");
        node.end().await;
    });
}

fn what_ends_by_itself_is_not_left_behind() {
    block_on(async {
        let node = Node::new();
        // As the `tee` of a shell's `> >(tee log)` does: it ends when the command's output does.
        let line = "{ sleep 0.03; echo last words; } & exit 0";
        let ended = node.run(attempt(), &node.shell(line)).await;
        assert_eq!((ended.outcome, ended.message), (Outcome::Success, None));
        assert_eq!(ended.output.head, b"last words\n");
        node.end().await;
    });
}

/// A master that lets its worker finish what it has begun.
const MASTER: &str = r#"
    sh -c 'trap "echo worker was asked" TERM; until [ -e finish ]; do sleep 0.01; done; echo worker finished' &
    trap 'echo master was asked; : > finish; wait; echo master ends; exit 0' TERM
    echo $$ > pids; while :; do sleep 0.01; done
"#;

fn a_command_that_is_asked_to_end_may_end_its_children_itself() {
    block_on(async {
        let node = Node::new();
        for by_timeout in [false, true] {
            let _ = std::fs::remove_file(node.path("finish"));
            let _ = std::fs::remove_file(node.path("pids"));
            let timeout = by_timeout.then_some(Duration::from_millis(500));
            let running = node.start(Attempt { timeout, ..attempt() }, node.shell(MASTER));
            numbers(&node.path("pids"), 1).await;
            if !by_timeout {
                running.stop(Stop::Cancel);
            }
            let ended = running.ended().await;
            let text = String::from_utf8_lossy(&ended.output.head).into_owned();
            assert_eq!(text, "master was asked\nworker finished\nmaster ends\n");
        }
        node.end().await;
    });
}

fn the_rest_of_a_tree_is_asked_when_the_command_has_ended() {
    block_on(async {
        let node = Node::new();
        let line =
            "sh -c 'trap \"echo asked; exit 0\" TERM; echo $$ > pids; while :; do sleep 0.01; done' & exec sleep 300";
        let running = node.start(attempt(), node.shell(line));
        numbers(&node.path("pids"), 1).await;
        let start = Instant::now();
        running.stop(Stop::Cancel);
        let ended = running.ended().await;
        assert!(ended.output.head.ends_with(b"asked\n"), "{ended:?}");
        assert!(start.elapsed() < Duration::from_secs(4), "it was not killed");
        node.end().await;
    });
}

fn a_timeout_ends_the_whole_tree() {
    block_on(async {
        let node = Node::new();
        let mut attempt = attempt();
        attempt.timeout = Some(Duration::from_millis(700));
        let ended = node.run(attempt, &node.shell(&forest("wait"))).await;
        assert_eq!(ended.outcome, Outcome::Timeout);
        assert_eq!(ended.exit, Some(Exit::Signal(15)));
        assert_eq!(ended.message.as_deref(), Some("timed out after 700ms"));
        all_dead(&numbers(&node.path("pids"), TREES).await).await;
        node.end().await;
    });
}

fn a_cancel_ends_the_whole_tree() {
    block_on(async {
        let node = Node::new();
        let running = node.start(attempt(), node.shell(&forest("wait")));
        let pids = numbers(&node.path("pids"), TREES).await;
        assert!(pids.iter().all(|pid| lives(*pid)));
        running.stop(Stop::Cancel);
        let ended = running.ended().await;
        assert_eq!(ended.outcome, Outcome::Cancelled);
        all_dead(&pids).await;
        node.end().await;
    });
}

/// What left no trace may be of either attempt: it ends with the first, so that no attempt ever ends before its tree.
fn what_cannot_be_told_goes_with_the_first_that_ends() {
    block_on(async {
        let node = Node::new();
        let first = node.start(attempt(), node.shell("echo $$ > first; while [ ! -e go ]; do sleep 0.01; done"));
        numbers(&node.path("first"), 1).await;
        let second = node.start(attempt(), node.lockless(&format!("sleep 0.05; {TRACELESS}; sleep 300")));
        let pids = numbers(&node.path("pids"), 1).await;
        std::fs::write(node.path("go"), "").expect("written");
        first.ended().await;
        all_dead(&pids).await;
        second.stop(Stop::Now);
        second.ended().await;
        node.end().await;
    });
}

/// No environment, its own session, no parent, no pipe.
pub(crate) const TRACELESS: &str =
    "(env -i /usr/bin/setsid /bin/sh -c 'echo $$ >> pids; exec sleep 300' <&- >/dev/null 2>&1 &)";

fn a_tree_without_any_trace_is_ended_with_its_attempt() {
    block_on(async {
        let node = Node::new();
        let line = format!("{TRACELESS}; while [ ! -s pids ]; do sleep 0.01; done");
        for definition in [node.shell(&line), node.lockless(&line)] {
            assert_eq!(node.run(attempt(), &definition).await.outcome, Outcome::Success);
            all_dead(&numbers(&node.path("pids"), 1).await).await;
            std::fs::remove_file(node.path("pids")).expect("removed");
        }
        node.end().await;
    });
}

fn what_may_be_of_two_attempts_is_dead_before_either_has_ended() {
    block_on(async {
        let node = Node::new();
        let until_there = |file: &str| format!("while [ ! -e {file} ]; do sleep 0.01; done");
        let first =
            node.start(Attempt { kill_after: Duration::from_secs(1), ..attempt() }, node.shell(&until_there("go")));
        // It takes its time: it knows that it was asked, and goes on.
        let stubborn = "trap \": > asked\" TERM; echo $$ >> pids; while :; do /bin/sleep 0.05; done";
        let hidden = format!("(env -i /usr/bin/setsid /bin/sh -c '{stubborn}' <&- >/dev/null 2>&1 &)");
        let second = node.start(
            Attempt { kill_after: Duration::from_secs(1), ..attempt() },
            node.lockless(&format!("sleep 0.05; {hidden}; {}", until_there("on"))),
        );
        let pids = numbers(&node.path("pids"), 1).await;
        std::fs::write(node.path("go"), "").expect("written");
        until("it was asked to end", || node.path("asked").exists()).await;
        // The first attempt is about to end it; the second one, whose it is, ends meanwhile.
        std::fs::write(node.path("on"), "").expect("written");
        second.ended().await;
        all_dead(&pids).await;
        first.ended().await;
        node.end().await;
    });
}

fn another_attempt_is_left_alone() {
    block_on(async {
        let node = Node::new();
        let mut other = node.start(attempt(), node.shell(&format!("{}; wait", forest(TRACELESS))));
        let mut pids = numbers(&node.path("pids"), TREES + 1).await;
        pids.push(other.pid().await);
        // The others begin later, so that even what left no trace cannot be theirs; start times are in ticks of 10 ms.
        tokio::time::sleep(Duration::from_millis(30)).await;
        for line in ["true", "sleep 300 & exit 1", "(setsid sleep 300 &)"] {
            node.run(attempt(), &node.shell(line)).await;
        }
        let living = pids.iter().filter(|pid| lives(**pid)).count();
        assert_eq!(living, TREES + 2, "the other attempt's processes");
        other.stop(Stop::Now);
        assert_eq!(other.ended().await.outcome, Outcome::Interrupted);
        all_dead(&pids).await;
        node.end().await;
    });
}

fn an_attempt_that_began_before_leaves_what_can_be_told_alone() {
    block_on(async {
        let node = Node::new();
        let first = node.start(attempt(), node.shell("echo $$ > first; while [ ! -e go ]; do sleep 0.01; done"));
        numbers(&node.path("first"), 1).await;
        // Start times are in ticks of 10 ms; these all begin later than the first attempt.
        let line = "
            sleep 0.05
            (setsid sh -c 'echo $$ >> pids; exec sleep 300' <&- >&- 2>&- &)
            (env -i sh -c 'echo $$ >> pids; exec sleep 300' <&- >/dev/null 2>&1 &)
            (env -i setsid sh -c 'echo $$ >> pids; exec sleep 300' &)
            (env -i setsid sh -c 'echo $$ >> pids; exec sleep 300' <&- >/dev/null 2>&1 &)
            wait; sleep 300";
        let second = node.start(attempt(), node.shell(line));
        let pids = numbers(&node.path("pids"), 4).await;
        std::fs::write(node.path("go"), "").expect("written");
        assert_eq!(first.ended().await.outcome, Outcome::Success);
        let living: Vec<bool> = pids.iter().map(|pid| lives(*pid)).collect();
        assert_eq!(living, [true; 4], "by environment, by group, by pipe, by lock");
        second.stop(Stop::Now);
        second.ended().await;
        all_dead(&pids).await;
        node.end().await;
    });
}

fn a_trapped_term_is_followed_by_kill() {
    block_on(async {
        let node = Node::new();
        let mut attempt = attempt();
        attempt.kill_after = Duration::from_millis(300);
        let line = "trap 'echo asked' TERM; echo ready >> pids; echo $$ > pids; while :; do sleep 0.05; done";
        let running = node.start(attempt, node.shell(line));
        let pids = numbers(&node.path("pids"), 1).await;
        let start = Instant::now();
        running.stop(Stop::Cancel);
        let ended = running.ended().await;
        let took = start.elapsed();
        assert_eq!(ended.outcome, Outcome::Cancelled);
        assert_eq!(ended.exit, Some(Exit::Signal(9)));
        let text = String::from_utf8_lossy(&ended.output.head).into_owned();
        assert_eq!(text.matches("asked").count(), 1, "asked once: {text}");
        assert!(took >= Duration::from_millis(300) && took < Duration::from_secs(3), "{took:?}");
        all_dead(&pids).await;
        node.end().await;
    });
}

fn who_ends_in_time_is_not_killed() {
    block_on(async {
        let node = Node::new();
        let line = "trap 'sleep 0.2 && echo saved; exit 0' TERM; echo $$ > pids; while :; do sleep 0.01; done";
        let running = node.start(attempt(), node.shell(line));
        numbers(&node.path("pids"), 1).await;
        running.stop(Stop::Interrupt);
        let ended = running.ended().await;
        assert_eq!(ended.outcome, Outcome::Interrupted, "asked to end, it did not succeed");
        assert_eq!(ended.exit, Some(Exit::Code(0)));
        let text = String::from_utf8_lossy(&ended.output.head).into_owned();
        assert!(text.ends_with("saved\n"), "what it started to end in good order was left alone: {text}");
        node.end().await;
    });
}

fn stop_now_does_not_ask() {
    block_on(async {
        let node = Node::new();
        let line = "trap 'echo asked' TERM; echo $$ > pids; while :; do sleep 0.05; done";
        let running = node.start(attempt(), node.shell(line));
        numbers(&node.path("pids"), 1).await;
        let start = Instant::now();
        running.stop(Stop::Now);
        let ended = running.ended().await;
        assert_eq!((ended.outcome, ended.exit), (Outcome::Interrupted, Some(Exit::Signal(9))));
        assert_eq!(ended.output.head, b"");
        assert!(start.elapsed() < Duration::from_secs(3));
        node.end().await;
    });
}

fn the_first_request_decides_the_outcome() {
    block_on(async {
        let node = Node::new();
        let mut attempt = attempt();
        attempt.kill_after = Duration::from_secs(300);
        let line = "trap 'echo asked' TERM; echo $$ > pids; while :; do sleep 0.05; done";
        let running = node.start(attempt, node.shell(line));
        let pids = numbers(&node.path("pids"), 1).await;
        running.stop(Stop::Cancel);
        let asked = || std::fs::read_dir(node.dir.path()).expect("readable").count() > 0 && lives(pids[0]);
        assert!(asked());
        running.stop(Stop::Interrupt);
        running.stop(Stop::Now);
        let ended = running.ended().await;
        // A watch keeps the newest only: had the runner not seen the first, it would be interrupted.
        assert!(matches!(ended.outcome, Outcome::Cancelled | Outcome::Interrupted));
        assert_eq!(ended.exit, Some(Exit::Signal(9)));
        node.end().await;
    });
}

fn a_command_that_ended_by_itself_keeps_its_outcome() {
    block_on(async {
        let node = Node::new();
        // The command succeeds, and a child of it does not want to go.
        let line = "(trap '' TERM; setsid sh -c 'echo $$ > pids; exec sleep 300' &); while [ ! -s pids ]; do sleep 0.01; done; exit 0";
        let mut attempt = attempt();
        attempt.kill_after = Duration::from_millis(400);
        let mut running = node.start(attempt, node.shell(line));
        let root = running.pid().await;
        let pids = numbers(&node.path("pids"), 1).await;
        until("the command is gone", || !lives(root)).await;
        assert!(lives(pids[0]), "its child lives on for a while");
        running.stop(Stop::Cancel);
        assert_eq!(running.ended().await.outcome, Outcome::Success);
        all_dead(&pids).await;
        node.end().await;
    });
}

fn a_stopped_command_is_ended_as_well() {
    block_on(async {
        let node = Node::new();
        let mut running = node.start(attempt(), node.command(&["sleep", "300"]));
        let pid = running.pid().await;
        kill(pid, Signal::STOP);
        let start = Instant::now();
        running.stop(Stop::Cancel);
        assert_eq!(running.ended().await.exit, Some(Exit::Signal(15)));
        assert!(start.elapsed() < Duration::from_secs(4), "TERM and not KILL ended it");
        node.end().await;
    });
}

fn a_request_before_the_start_counts() {
    block_on(async {
        let node = Node::new();
        let (_stop, stopped) = tokio::sync::watch::channel(Some(Stop::Cancel));
        let definition = node.command(&["sleep", "300"]);
        let ended = node.runners.run(attempt(), &definition, stopped, |_| {}).await;
        assert_eq!(ended.outcome, Outcome::Cancelled);
        node.end().await;
    });
}

fn a_grandchild_with_the_pipe_does_not_hold_the_attempt_up() {
    block_on(async {
        let node = Node::new();
        let start = Instant::now();
        let ended = node.run(attempt(), &node.shell("sleep 300 & echo done")).await;
        assert_eq!(ended.outcome, Outcome::Success);
        assert_eq!(ended.output.head, b"done\n");
        assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
        // Somebody who is no descendant has the pipe: it is read for two seconds more.
        let mut running = node.start(attempt(), node.shell("echo $$ > pids; sleep 0.5"));
        let pid = running.pid().await;
        let stolen = std::fs::OpenOptions::new().write(true).open(format!("/proc/{pid}/fd/1")).expect("its pipe");
        let start = Instant::now();
        assert_eq!(running.ended().await.outcome, Outcome::Success);
        let took = start.elapsed();
        assert!(took >= Duration::from_secs(2) && took < Duration::from_secs(5), "{took:?}");
        drop(stolen);
        node.end().await;
    });
}

fn a_dropped_attempt_is_ended() {
    block_on(async {
        let node = Node::new();
        let definition = node.shell(&forest("wait"));
        let (_stop, stopped) = tokio::sync::watch::channel(None);
        let running = node.runners.run(attempt(), &definition, stopped, |_| {});
        let pids = node.path("pids");
        tokio::select! {
            ended = running => panic!("{ended:?}"),
            _ = numbers(&pids, TREES) => {}
        }
        until("all are dead", || carrying(&node.id).is_empty()).await;
        let pids = numbers(&pids, TREES).await;
        until("all are dead", || !pids.iter().any(|pid| lives(*pid))).await;
        node.end().await;
    });
}

fn closing_the_runners_ends_what_runs() {
    block_on(async {
        let node = Node::new();
        let running = node.start(attempt(), node.shell(&forest("wait")));
        let pids = numbers(&node.path("pids"), TREES).await;
        node.runners.close().await;
        assert_eq!(running.ended().await.outcome, Outcome::Interrupted);
        all_dead(&pids).await;
        // They are as good as new afterwards.
        assert_eq!(node.run(attempt(), &node.command(&["true"])).await.outcome, Outcome::Success);
        node.end().await;
    });
}
