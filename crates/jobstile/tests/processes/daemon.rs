//! Daemons and keepers that are killed: no process of a job outlives them by more than it may.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use jobstile::engine::node::{DaemonLock, NodeLock, State, daemons, state, take_over, wait_until_gone};
use jobstile::runner::{Context, Definition, Outcome, Runners, Shell, Stop, sweep};
use rustix::process::Signal;
use tokio::sync::watch;

use crate::support::{
    Node, attempt, block_on, carrying, fresh_id, keeper_of, kill, lives, numbers, place_in, program, reap, until,
};
use crate::trees::{TRACELESS, TREES, forest};

crate::tests![
    a_killed_keeper_takes_its_commands_along,
    a_killed_daemon_takes_its_commands_along,
    a_killed_daemon_grants_its_commands_their_grace,
    a_node_is_gone_only_when_its_last_process_is,
    a_daemon_may_start_beside_the_keeper_of_a_killed_one,
    a_daemon_that_loses_its_keeper_ends_even_what_left_no_trace,
    when_both_are_killed_the_next_one_sweeps,
    the_sweep_spares_everybody_else,
    the_keeper_ignores_the_terminals_signals,
    the_keeper_is_not_for_hands,
];

/// The role `daemon DIR ID KILL_AFTER LINE…`: runs shell lines one after another until it is killed. Writes down how each
/// ended.
pub(crate) fn work(words: &[String]) {
    let [dir, id, kill_after, lines @ ..] = words else { panic!("daemon DIR ID KILL_AFTER LINE…") };
    let dir = Path::new(dir);
    let _daemon = DaemonLock::take(dir, id, true).expect("a lock");
    let lock = NodeLock::take(dir, id).expect("a lock");
    block_on(async {
        let mut context = Context::new(id, dir);
        context.keeper = Some(program());
        context.lock = Some(lock.share().expect("shared"));
        context.owns_children = true;
        let runners = Runners::new(context);
        for (number, line) in lines.iter().enumerate() {
            let mut attempt = attempt();
            attempt.kill_after = Duration::from_millis(kill_after.parse().expect("milliseconds"));
            let definition = Definition::Shell(Shell { line: line.clone(), place: place_in(dir) });
            let (_stop, stopped) = watch::channel(None);
            let ended = runners.run(attempt, &definition, stopped, |_| {}).await;
            fs::write(dir.join(format!("ended-{number}")), ended.outcome.as_str()).expect("written");
        }
        std::future::pending::<()>().await;
    });
}

/// The role `sweep`: sweeps the node that it carries itself, with a child.
pub(crate) fn sweep_own() {
    let node = std::env::var("JOBSTILE_NODE").expect("set");
    let mut child = Command::new("sleep").arg("300").spawn().expect("a child");
    assert_eq!(sweep::end_all(&node, Duration::ZERO).expect("none"), 0);
    assert!(lives(child.id() as i32));
    child.kill().expect("killed");
    child.wait().expect("waited for");
}

/// A daemon in a process of its own.
struct Daemon {
    dir: tempfile::TempDir,
    id: String,
    child: Child,
}

impl Daemon {
    fn start(kill_after: Duration, lines: &[&str]) -> Daemon {
        let dir = tempfile::tempdir().expect("a folder");
        let id = fresh_id();
        let child = Command::new(program())
            .arg("daemon")
            .arg(dir.path())
            .arg(&id)
            .arg(kill_after.as_millis().to_string())
            .args(lines)
            .stdin(Stdio::null())
            .spawn()
            .expect("a daemon");
        Daemon { dir, id, child }
    }

    fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    fn keeper(&self) -> i32 {
        keeper_of(self.child.id()).expect("it has a keeper")
    }

    fn kill(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("waited for");
    }

    async fn numbers(&self, count: usize) -> Vec<i32> {
        numbers(&self.dir.path().join("pids"), count).await
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = sweep::end_all(&self.id, Duration::ZERO);
        reap(None);
    }
}

fn a_killed_keeper_takes_its_commands_along() {
    block_on(async {
        let node = Node::new();
        for _ in 0..3 {
            let _ = fs::remove_file(node.path("pids"));
            let running = node.start(attempt(), node.shell(&forest("wait")));
            let pids = numbers(&node.path("pids"), TREES).await;
            kill(keeper_of(std::process::id()).expect("a keeper"), Signal::KILL);
            let ended = running.ended().await;
            assert_eq!(ended.outcome, Outcome::Lost);
            assert_eq!(ended.message.as_deref(), Some("the keeper of its commands ended"));
            // Here the daemon may have children of its own, so what hid all its traces is left alone.
            assert_eq!(carrying(&node.id), [0; 0]);
            let living = pids.iter().filter(|pid| lives(**pid)).count();
            assert!(living <= 1, "{living} live");
            pids.iter().for_each(|pid| kill(*pid, Signal::KILL));
            // A new keeper works.
            assert_eq!(node.run(attempt(), &node.command(&["true"])).await.outcome, Outcome::Success);
        }
        reap(keeper_of(std::process::id()));
        node.end().await;
    });
}

fn a_killed_daemon_takes_its_commands_along() {
    block_on(async {
        for _ in 0..10 {
            let mut daemon = Daemon::start(Duration::from_secs(5), &[&forest(&format!("{TRACELESS}; wait"))]);
            let pids = daemon.numbers(TREES + 1).await;
            assert!(pids.iter().all(|pid| lives(*pid)));
            daemon.kill();
            until("all are dead", || !pids.iter().any(|pid| lives(*pid))).await;
            assert_eq!(wait_until_gone(daemon.dir.path(), &daemon.id).await, State::Gone);
        }
    });
}

fn a_killed_daemon_grants_its_commands_their_grace() {
    block_on(async {
        let line = "trap 'echo asked >> said' TERM; echo $$ > pids; while :; do sleep 0.05; done";
        let mut daemon = Daemon::start(Duration::from_millis(500), &[line]);
        let pids = daemon.numbers(1).await;
        let start = Instant::now();
        daemon.kill();
        until("it is dead", || !lives(pids[0])).await;
        let took = start.elapsed();
        assert!(took >= Duration::from_millis(500) && took < Duration::from_secs(3), "{took:?}");
        assert_eq!(fs::read_to_string(daemon.dir.path().join("said")).expect("said"), "asked\n");
    });
}

fn a_node_is_gone_only_when_its_last_process_is() {
    block_on(async {
        let line = "trap '' TERM; (setsid sh -c 'echo $$ > pids; exec sleep 300' &); wait";
        let mut daemon = Daemon::start(Duration::from_millis(400), &[line]);
        let pids = daemon.numbers(1).await;
        let (dir, id) = (daemon.dir.path().to_owned(), daemon.id.clone());
        assert_eq!(state(&dir, &id), State::Alive);
        assert!(take_over(&dir, &id).is_err());
        daemon.kill();
        assert_eq!(state(&dir, &id), State::Alive, "its keeper is at work");
        assert!(take_over(&dir, &id).is_err());
        assert!(lives(pids[0]));
        assert_eq!(wait_until_gone(&dir, &id).await, State::Gone);
        assert!(!lives(pids[0]), "the lock was free before the process was dead");
        take_over(&dir, &id).expect("now it can be").bury().expect("removed");
    });
}

fn a_daemon_may_start_beside_the_keeper_of_a_killed_one() {
    block_on(async {
        let line = "trap '' TERM; echo $$ > pids; while :; do sleep 0.05; done";
        let mut daemon = Daemon::start(Duration::from_millis(500), &[line]);
        daemon.numbers(1).await;
        let dir = daemon.dir.path().to_owned();
        assert!(DaemonLock::take(&dir, "next", false).is_err());
        daemon.kill();
        DaemonLock::take(&dir, "next", false).expect("at once");
        assert_eq!(daemons(&dir).expect("readable"), [""; 0]);
        assert_eq!(state(&dir, &daemon.id), State::Alive);
        assert_eq!(wait_until_gone(&dir, &daemon.id).await, State::Gone);
    });
}

fn a_daemon_that_loses_its_keeper_ends_even_what_left_no_trace() {
    block_on(async {
        let first = forest(&format!("{TRACELESS}; wait"));
        let daemon = Daemon::start(Duration::from_secs(5), &[&first, "echo $$ > next; exec sleep 300"]);
        let pids = daemon.numbers(TREES + 1).await;
        let keeper = daemon.keeper();
        kill(keeper, Signal::KILL);
        numbers(&daemon.dir.path().join("next"), 1).await;
        // The next command runs, so the first attempt has ended: nothing of it may live.
        assert_eq!(pids.iter().filter(|pid| lives(**pid)).count(), 0);
        assert_eq!(fs::read_to_string(daemon.dir.path().join("ended-0")).expect("its end"), "lost");
        assert!(lives(daemon.pid()));
        assert_ne!(daemon.keeper(), keeper);
    });
}

fn when_both_are_killed_the_next_one_sweeps() {
    block_on(async {
        let line = format!("(env -i sleep 300 & echo $! >> pids); {}", forest("wait"));
        let mut daemon = Daemon::start(Duration::from_secs(5), &[&line]);
        let pids = daemon.numbers(TREES + 1).await;
        let keeper = daemon.keeper();
        kill(daemon.pid(), Signal::STOP);
        kill(keeper, Signal::KILL);
        daemon.kill();
        assert_eq!(wait_until_gone(daemon.dir.path(), &daemon.id).await, State::Gone);
        let dead = take_over(daemon.dir.path(), &daemon.id).expect("both are gone");
        assert!(pids.iter().all(|pid| lives(*pid)));
        let ended = sweep::end_all(dead.id(), Duration::from_secs(5)).expect("all ended");
        assert!(ended > TREES, "{ended} ended");
        // One of them hides its environment, its session and its parent: once both are dead nothing tells it from others.
        let living: Vec<i32> = pids.iter().copied().filter(|pid| lives(*pid)).collect();
        assert!(living.len() <= 1, "{living:?}");
        living.iter().for_each(|pid| kill(*pid, Signal::KILL));
        assert_eq!(sweep::end_all(dead.id(), Duration::from_secs(5)).expect("none"), 0);
        dead.bury().expect("removed");
    });
}

fn the_sweep_spares_everybody_else() {
    block_on(async {
        let other = Daemon::start(Duration::from_secs(5), &[&forest("wait")]);
        let pids = other.numbers(TREES).await;
        assert_eq!(sweep::end_all(&fresh_id(), Duration::ZERO).expect("none"), 0);
        assert!(pids.iter().all(|pid| lives(*pid)));
        // A daemon that a job of the node started: neither itself nor what is below it.
        let role = Command::new(program()).arg("sweep").env("JOBSTILE_NODE", fresh_id()).status().expect("it ran");
        assert!(role.success(), "{role}");
        drop(other);
        until("the other's are dead too", || !pids.iter().any(|pid| lives(*pid))).await;
    });
}

fn the_keeper_ignores_the_terminals_signals() {
    block_on(async {
        let node = Node::new();
        let mut running = node.start(attempt(), node.command(&["sleep", "300"]));
        running.pid().await;
        let keeper = keeper_of(std::process::id()).expect("a keeper");
        for signal in [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT] {
            kill(keeper, signal);
        }
        // It still listens, and who is asked ends.
        running.stop(Stop::Cancel);
        assert_eq!(running.ended().await.outcome, Outcome::Cancelled);
        assert_eq!(keeper_of(std::process::id()), Some(keeper));
        node.end().await;
    });
}

fn the_keeper_is_not_for_hands() {
    let output = Command::new(program()).arg("keep").stdin(Stdio::null()).output().expect("it ran");
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.starts_with("error: `keep` is for the daemon itself, which starts it"), "{text}");
}
