//! The lock of an attempt: while a process of its tree lives, the kernel says so.
//!
//! The keeper makes a file for each command, locks it (`flock`, shared) and hands the open file down to the command,
//! which hands it down to whatever it starts. The lock is free when the last of them is gone, for every process that
//! looks: another user, another PID namespace, and whatever the processes did to their environment, session or parents.
//! The descriptor has a number that scripts do not use ([`HIGHEST`], or less where fewer files are allowed).
//!
//! Shells, `make`, Perl, Node.js, `su` and `setpriv` pass it on; Python's `subprocess` closes it in its children, and `sudo`
//! and `sshd` do (tried, but for the last two). What has closed it is found by the other marks that [`super::sweep`] knows.

use std::cell::LazyCell;
use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use jobstile_core::id::{Fence, RunId};
use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

use super::output::create;
use super::proc::{self, Process};

/// The highest number that the descriptor gets: more would cost every process a larger table of files.
pub const HIGHEST: u32 = 1023;
/// Numbers that scripts and shells use themselves.
const IN_USE: [std::ops::RangeInclusive<u32>; 3] = [0..=10, 62..=63, 255..=255];
/// What the files of attempts are called, behind run and fence.
const ENDING: &str = "attempt";
/// Most bytes of a note that are read.
const MAX_NOTE: u64 = 4096;
/// Most files in a folder that are looked at.
const MAX_FILES: usize = 100_000;
/// Most open files of a process that are looked at.
const MAX_OPEN: usize = 65_536;
/// How often a lock that somebody else may just be looking at is tried again.
const TRIES: u32 = 5;

/// What is left of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tree {
    /// No process of it lives.
    Over,
    /// Some do. Those that can be seen from here; none may be: they are another user's, or in another container.
    Lives(Vec<Holder>),
    /// There is no such file, or it cannot be looked at. An HTTP call and a function never have one.
    Unknown,
}

/// A process that holds the lock of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its number here.
    pub pid: i32,
    /// The number of the user it belongs to.
    pub uid: u32,
    /// Its name, safe to print: `sleep`.
    pub name: String,
}

/// What the file says about its attempt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Note {
    /// The node that started it.
    pub node: String,
    /// The job.
    pub job: String,
    /// The command's own process in its keeper's PID namespace.
    pub pid: i32,
    /// The session that the command was started in: the keeper's own.
    pub session: i32,
}

impl Note {
    fn text(&self) -> String {
        format!("node={}\njob={}\npid={}\nsession={}\n", self.node, self.job, self.pid, self.session)
    }

    /// What the file of an attempt says; empty where there is nothing in it.
    pub fn read(dir: &Path, run: RunId, fence: Fence) -> io::Result<Note> {
        let mut text = String::new();
        open(&path(dir, run, fence))?.take(MAX_NOTE).read_to_string(&mut text)?;
        let mut note = Note::default();
        for (name, value) in text.lines().filter_map(|line| line.split_once('=')) {
            match name {
                "node" => value.clone_into(&mut note.node),
                "job" => value.clone_into(&mut note.job),
                "pid" => note.pid = value.parse().unwrap_or_default(),
                "session" => note.session = value.parse().unwrap_or_default(),
                _ => {}
            }
        }
        Ok(note)
    }
}

/// The file that stands for an attempt.
#[must_use]
pub fn path(dir: &Path, run: RunId, fence: Fence) -> PathBuf {
    dir.join(format!("{run}-{fence}.{ENDING}"))
}

/// The attempts that have a file in this folder.
pub fn list(dir: &Path) -> io::Result<Vec<(RunId, Fence)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)?.take(MAX_FILES) {
        found.extend(parse(entry?.file_name().as_bytes()));
    }
    found.sort_unstable();
    Ok(found)
}

// `7-9.attempt`, also when it was removed while it was open.
fn parse(name: &[u8]) -> Option<(RunId, Fence)> {
    let name = std::str::from_utf8(name).ok()?;
    let name = name.strip_suffix(" (deleted)").unwrap_or(name);
    let (run, fence) = name.strip_suffix(ENDING)?.strip_suffix('.')?.split_once('-')?;
    Some((RunId(run.parse().ok()?), Fence(fence.parse().ok()?)))
}

/// What is left of this attempt, and who that is.
#[must_use]
pub fn look(dir: &Path, run: RunId, fence: Fence) -> Tree {
    look_at_all(dir, &[(run, fence)]).pop().unwrap_or(Tree::Unknown)
}

/// What is left of each of these attempts. The processes are looked at once, and only if something lives.
#[must_use]
pub fn look_at_all(dir: &Path, attempts: &[(RunId, Fence)]) -> Vec<Tree> {
    let all = LazyCell::new(|| holders(dir));
    let look = |attempt: &(RunId, Fence)| match is_held(&path(dir, attempt.0, attempt.1)) {
        Ok(false) => Tree::Over,
        Ok(true) => Tree::Lives(living(dir, *attempt, &all).iter().map(Holder::of).collect()),
        Err(_) => Tree::Unknown,
    };
    attempts.iter().map(look).collect()
}

/// Who lives of this attempt.
pub(crate) fn who(dir: &Path, run: RunId, fence: Fence) -> Vec<Process> {
    living(dir, (run, fence), &holders(dir))
}

// Nobody may look into the open files of another user: of those the group tells, in which the command was started.
fn living(dir: &Path, attempt: (RunId, Fence), all: &HashMap<(RunId, Fence), Vec<Process>>) -> Vec<Process> {
    if let Some(holders) = all.get(&attempt) {
        return holders.clone();
    }
    let (run, fence) = attempt;
    let note = Note::read(dir, run, fence).unwrap_or_default();
    let of_group = |process: &Process| process.group == note.pid && process.session == note.session && note.pid > 1;
    proc::all().unwrap_or_default().into_iter().filter(|process| !process.zombie && of_group(process)).collect()
}

impl Holder {
    pub(crate) fn of(process: &Process) -> Holder {
        Holder {
            pid: process.pid,
            uid: proc::rights_of(process.pid).unwrap_or_default(),
            name: proc::name(process.pid),
        }
    }
}

/// Does anybody hold the lock in this file?
pub(crate) fn is_held(path: &Path) -> io::Result<bool> {
    let file = open(path)?;
    for attempt in 0..TRIES {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(false),
            // Perhaps only by one who looks, as we do: it lets go at once.
            Err(Errno::WOULDBLOCK) if attempt + 1 < TRIES => std::thread::yield_now(),
            Err(Errno::WOULDBLOCK) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(true)
}

/// Every process that can be seen from here and holds a file of an attempt of this folder open.
///
/// `/proc/locks` names only who took a lock, and that was the keeper: the holders are found by their open files.
pub(crate) fn holders(dir: &Path) -> HashMap<(RunId, Fence), Vec<Process>> {
    let mut found: HashMap<(RunId, Fence), Vec<Process>> = HashMap::new();
    let own = std::process::id() as i32;
    for process in proc::all().unwrap_or_default() {
        // A keeper has them open to hand them down.
        if process.zombie || process.pid == own {
            continue;
        }
        for attempt in open_in(process.pid, dir) {
            found.entry(attempt).or_default().push(process);
        }
    }
    found
}

/// The attempts of this folder whose files this process has open.
fn open_in(pid: i32, dir: &Path) -> Vec<(RunId, Fence)> {
    let Ok(files) = fs::read_dir(format!("/proc/{pid}/fd")) else { return Vec::new() };
    let mut found: Vec<(RunId, Fence)> = files
        .flatten()
        .take(MAX_OPEN)
        .filter_map(|file| {
            let target = fs::read_link(file.path()).ok()?;
            let attempt = parse(target.file_name()?.as_bytes())?;
            // The name may be another folder's: what counts is the file itself.
            let held = fs::metadata(file.path()).ok()?;
            let ours = fs::symlink_metadata(path(dir, attempt.0, attempt.1)).ok()?;
            ((held.dev(), held.ino()) == (ours.dev(), ours.ino())).then_some(attempt)
        })
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// Removes the file of an attempt that is over; it is fine if there is none.
pub fn remove(dir: &Path, run: RunId, fence: Fence) -> io::Result<()> {
    match fs::remove_file(path(dir, run, fence)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The lock of an attempt in its keeper, from before its start.
#[derive(Debug)]
pub(super) struct AttemptLock {
    file: File,
}

impl AttemptLock {
    /// Makes and locks the file. One that already exists is none of ours: a fence is given once.
    pub(super) fn take(dir: &Path, run: RunId, fence: Fence) -> io::Result<AttemptLock> {
        remove(dir, run, fence)?;
        let file = create(&path(dir, run, fence))?;
        flock(&file, FlockOperation::NonBlockingLockShared)?;
        Ok(AttemptLock { file })
    }

    /// A descriptor of the same lock that everything inherits which is started while it is open. For a process with one
    /// thread.
    pub(super) fn to_inherit(&self) -> io::Result<OwnedFd> {
        let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let descriptor = rustix::io::fcntl_dupfd_cloexec(&self.file, number(limit) as i32)?;
        rustix::io::fcntl_setfd(&descriptor, rustix::io::FdFlags::empty())?;
        Ok(descriptor)
    }

    /// Says whose it is. For people and for the process that clears up: the lock holds without it.
    pub(super) fn note(&self, note: &Note) {
        let _ = self.file.write_all_at(note.text().as_bytes(), 0);
    }

    /// What the kernel calls this file in a list of open ones.
    pub(super) fn link(&self) -> Option<Vec<u8>> {
        use std::os::fd::AsRawFd;
        let link = fs::read_link(format!("/proc/self/fd/{}", self.file.as_fd().as_raw_fd())).ok()?;
        Some(link.into_os_string().as_bytes().to_vec())
    }
}

/// The number of the descriptor, where a process may have files with numbers below `limit`.
fn number(limit: u64) -> u32 {
    let highest = limit.saturating_sub(1).min(HIGHEST.into()) as u32;
    (0..=highest).rev().find(|number| !IN_USE.iter().any(|used| used.contains(number))).unwrap_or(highest)
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_descriptor_has_a_number_that_scripts_do_not_use() {
        let table = [(1 << 20, 1023), (1024, 1023), (256, 254), (64, 61), (63, 61), (12, 11)];
        for (limit, expected) in table {
            assert_eq!(number(limit), expected, "{limit}");
        }
    }

    #[test]
    fn an_attempt_lives_as_long_as_somebody_has_its_descriptor() {
        let dir = tempfile::tempdir().expect("a folder");
        let (run, fence) = (RunId(7), Fence(9));
        assert_eq!(look(dir.path(), run, fence), Tree::Unknown);
        let lock = AttemptLock::take(dir.path(), run, fence).expect("a lock");
        let note = Note { node: "a".to_owned(), job: "sync".to_owned(), pid: 12, session: 11 };
        lock.note(&note);
        assert_eq!(Note::read(dir.path(), run, fence).expect("readable"), note);
        assert_eq!(list(dir.path()).expect("readable"), [(run, fence)]);
        let inherited = lock.to_inherit().expect("a descriptor");
        let mut child = std::process::Command::new("/bin/sleep").arg("60").spawn().expect("sleep");
        drop((lock, inherited));
        let holder =
            Holder { pid: child.id() as i32, uid: rustix::process::geteuid().as_raw(), name: "sleep".to_owned() };
        // Its name is its own only after `exec`.
        for _ in 0..2_000 {
            if proc::name(holder.pid) == "sleep" {
                break;
            }
            std::thread::yield_now();
        }
        let Tree::Lives(holders) = look(dir.path(), run, fence) else { panic!("it lives") };
        assert!(holders.contains(&holder), "{holders:?}");
        child.kill().expect("killed");
        child.wait().expect("waited for");
        // Other tests of this program may just have started something, which has it until its `exec`.
        for _ in 0..2_000 {
            if look(dir.path(), run, fence) == Tree::Over {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        panic!("nobody holds it any more");
    }

    #[test]
    fn only_names_of_attempts_are_attempts() {
        let table =
            [("7-9.attempt", true), ("7-9.attempt (deleted)", true), ("7-9.out", false), ("x-9.attempt", false)];
        for (name, is_one) in table {
            assert_eq!(parse(name.as_bytes()).is_some(), is_one, "{name}");
        }
    }
}
