//! Ends what is left of a node.
//!
//! Every command carries `JOBSTILE_NODE=<id>` in its environment, and so do its children unless they take it away. From the
//! processes that carry it the others are found: what is below them, and what is in one of their sessions, which nobody can
//! join from outside. A process that took the variable away, left its session and was left by its parent cannot be told
//! from any other once daemon and keeper are both dead; while one of the two lives it is found as its descendant.

use std::collections::{HashMap, HashSet};
use std::io;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, waitpid};

use super::proc::{self, Process};

/// Between two looks at what still lives.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long killed processes are waited for.
const DEAD_WITHIN: Duration = Duration::from_secs(10);
/// Looks that find nothing before nothing is there: a process that forks and ends can slip through one.
const CLEAN_LOOKS: u32 = 2;

/// Why [`end_all`] gave up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// These processes cannot be ended: they belong to another user, or hang in the kernel.
    #[error("processes of a dead node cannot be ended: {0:?}")]
    Survivors(Vec<i32>),
    /// `/proc` cannot be read.
    #[error("cannot look for the processes of a dead node: {0}")]
    Proc(#[from] io::Error),
}

/// Ends every process on this host that belongs to the node: TERM, then KILL after `grace`.
///
/// For a node whose daemon and keeper are both dead, before anything of it is given to somebody else. Returns how many
/// there were, when none is left. The calling process is never ended, nor what is below it if it was itself started by the
/// node. Blocks the thread.
pub fn end_all(node: &str, grace: Duration) -> Result<usize, Error> {
    let (kill_at, give_up_at) = (looks(grace), looks(grace + DEAD_WITHIN));
    let mut look = 0;
    let mut signals = Signals::default();
    let mut seen = HashSet::new();
    let mut clean = 0;
    loop {
        let living = of_node(node, &seen)?;
        if living.is_empty() {
            clean += 1;
            if clean == CLEAN_LOOKS {
                return Ok(seen.len());
            }
            continue;
        }
        clean = 0;
        if look >= give_up_at {
            return Err(Error::Survivors(living.iter().map(|process| process.pid).collect()));
        }
        seen.extend(living.iter().map(|process| (process.pid, process.started)));
        signals.send(&living, look, kill_at);
        std::thread::sleep(LOOK_EVERY);
        look += 1;
    }
}

/// Everything that lives and belongs to the node, as far as it can be known.
fn of_node(node: &str, seen: &HashSet<(i32, u64)>) -> io::Result<Vec<Process>> {
    let mark = format!("JOBSTILE_NODE={node}").into_bytes();
    let own = std::process::id() as i32;
    let all = proc::all()?;
    let is_own = |process: &Process| process.pid == own;
    let own_session = all.iter().find(|process| is_own(process)).map(|process| process.session);
    let spared = match proc::carries(&proc::environment(own), &mark) {
        true => below(&all, is_own),
        false => HashSet::from([own]),
    };
    let marked = |process: &Process| {
        !process.zombie
            && (seen.contains(&(process.pid, process.started)) || proc::carries(&proc::environment(process.pid), &mark))
    };
    let mut known: HashSet<i32> = all
        .iter()
        .filter(|process| !spared.contains(&process.pid) && marked(process))
        .map(|process| process.pid)
        .collect();
    loop {
        let sessions: HashSet<i32> = all
            .iter()
            .filter(|process| known.contains(&process.pid))
            .map(|process| process.session)
            .filter(|session| *session > 1 && Some(*session) != own_session)
            .collect();
        let more = below(&all, |process| known.contains(&process.pid) || sessions.contains(&process.session));
        let before = known.len();
        known.extend(more.difference(&spared));
        if known.len() == before {
            break;
        }
    }
    Ok(all.into_iter().filter(|process| !process.zombie && known.contains(&process.pid)).collect())
}

/// The processes that fit and everything below them.
fn below(all: &[Process], fits: impl Fn(&Process) -> bool) -> HashSet<i32> {
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    for process in all {
        children.entry(process.parent).or_default().push(process.pid);
    }
    let mut next: Vec<i32> = all.iter().filter(|p| fits(p)).map(|p| p.pid).collect();
    let mut found = HashSet::new();
    while let Some(pid) = next.pop() {
        if found.insert(pid) {
            next.extend(children.get(&pid).into_iter().flatten());
        }
    }
    found
}

/// Ends what a keeper left to this process, its sub-reaper: TERM, then KILL after `grace`. Returns when nothing is left,
/// however long that takes: the slots of what lives must not be given away.
pub(super) async fn end_inherited(node: &str, keeper: i32, owns_children: bool, grace: Duration) {
    let mark = format!("JOBSTILE_NODE={node}").into_bytes();
    let own = std::process::id() as i32;
    let (kill_at, warn_at) = (looks(grace), looks(grace + DEAD_WITHIN));
    let mut look = 0;
    let mut signals = Signals::default();
    let mut seen: HashSet<(i32, u64)> = HashSet::new();
    loop {
        let mut living = Vec::new();
        for child in proc::children(own) {
            let Some(process) = proc::look(child) else {
                continue;
            };
            let ours = owns_children
                || process.session == keeper
                || seen.contains(&(process.pid, process.started))
                || proc::carries(&proc::environment(child), &mark);
            if ours && process.zombie {
                let pid = Pid::from_raw(child);
                let _ = waitpid(pid, WaitOptions::NOHANG);
            } else if ours {
                living.extend(proc::tree(child));
            }
        }
        living.retain(|process| !process.zombie);
        if living.is_empty() {
            return;
        }
        seen.extend(living.iter().map(|process| (process.pid, process.started)));
        signals.send(&living, look, kill_at);
        if look == warn_at {
            let pids: Vec<i32> = living.iter().map(|process| process.pid).collect();
            tracing::warn!(?pids, "Processes of a lost keeper cannot be ended, waiting");
        }
        tokio::time::sleep(LOOK_EVERY).await;
        look += 1;
    }
}

/// Time as a number of looks: no clock is read here.
fn looks(time: Duration) -> u128 {
    time.as_millis().div_ceil(LOOK_EVERY.as_millis())
}

/// Asks processes to end, each once, and kills those that did not.
///
/// Only who lives when it is time to ask is asked: what a process starts to end in good order is left alone until it is time
/// to kill.
#[derive(Debug, Default)]
pub(super) struct Signals {
    asked: HashSet<(i32, u64)>,
}

impl Signals {
    pub(super) fn ask(&mut self, living: &[Process]) {
        for process in living {
            if self.asked.insert((process.pid, process.started)) {
                proc::signal(process, Signal::TERM);
                // A stopped process hears nothing until it goes on.
                proc::signal(process, Signal::CONT);
            }
        }
    }

    pub(super) fn kill(&self, living: &[Process]) {
        for process in living {
            proc::signal(process, Signal::KILL);
        }
    }

    /// Asks at the first of these looks and kills from a later one on.
    fn send(&mut self, living: &[Process], look: u128, kill_at: u128) {
        if look >= kill_at {
            self.kill(living);
        } else if look == 0 {
            self.ask(living);
        }
    }
}
