//! Ends what is left of a node.
//!
//! The process that clears up behind a dead node has to find its processes, and nobody else's. In this order:
//!
//! 1. they hold the lock of one of its attempts ([`super::lock`]), which only its commands inherited;
//! 2. their environment carries its mark: made from the node's id and the store's unpublished one, so that nobody makes this
//!    node end another store's;
//! 3. they are in the session in which its keeper started commands, or in one whose leader is known by now;
//! 4. they are below a known one.
//!
//! All of them began after the node did, and those of 2 and 3 are of the user who owns the node's lock file. What took the
//! mark away, left its session, was left by its parent and closed the descriptor cannot be told from any other process once
//! daemon and keeper are both dead; while one of the two lives it is found as its descendant.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::Path;
use std::time::Duration;

use jobstile_core::id::{Fence, RunId};
use rustix::process::{Pid, Signal, WaitOptions, waitpid};
use sha2::{Digest, Sha256};

use super::lock::{self, Note};
use super::proc::{self, Process};
use crate::bugs::planted;
use crate::clock;

/// Between two looks at what still lives.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long killed processes are waited for.
const DEAD_WITHIN: Duration = Duration::from_secs(10);
/// Looks that find nothing before nothing is there: a process that forks and ends can slip through one.
const CLEAN_LOOKS: u32 = 2;

/// What proves that a process was started by this node of the store with this secret.
#[must_use]
pub fn mark(secret: &str, node: &str) -> String {
    let digest = Sha256::digest(format!("{secret}:{node}"));
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// A node whose daemon and keeper are both dead.
#[derive(Debug, Clone, Copy)]
pub struct Dead<'a> {
    /// The folder of its lock files.
    pub dir: &'a Path,
    /// Its id.
    pub node: &'a str,
    /// Its [`mark`].
    pub mark: &'a str,
    /// The user who owns its lock file.
    pub owner: u32,
    /// When its daemon began, in clock ticks since the machine started; `None` where an older version did not say, whose
    /// commands carry no mark either: then the node's id will do.
    pub started: Option<u64>,
}

/// Why [`end_all`] gave up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Some of it lives on: it belongs to another user, is in another container, or hangs in the kernel.
    #[error("what a dead node had started cannot be ended: {}", .0.words())]
    Survivors(Survivors),
    /// `/proc` cannot be read.
    #[error("cannot look for the processes of a dead node: {0}")]
    Proc(#[from] io::Error),
}

/// What lives on of a dead node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survivors {
    /// Its attempts whose lock is held.
    pub attempts: Vec<(RunId, Fence)>,
    /// Its processes that can be seen from here.
    pub processes: Vec<lock::Holder>,
    /// Some of these processes hold no lock, so that it may be any attempt that lives on.
    pub anywhere: bool,
}

impl Survivors {
    /// Does something of this attempt live on, or may it?
    #[must_use]
    pub fn may_be_of(&self, run: RunId, fence: Fence) -> bool {
        self.anywhere || self.attempts.contains(&(run, fence))
    }

    fn words(&self) -> String {
        let runs: Vec<String> = self.attempts.iter().map(|(run, _)| format!("run {run}")).collect();
        let processes = self.processes.iter();
        let processes: Vec<String> =
            processes.map(|one| format!("{} (pid {}, user {})", one.name, one.pid, one.uid)).collect();
        match processes.is_empty() {
            true => format!("{} lives where this process cannot see it", runs.join(", ")),
            false => [runs, processes].concat().join(", "),
        }
    }
}

/// Ends every process that belongs to the node: TERM, then KILL after `grace`; gives up `patience` later.
///
/// For a node whose daemon and keeper are both dead, before anything of it is given to somebody else. Returns how many
/// there were, when none is left. The calling process is never ended, nor what is below it if it was itself started by the
/// node. Blocks the thread.
pub fn end_all(dead: &Dead<'_>, grace: Duration, patience: Duration) -> Result<usize, Error> {
    let (kill_at, give_up_at) = (looks(grace), looks(grace + patience));
    let mut look = 0;
    let mut signals = Signals::default();
    let mut seen = HashSet::new();
    let mut clean = 0;
    loop {
        let found = look_for(dead, &seen)?;
        if found.living.is_empty() && found.held.is_empty() {
            clean += 1;
            if clean == CLEAN_LOOKS {
                return Ok(seen.len());
            }
            continue;
        }
        clean = 0;
        if look >= give_up_at {
            return Err(Error::Survivors(found.survivors(dead.dir)));
        }
        seen.extend(found.living.iter().map(|process| (process.pid, process.started)));
        signals.send(&found.living, look, kill_at);
        clock::block(LOOK_EVERY);
        look += 1;
    }
}

/// What one look found of a dead node.
struct Found {
    living: Vec<Process>,
    /// Its attempts whose lock is held.
    held: Vec<(RunId, Fence)>,
    /// The processes that hold one.
    holders: HashSet<i32>,
}

impl Found {
    fn survivors(&self, dir: &Path) -> Survivors {
        let mut processes = self.living.clone();
        // Those of other users are not known to be the node's, but can be named.
        for (run, fence) in &self.held {
            processes.extend(lock::who(dir, *run, *fence));
        }
        processes.sort_by_key(|process| process.pid);
        processes.dedup();
        Survivors {
            attempts: self.held.clone(),
            processes: processes.iter().map(lock::Holder::of).collect(),
            anywhere: self.living.iter().any(|process| !self.holders.contains(&process.pid)),
        }
    }
}

/// Everything that lives and belongs to the node, as far as it can be known.
fn look_for(dead: &Dead<'_>, seen: &HashSet<(i32, u64)>) -> io::Result<Found> {
    let mark = match dead.started {
        Some(_) => format!("JOBSTILE_MARK={}", dead.mark).into_bytes(),
        None => format!("JOBSTILE_NODE={}", dead.node).into_bytes(),
    };
    let (held, sessions) = attempts_of(dead);
    let held = if planted("a_held_lock_is_no_living_tree") { Vec::new() } else { held };
    let holders: HashSet<i32> = match held.is_empty() {
        true => HashSet::new(),
        false => {
            let all = lock::holders(dead.dir);
            held.iter().filter_map(|attempt| all.get(attempt)).flatten().map(|process| process.pid).collect()
        }
    };
    let own = std::process::id() as i32;
    let all = proc::all()?;
    let is_own = |process: &Process| process.pid == own;
    let own_session = all.iter().find(|process| is_own(process)).map(|process| process.session);
    let spared = match proc::carries(&proc::environment(own), &mark) {
        true => below(&all, is_own),
        false => HashSet::from([own]),
    };
    let after = |process: &Process| process.started >= dead.started.unwrap_or_default();
    let its_users = |process: &Process| after(process) && proc::owner(process.pid) == Some(dead.owner);
    let is_known = |process: &Process| {
        !process.zombie
            && (seen.contains(&(process.pid, process.started))
                || holders.contains(&process.pid) && after(process)
                || proc::carries(&proc::environment(process.pid), &mark) && its_users(process))
    };
    let mut known: HashSet<i32> = all
        .iter()
        .filter(|process| !spared.contains(&process.pid) && is_known(process))
        .map(|process| process.pid)
        .collect();
    loop {
        // A session is the node's if its leader is, or was its keeper, which is dead.
        let its_session = |process: &Process| {
            let leader = process.session;
            let keepers = sessions.contains(&leader) && !all.iter().any(|process| process.pid == leader);
            leader > 1 && Some(leader) != own_session && (keepers || known.contains(&leader)) && its_users(process)
        };
        let more = below(&all, |process| known.contains(&process.pid) || its_session(process));
        let before = known.len();
        known.extend(more.difference(&spared));
        if known.len() == before {
            break;
        }
    }
    let living = all.into_iter().filter(|process| !process.zombie && known.contains(&process.pid)).collect();
    Ok(Found { living, held, holders })
}

/// The attempts of the node whose lock is held, and the sessions in which it started any.
fn attempts_of(dead: &Dead<'_>) -> (Vec<(RunId, Fence)>, HashSet<i32>) {
    let (mut held, mut sessions) = (Vec::new(), HashSet::new());
    for (run, fence) in lock::list(dead.dir).unwrap_or_default() {
        let Ok(note) = Note::read(dead.dir, run, fence) else { continue };
        // A keeper that was killed at once had no time to write down whose it is.
        if note.node != dead.node && !note.node.is_empty() {
            continue;
        }
        sessions.extend((note.session > 1).then_some(note.session));
        if lock::is_held(&lock::path(dead.dir, run, fence)).unwrap_or(false) {
            held.push((run, fence));
        }
    }
    (held, sessions)
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

/// What a lost keeper left to this process, its sub-reaper.
#[derive(Debug)]
pub(super) struct Inherited {
    /// The node's [`mark`].
    pub(super) mark: String,
    /// The keeper's pid: the session of what it started.
    pub(super) keeper: i32,
    /// All children of this process come from keepers.
    pub(super) owns_children: bool,
}

impl Inherited {
    /// Ends it: TERM, then KILL after `grace`. What lives on after that is returned: its slots must not be given away.
    pub(super) async fn end_all(&self, grace: Duration) -> Vec<Process> {
        let (kill_at, give_up_at) = (looks(grace), looks(grace + DEAD_WITHIN));
        let mut look = 0;
        let mut signals = Signals::default();
        let mut seen: HashSet<(i32, u64)> = HashSet::new();
        loop {
            let living = self.living(&seen);
            if living.is_empty() || look >= give_up_at {
                return living;
            }
            seen.extend(living.iter().map(|process| (process.pid, process.started)));
            signals.send(&living, look, kill_at);
            clock::sleep(LOOK_EVERY).await;
            look += 1;
        }
    }

    fn living(&self, seen: &HashSet<(i32, u64)>) -> Vec<Process> {
        let mark = format!("JOBSTILE_MARK={}", self.mark).into_bytes();
        let mut living = Vec::new();
        for child in proc::children(std::process::id() as i32) {
            let Some(process) = proc::look(child) else {
                continue;
            };
            let ours = self.owns_children
                || process.session == self.keeper
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
        living
    }
}

/// Kills these processes and what is below them once more. False when none of them lives any more.
pub(super) fn end_again(survivors: &[Process]) -> bool {
    let mut some = false;
    for known in survivors {
        let same = |process: &Process| process.started == known.started;
        match proc::look(known.pid).filter(same) {
            Some(process) if process.zombie => drop(waitpid(Pid::from_raw(known.pid), WaitOptions::NOHANG)),
            Some(_) => {
                some = true;
                Signals::default().kill(&proc::tree(known.pid));
            }
            None => {}
        }
    }
    some
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
