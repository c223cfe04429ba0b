//! Who lives? The kernel says: a node's lock file is locked as long as its daemon or its keeper lives.
//!
//! A node is one process incarnation with a random id. Two files stand for it in the folder of its store:
//!
//! - `<id>.lock` is locked (`flock`) by the daemon, which shares the lock with its keeper. It is free only when both are
//!   gone, and then nothing of the node works any more.
//! - `<id>.daemon` is locked by the daemon alone. A new daemon looks at these to see whether another one works here; after
//!   a `kill -9` it may start while the keeper of the old one still ends its commands.
//!
//! No pid is looked at, so containers with their own pids are safe. A file that is missing or cannot be read proves
//! nothing, unless the machine was started anew since.
//!
//! Beside them lie the locks of attempts ([`crate::runner::lock`]).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;

use crate::bugs::planted;
use crate::clock;
use crate::runner::output::create;
use crate::runner::proc;

/// How often [`wait_until_gone`] looks.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How often a lock that somebody only looks at is tried again.
const TRIES: u32 = 20;
/// Most files in a folder that are looked at.
const MAX_FILES: usize = 100_000;
/// Most bytes of a lock file that are read.
const MAX_BIRTH: u64 = 4096;

/// What the lock of a node says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Its daemon or its keeper holds the lock, or somebody is just taking its work over.
    Alive,
    /// Nobody holds the lock: neither lives.
    Gone,
    /// The file is missing or cannot be looked at, which proves nothing.
    Unknown,
}

/// The lock of a living node, held until this is dropped in the daemon and the keeper has left.
#[derive(Debug)]
pub struct NodeLock {
    file: File,
}

impl NodeLock {
    /// Makes and locks the file of a new node. `id` is random, and nobody else's.
    pub fn take(dir: &Path, id: &str) -> io::Result<NodeLock> {
        let _gate = gate(dir)?;
        let started = proc::look(std::process::id() as i32).map(|process| process.started);
        let birth = Birth { boot: proc::boot(), started, owner: rustix::process::geteuid().as_raw() };
        Ok(NodeLock { file: make_locked(&lock_path(dir, id), &birth.text())? })
    }

    /// A second handle of the same lock, for the keeper: the lock is free only when all handles are closed.
    pub fn share(&self) -> io::Result<OwnedFd> {
        self.file.as_fd().try_clone_to_owned()
    }
}

/// What a node says of itself in its lock file, and the system of that.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Birth {
    /// The boot of the machine in which it was started; `None` where it did not say, as older versions did not.
    pub boot: Option<String>,
    /// When its daemon began, in clock ticks since that boot; likewise.
    pub started: Option<u64>,
    /// The user who owns the file.
    pub owner: u32,
}

impl Birth {
    fn text(&self) -> String {
        let started = self.started.map(|ticks| ticks.to_string());
        let fields = [("boot", self.boot.clone()), ("started", started)];
        fields.into_iter().filter_map(|(name, value)| Some(format!("{name}={}\n", value?))).collect()
    }

    fn read(file: &File) -> io::Result<Birth> {
        let mut text = String::new();
        file.take(MAX_BIRTH).read_to_string(&mut text)?;
        let field = |name: &str| {
            let mut lines = text.lines().filter_map(|line| line.split_once('='));
            lines.find(|(known, _)| *known == name).map(|(_, value)| value.to_owned())
        };
        let started = field("started").and_then(|ticks| ticks.parse().ok());
        Ok(Birth { boot: field("boot"), started, owner: file.metadata()?.uid() })
    }

    /// Was the machine started anew since? Then nothing of the node lives.
    #[must_use]
    pub fn before_this_boot(&self) -> bool {
        before_this_boot(self.boot.as_deref())
    }
}

/// Is this another boot of the machine than the present one? False where either is not known.
#[must_use]
pub fn before_this_boot(boot: Option<&str>) -> bool {
    matches!((boot, proc::boot()), (Some(then), Some(now)) if then != now)
}

/// Does the node live?
pub fn state(dir: &Path, id: &str) -> State {
    match lock_of(dir, id).and_then(|path| look(&path)) {
        Ok(true) => State::Alive,
        Ok(false) => State::Gone,
        Err(_) => State::Unknown,
    }
}

/// Waits until nobody holds the node's lock any more.
///
/// Returns at once with [`State::Unknown`] when its file is missing or unreadable. May be dropped at any time.
pub async fn wait_until_gone(dir: &Path, id: &str) -> State {
    loop {
        match state(dir, id) {
            State::Alive => clock::sleep(LOOK_EVERY).await,
            known => return known,
        }
    }
}

/// The lock of a dead node, held by the one who clears up behind it.
///
/// While it is held everybody else sees the node as alive, so that only one clears up. If the holder dies as well, the
/// lock is free again and the next one starts over.
#[derive(Debug)]
pub struct DeadNode {
    id: String,
    path: PathBuf,
    birth: Birth,
    _file: File,
}

impl DeadNode {
    /// The id of the dead node.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What it said of itself.
    pub fn birth(&self) -> &Birth {
        &self.birth
    }

    /// Removes the lock file, when nothing of the node is left in the store.
    pub fn bury(self) -> io::Result<()> {
        fs::remove_file(&self.path)?;
        match fs::remove_file(self.path.with_extension("daemon")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// Takes the lock of a node that is gone, to end its processes and take its work over.
///
/// Gives the state instead when there is nothing to take.
pub fn take_over(dir: &Path, id: &str) -> Result<DeadNode, State> {
    let Ok((path, file)) = lock_of(dir, id).and_then(|path| open(&path).map(|file| (path, file))) else {
        return Err(State::Unknown);
    };
    for _ in 0..TRIES {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            // Somebody may have buried it between our opening and our lock.
            Ok(()) if fs::symlink_metadata(&path).is_ok() => {
                let birth = Birth::read(&file).map_err(|_| State::Unknown)?;
                return Ok(DeadNode { id: id.to_owned(), path, birth, _file: file });
            }
            Ok(()) => return Err(State::Unknown),
            // One who only looks holds the lock for an instant, shared; a process that holds it shared is not a node.
            Err(Errno::WOULDBLOCK) => {
                if planted("the_living_are_buried") {
                    let birth = Birth::read(&file).map_err(|_| State::Unknown)?;
                    return Ok(DeadNode { id: id.to_owned(), path, birth, _file: file });
                }
                if flock(&file, FlockOperation::NonBlockingLockShared).is_err() {
                    return Err(State::Alive);
                }
                std::thread::yield_now();
            }
            Err(_) => return Err(State::Unknown),
        }
    }
    Err(State::Alive)
}

/// The lock that says: a daemon works here. Held until it is dropped; no child process gets it.
#[derive(Debug)]
pub struct DaemonLock {
    _file: File,
}

/// Why a [`DaemonLock`] was not given.
#[derive(Debug, thiserror::Error)]
pub enum DaemonLockError {
    /// Other daemons work here; these are their node ids.
    #[error("another daemon works here: node {}", .0.join(", "))]
    Others(Vec<String>),
    /// The folder or a file in it could not be used.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl DaemonLock {
    /// Takes the daemon lock of node `id`. Unless `join` is set it is refused when another daemon has one here.
    ///
    /// Of two daemons that start at the same moment one comes first: looking and taking is one step.
    pub fn take(dir: &Path, id: &str, join: bool) -> Result<DaemonLock, DaemonLockError> {
        let _gate = gate(dir)?;
        if !join {
            let others = daemons(dir)?;
            if !others.is_empty() {
                return Err(DaemonLockError::Others(others));
            }
        }
        Ok(DaemonLock { _file: make_locked(&dir.join(format!("{id}.daemon")), "")? })
    }
}

/// The node ids of the daemons that work in this folder now.
pub fn daemons(dir: &Path) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)?.take(MAX_FILES) {
        let path = entry?.path();
        if path.extension().is_some_and(|word| word == "daemon")
            && let Some(id) = path.file_stem().and_then(|stem| stem.to_str())
            && look(&path).is_ok_and(|held| held)
        {
            found.push(id.to_owned());
        }
    }
    found.sort();
    Ok(found)
}

/// The dead nodes that have a lock file here and are none of `known`, which the store takes for alive: they were killed at
/// their start, or an older copy of the store was put in place, which has not heard of them.
pub fn unknown(dir: &Path, known: &[String]) -> io::Result<Vec<String>> {
    // A lock file is made while holding the gate, so one that exists and is free belongs to a dead node.
    let _gate = gate(dir)?;
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)?.take(MAX_FILES) {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let is_of = |ending: &str| name.strip_suffix(ending).filter(|id| !known.iter().any(|node| node == id));
        let is_free = || look(&path).is_ok_and(|held| !held);
        if let Some(id) = is_of(".lock") {
            found.extend(is_free().then(|| id.to_owned()));
        } else if is_of(".lock.new").or(is_of(".daemon.new")).is_some() && is_free() {
            // Never given its name, so nobody ever saw it.
            let _ = fs::remove_file(&path);
        } else if is_of(".daemon").is_some_and(|id| !lock_path(dir, id).exists()) && is_free() {
            let _ = fs::remove_file(&path);
        }
    }
    found.sort();
    Ok(found)
}

fn lock_path(dir: &Path, id: &str) -> PathBuf {
    dir.join(format!("{id}.lock"))
}

// The same for an id that a row of the store gave: a process that may write there must not choose files elsewhere.
fn lock_of(dir: &Path, id: &str) -> io::Result<PathBuf> {
    let is_id = (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if is_id { Ok(lock_path(dir, id)) } else { Err(io::ErrorKind::InvalidInput.into()) }
}

/// The file appears under its name only when it is locked: nobody ever sees a new node as dead.
fn make_locked(path: &Path, text: &str) -> io::Result<File> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    let draft = PathBuf::from(draft);
    let mut file = create(&draft)?;
    file.write_all(text.as_bytes())?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    fs::rename(&draft, path)?;
    Ok(file)
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32).open(path)
}

/// Is the file locked by somebody?
fn look(path: &Path) -> io::Result<bool> {
    match flock(open(path)?, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(false),
        Err(Errno::WOULDBLOCK) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

/// Lets one daemon at a time look at the others and take its own lock.
fn gate(dir: &Path) -> io::Result<File> {
    let path = dir.join("daemons.gate");
    match create(&path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let file = open(&path)?;
    flock(&file, FlockOperation::LockExclusive)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_no_path() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("nodes")).unwrap();
        std::fs::write(dir.path().join("precious.lock"), "").unwrap();
        assert_eq!(state(&dir.path().join("nodes"), "../precious"), State::Unknown);
        assert!(take_over(&dir.path().join("nodes"), "../precious").is_err());
    }

    #[test]
    fn a_node_lives_as_long_as_its_lock_is_held() {
        let dir = tempfile::tempdir().expect("a folder");
        assert_eq!(state(dir.path(), "a"), State::Unknown);
        let lock = NodeLock::take(dir.path(), "a").expect("a lock");
        assert_eq!(state(dir.path(), "a"), State::Alive);
        let shared = lock.share().expect("a second handle");
        drop(lock);
        assert_eq!(state(dir.path(), "a"), State::Alive, "the keeper is left");
        drop(shared);
        assert_eq!(state(dir.path(), "a"), State::Gone);
    }

    #[test]
    fn one_takes_over_and_the_others_see_the_node_alive() {
        let dir = tempfile::tempdir().expect("a folder");
        assert_eq!(take_over(dir.path(), "a").map(drop), Err(State::Unknown));
        let lock = NodeLock::take(dir.path(), "a").expect("a lock");
        assert_eq!(take_over(dir.path(), "a").map(drop), Err(State::Alive));
        drop(lock);
        let dead = take_over(dir.path(), "a").expect("it is gone");
        assert_eq!(state(dir.path(), "a"), State::Alive);
        assert_eq!(take_over(dir.path(), "a").map(drop), Err(State::Alive));
        drop(dead);
        let dead = take_over(dir.path(), "a").expect("the first one died as well");
        dead.bury().expect("removed");
        assert_eq!(state(dir.path(), "a"), State::Unknown);
    }

    #[test]
    fn lookers_do_not_keep_a_dead_node_alive() {
        let dir = tempfile::tempdir().expect("a folder");
        drop(NodeLock::take(dir.path(), "a").expect("a lock"));
        let path = dir.path().to_owned();
        let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let looker = {
            let (path, stop) = (path.clone(), stop.clone());
            std::thread::spawn(move || {
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    state(&path, "a");
                }
            })
        };
        let taken = (0..100).filter(|_| take_over(&path, "a").is_ok()).count();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        looker.join().expect("joined");
        assert!(taken > 90, "taken {taken} times of 100");
    }

    #[test]
    fn a_second_daemon_needs_to_join() {
        let dir = tempfile::tempdir().expect("a folder");
        let first = DaemonLock::take(dir.path(), "a", false).expect("alone");
        let refused = DaemonLock::take(dir.path(), "b", false).expect_err("not alone");
        assert_eq!(refused.to_string(), "another daemon works here: node a");
        let second = DaemonLock::take(dir.path(), "c", true).expect("joined");
        assert_eq!(daemons(dir.path()).expect("readable"), ["a", "c"]);
        drop(first);
        drop(second);
        DaemonLock::take(dir.path(), "d", false).expect("alone again");
    }

    #[tokio::test]
    async fn waiting_ends_when_the_node_is_gone() {
        let dir = tempfile::tempdir().expect("a folder");
        let lock = NodeLock::take(dir.path(), "a").expect("a lock");
        let waiting = tokio::spawn({
            let dir = dir.path().to_owned();
            async move { wait_until_gone(&dir, "a").await }
        });
        drop(lock);
        assert_eq!(waiting.await.expect("joined"), State::Gone);
    }
}
