//! Daemons and keepers that are killed: no process of a job outlives them by more than it may.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use jobstile_child::{LIMIT, Limited as _};

use jobstile::engine::node::{DaemonLock, NodeLock, State, daemons, state, take_over, wait_until_gone};
use jobstile::runner::lock::{self, Tree};
use jobstile::runner::sweep::{self, Dead, mark};
use jobstile::runner::{Context, Definition, Outcome, Runners, Shell, Stop};
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
    what_hides_all_its_traces_is_found_by_its_lock,
    a_node_of_another_store_is_not_swept,
    a_session_is_taken_only_with_its_leader,
    the_sweep_spares_everybody_else,
    a_keeper_that_stands_still_is_ended_and_replaced,
    the_keeper_ends_what_is_late_while_its_daemon_stands_still,
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
        context.mark = mark(SECRET, id);
        context.owns_children = true;
        let runners = Runners::new(context);
        for (number, line) in lines.iter().enumerate() {
            let mut attempt = attempt();
            attempt.kill_after = Duration::from_millis(kill_after.parse().expect("milliseconds"));
            // A line may begin with its timeout.
            let timeout = line.strip_prefix("timeout=").and_then(|rest| rest.split(' ').next());
            attempt.timeout = timeout.map(|ms| Duration::from_millis(ms.parse().expect("milliseconds")));
            let definition = Definition::Shell(Shell { line: line.clone(), place: place_in(dir) });
            let (_stop, stopped) = watch::channel(None);
            let ended = runners.run(attempt, &definition, stopped, |_| {}).await;
            fs::write(dir.join(format!("ended-{number}")), ended.outcome.as_str()).expect("written");
        }
        std::future::pending::<()>().await;
    });
}

/// What only the store of these nodes knows.
const SECRET: &str = "0123456789abcdef";

/// Ends what is left of a node of this user.
fn sweep(dir: &Path, node: &str, secret: &str, grace: Duration) -> Result<usize, sweep::Error> {
    let owner = rustix::process::geteuid().as_raw();
    // Of this boot, so it began at some time: before everything here.
    let dead = Dead { dir, node, mark: &mark(secret, node), owner, started: Some(0) };
    sweep::end_all(&dead, grace, Duration::from_secs(5))
}

/// The role `sweep`: sweeps the node that it carries itself, with a child.
pub(crate) fn sweep_own() {
    let node = std::env::var("JOBSTILE_NODE").expect("set");
    let mut child = Command::new("sleep").arg("300").spawn().expect("a child");
    assert_eq!(sweep(Path::new("/nowhere"), &node, SECRET, Duration::ZERO).expect("none"), 0);
    assert!(lives(child.id() as i32));
    child.kill().expect("killed");
    jobstile_child::wait(&mut child, LIMIT).expect("waited for");
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
        jobstile_child::wait(&mut self.child, LIMIT).expect("waited for");
    }

    async fn numbers(&self, count: usize) -> Vec<i32> {
        numbers(&self.dir.path().join("pids"), count).await
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = jobstile_child::wait(&mut self.child, LIMIT);
        let _ = sweep(self.dir.path(), &self.id, SECRET, Duration::ZERO);
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
        let ended = sweep(daemon.dir.path(), dead.id(), SECRET, Duration::from_secs(5)).expect("all ended");
        assert!(ended > TREES, "{ended} ended");
        // Also the one that hides its environment, its session and its parent: it holds the attempt's lock.
        let living: Vec<i32> = pids.iter().copied().filter(|pid| lives(*pid)).collect();
        assert_eq!(living, [0; 0]);
        dead.bury().expect("removed");
    });
}

impl Daemon {
    /// Kills daemon and keeper at once.
    fn kill_both(&mut self) {
        let keeper = self.keeper();
        kill(self.pid(), Signal::STOP);
        kill(keeper, Signal::KILL);
        self.kill();
    }
}

fn what_hides_all_its_traces_is_found_by_its_lock() {
    block_on(async {
        // `setsid` and no parent left, and its environment written over as `setproctitle` does it.
        let mut daemon = Daemon::start(Duration::from_secs(5), &[&format!("{TRACELESS}; sleep 300")]);
        let pids = daemon.numbers(1).await;
        let dir = daemon.dir.path().to_owned();
        let attempts = lock::list(&dir).expect("readable");
        assert_eq!(attempts.len(), 1);
        let (run, fence) = attempts[0];
        assert_eq!(lock::Note::read(&dir, run, fence).expect("a note").node, daemon.id);
        daemon.kill_both();
        // A look shows that it lives, and who that is.
        let Tree::Lives(holders) = lock::look(&dir, run, fence) else { panic!("it lives") };
        assert!(holders.iter().any(|holder| holder.pid == pids[0] && holder.name == "sleep"), "{holders:?}");
        // Not a trace but the lock: the mark of another store.
        sweep(&dir, &daemon.id, "another", Duration::from_secs(5)).expect("all ended");
        assert!(!lives(pids[0]));
        assert_eq!(lock::look(&dir, run, fence), Tree::Over);
    });
}

fn a_node_of_another_store_is_not_swept() {
    block_on(async {
        let other = Daemon::start(Duration::from_secs(5), &["echo $$ > pids; exec sleep 300"]);
        let pids = other.numbers(1).await;
        // Somebody writes its id, which everybody may know, into a store of his own.
        let dir = tempfile::tempdir().expect("a folder");
        assert_eq!(sweep(dir.path(), &other.id, "another", Duration::ZERO).expect("none"), 0);
        assert!(lives(pids[0]));
        // And what began before the node did is none of its.
        let owner = rustix::process::geteuid().as_raw();
        let dead =
            Dead { dir: dir.path(), node: &other.id, mark: &mark(SECRET, &other.id), owner, started: Some(u64::MAX) };
        assert_eq!(sweep::end_all(&dead, Duration::ZERO, Duration::ZERO).expect("none"), 0);
        let dead = Dead { owner: owner + 1, started: Some(0), ..dead };
        assert_eq!(sweep::end_all(&dead, Duration::ZERO, Duration::ZERO).expect("none"), 0);
        assert!(lives(pids[0]));
    });
}

fn a_session_is_taken_only_with_its_leader() {
    block_on(async {
        let dir = tempfile::tempdir().expect("a folder");
        let id = fresh_id();
        // The leader of a session and somebody else in it; one more of it carries the mark.
        let line = "echo $$ >> pids; sleep 300 & echo $! >> pids; \
            JOBSTILE_MARK=$1 sleep 300 & echo $! >> pids; wait";
        let mut leader = Command::new("setsid");
        leader.args(["sh", "-c", line, "sh", &mark(SECRET, &id)]).current_dir(dir.path());
        let mut leader = leader.spawn().expect("setsid");
        let pids = numbers(&dir.path().join("pids"), 3).await;
        until("they are what they will be", || carrying_mark(&mark(SECRET, &id)).len() == 1).await;
        assert_eq!(sweep(dir.path(), &id, SECRET, Duration::ZERO).expect("ended"), 1);
        assert_eq!(pids.iter().map(|pid| lives(*pid)).collect::<Vec<_>>(), [true, true, false]);
        kill(pids[1], Signal::KILL);
        jobstile_child::wait(&mut leader, LIMIT).expect("it ends with its children");
    });
}

fn carrying_mark(mark: &str) -> Vec<i32> {
    crate::support::carrying_entry(&format!("JOBSTILE_MARK={mark}"))
}

fn a_keeper_that_stands_still_is_ended_and_replaced() {
    block_on(async {
        let first = forest("wait");
        let daemon = Daemon::start(Duration::from_secs(1), &[&first, "echo $$ > next; exec sleep 300"]);
        let pids = daemon.numbers(TREES).await;
        let keeper = daemon.keeper();
        let start = Instant::now();
        kill(keeper, Signal::STOP);
        numbers(&daemon.dir.path().join("next"), 1).await;
        let took = start.elapsed();
        assert!(took > Duration::from_secs(8), "{took:?}");
        assert!(!lives(keeper));
        assert_eq!(pids.iter().filter(|pid| lives(**pid)).count(), 0);
        assert_eq!(fs::read_to_string(daemon.dir.path().join("ended-0")).expect("its end"), "lost");
    });
}

fn the_keeper_ends_what_is_late_while_its_daemon_stands_still() {
    block_on(async {
        let daemon = Daemon::start(Duration::from_secs(5), &["timeout=700 echo $$ > pids; exec sleep 300"]);
        let pids = daemon.numbers(1).await;
        kill(daemon.pid(), Signal::STOP);
        until("it is ended", || !lives(pids[0])).await;
        kill(daemon.pid(), Signal::CONT);
        let ended = daemon.dir.path().join("ended-0");
        until("and that is told", || fs::read_to_string(&ended).is_ok_and(|outcome| outcome == "timeout")).await;
    });
}

fn the_sweep_spares_everybody_else() {
    block_on(async {
        let other = Daemon::start(Duration::from_secs(5), &[&forest("wait")]);
        let pids = other.numbers(TREES).await;
        assert_eq!(sweep(other.dir.path(), &fresh_id(), SECRET, Duration::ZERO).expect("none"), 0);
        assert!(pids.iter().all(|pid| lives(*pid)));
        // A daemon that a job of the node started: neither itself nor what is below it.
        let id = fresh_id();
        let mut role = Command::new(program());
        role.arg("sweep").env("JOBSTILE_MARK", mark(SECRET, &id)).env("JOBSTILE_NODE", id);
        let role = role.limited().expect("it ran").status;
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
    let output = Command::new(program()).arg("keep").stdin(Stdio::null()).limited().expect("it ran");
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.starts_with("error: `keep` is for the daemon itself, which starts it"), "{text}");
}
