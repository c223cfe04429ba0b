//! Several processes on one file take turns: take *next*, take *write*, release *next*, transact, release *write*.
//!
//! All who write look at the same file, log and index, or they would lose each other's writes. Each turn compares what is
//! beside the store with what was opened. And whoever opens a store that others have open looks whether it opened the
//! log and the index that they did: they all hold the wake file locked, shared, and the numbers stand in the file for
//! *write*.
//!
//! SQLite's own lock is not fair: a second process starves behind one that writes all the time. Two `flock` files beside
//! the store make a line of it. After its commit each writer puts a byte into the wake file, which the others watch.

use std::fs::{File, Metadata, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;

use crate::clock::{self, Stopwatch};
use crate::error::{Error, Kind, Result};

/// When the wake file is cut back to nothing.
const MAX_WAKE_BYTES: u64 = 1 << 16;

/// How long a turn is waited for. Nobody holds one as long as that who has not been stopped by a signal.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks at a lock that somebody holds: an eighth of the wait so far, but not less nor more than this. A turn
/// that nobody has is lost time for everybody in line.
const LOOKS: (Duration, Duration) = (Duration::from_micros(20), Duration::from_millis(5));

pub(super) struct Turnstile {
    next: File,
    write: File,
    wake: File,
    store: PathBuf,
    /// The file that was opened, the file of its turns, its log's index, and its log once there is one.
    opened: Number,
    turns: Number,
    index: Option<Number>,
    log: OnceLock<Number>,
    patience: Duration,
}

/// Device and number of a file.
type Number = (u64, u64);

/// A turn: nobody else writes until it is left.
pub(super) struct Turn(Arc<Turnstile>);

/// The file beside the store that changes after each commit.
pub(crate) fn wake_file(store: &Path) -> PathBuf {
    beside(store, "wake")
}

pub(super) fn beside(store: &Path, what: &str) -> PathBuf {
    let mut name = store.file_name().unwrap_or_default().to_owned();
    name.push(format!("-{what}"));
    store.with_file_name(name)
}

impl Turnstile {
    pub(super) fn beside(store: &Path) -> Result<Self> {
        let of = std::fs::metadata(store)
            .map_err(|e| Error::new(Kind::Store, format!("cannot look at {}", store.display())).because(e))?;
        let open = |what| {
            let path = beside(store, what);
            open(&path, &of).map_err(|e| {
                let kind =
                    if e.kind() == std::io::ErrorKind::PermissionDenied { Kind::NotAllowed } else { Kind::Store };
                Error::new(kind, format!("cannot open {}", path.display())).because(e)
            })
        };
        let (next, write, wake) = (open("next")?, open("write")?, open("wake")?);
        let turns = write.metadata().map_err(unusable)?;
        let turnstile = Self {
            next,
            write,
            wake,
            store: store.to_owned(),
            opened: number(&of),
            turns: number(&turns),
            index: number_of(&beside(store, "shm")),
            log: OnceLock::new(),
            patience: PATIENCE,
        };
        turnstile.come_in()?;
        Ok(turnstile)
    }

    // Does everybody who has the store open look at the same log and index?
    fn come_in(&self) -> Result<()> {
        self.wait_for_turn()?;
        let same = match flock(&self.wake, FlockOperation::NonBlockingLockExclusive) {
            // Nobody else has it open.
            Ok(()) => {
                self.leave_word();
                Ok(true)
            }
            Err(Errno::WOULDBLOCK) => agrees(&self.store, &self.write),
            Err(e) => Err(e.into()),
        };
        let shared = flock(&self.wake, FlockOperation::LockShared);
        let left = flock(&self.write, FlockOperation::Unlock);
        shared.and(left).map_err(untaken)?;
        if same.map_err(unusable)? { Ok(()) } else { Err(disagrees(&self.store)) }
    }

    // A full disk may have no room for it: then there is nothing to compare.
    fn leave_word(&self) {
        let word = |number: Option<&Number>| number.map_or_else(|| "-".to_owned(), |(dev, ino)| format!("{dev}:{ino}"));
        let word = format!("{} {}\n", word(self.index.as_ref()), word(self.log.get()));
        let _ = self.write.set_len(0).and_then(|()| (&self.write).write_all(word.as_bytes()));
    }

    fn wait_for_turn(&self) -> Result<()> {
        self.lock(&self.next)?;
        let write = self.lock(&self.write);
        flock(&self.next, FlockOperation::Unlock).map_err(untaken)?;
        write
    }

    pub(super) fn take(self: &Arc<Self>) -> Result<Turn> {
        self.wait_for_turn()?;
        let turn = Turn(Arc::clone(self));
        // What is written to a file without a name is lost, and what is written under another index is not seen.
        if self.is_in_place() { Ok(turn) } else { Err(self.replaced()) }
    }

    fn is_in_place(&self) -> bool {
        number_of(&self.store) == Some(self.opened)
            && number_of(&beside(&self.store, "shm")) == self.index
            && number_of(&beside(&self.store, "write")) == Some(self.turns)
            && self.has_its_log()
    }

    // SQLite makes the log when it first needs it, and leaves it there for as long as anybody has the store open.
    fn has_its_log(&self) -> bool {
        match (number_of(&beside(&self.store, "wal")), self.log.get()) {
            (Some(now), None) => {
                let first = self.log.set(now).is_ok();
                self.leave_word();
                first
            }
            (now, log) => now.as_ref() == log,
        }
    }

    fn replaced(&self) -> Error {
        let what =
            format!("{}, its log or a file beside it was deleted or replaced while it was open", self.store.display());
        Error::new(Kind::Replaced, what)
    }

    // The line is short and the next process in line holds `next`, so that looking again and again is as fair as
    // sleeping. And it can end, where the kernel would wait for as long as a stopped process is stopped.
    fn lock(&self, file: &File) -> Result<()> {
        let waited = Stopwatch::start();
        loop {
            match flock(file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(()),
                Err(Errno::WOULDBLOCK | Errno::INTR) if waited.read() < self.patience => {}
                Err(Errno::WOULDBLOCK) => {
                    let what = format!(
                        "{} is busy: another process has held its turn for {} s, is it stopped?",
                        self.store.display(),
                        self.patience.as_secs()
                    );
                    return Err(Error::new(Kind::Store, what));
                }
                Err(e) => return Err(untaken(e)),
            }
            clock::block((waited.read() / 8).clamp(LOOKS.0, LOOKS.1));
        }
    }
}

/// Before a store is opened, and anything made beside it: do those who have it open look at what is there now?
pub(super) fn look(store: &Path) -> Result<()> {
    // Without these files nobody has left word.
    let (Ok(wake), Ok(write)) = (File::open(beside(store, "wake")), File::open(beside(store, "write"))) else {
        return Ok(());
    };
    let alone = flock(&wake, FlockOperation::NonBlockingLockExclusive) != Err(Errno::WOULDBLOCK);
    if alone || agrees(store, &write).map_err(unusable)? { Ok(()) } else { Err(disagrees(store)) }
}

// Are the index and the log the ones that the others left word of?
fn agrees(store: &Path, word: &File) -> std::io::Result<bool> {
    let mut text = [0; 128];
    let n = word.read_at(&mut text, 0)?;
    let text = String::from_utf8_lossy(&text[..n]);
    let mut theirs = text.split_whitespace().map(|word| {
        let (dev, ino) = word.split_once(':')?;
        Some((dev.parse().ok()?, ino.parse().ok()?))
    });
    // Where they had none yet, or left no word, there is nothing to compare.
    let mut same =
        |what| theirs.next().flatten().is_none_or(|theirs: Number| number_of(&beside(store, what)) == Some(theirs));
    Ok(same("shm") && same("wal"))
}

fn disagrees(store: &Path) -> Error {
    let what = format!(
        "the log of {} or the log's index was deleted or replaced while another process has the store open: nothing is \
         written beside it; stop that process, then try again",
        store.display()
    );
    Error::new(Kind::Replaced, what)
}

fn number(of: &Metadata) -> Number {
    (of.dev(), of.ino())
}

fn number_of(path: &Path) -> Option<Number> {
    std::fs::metadata(path).ok().map(|of| number(&of))
}

fn unusable(error: std::io::Error) -> Error {
    Error::new(Kind::Store, "cannot use the lock files of the store").because(error)
}

fn untaken(error: Errno) -> Error {
    Error::new(Kind::Store, "cannot take a turn at the store").because(error)
}

// Makes or opens a lock file, never through a link that somebody put in its place. It is as the store itself, whose group
// takes turns too: only their owner can and need see to that.
fn open(path: &Path, of: &Metadata) -> std::io::Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32;
    let file = OpenOptions::new().create(true).read(true).append(true).mode(0o660).custom_flags(flags).open(path)?;
    let is = file.metadata()?;
    if !is.is_file() {
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, "it is no lock file: move it away"));
    }
    let as_the_store = is.permissions().mode() & 0o777 == 0o660 && (is.uid(), is.gid()) == (of.uid(), of.gid());
    if !as_the_store && is.nlink() == 1 {
        let _ = file.set_permissions(Permissions::from_mode(0o660));
        let _ = std::os::unix::fs::fchown(&file, Some(of.uid()), Some(of.gid()));
    }
    Ok(file)
}

impl Turn {
    /// Leaves the turnstile; after a commit that changed something the others are woken.
    pub(super) fn leave(self, changed: bool) {
        // A wake-up is a hint: the others look by themselves once a second. So is the file's length.
        if changed {
            let _ = (&self.0.wake).write(b"w");
            if self.0.wake.metadata().is_ok_and(|m| m.len() > MAX_WAKE_BYTES) {
                let _ = self.0.wake.set_len(0);
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // A lock that cannot be released is released with the process.
        let _ = flock(&self.0.write, FlockOperation::Unlock);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn a_store() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().expect("a folder");
        let store = dir.path().join("store.db");
        std::fs::write(&store, "").expect("written");
        (dir, store)
    }

    #[test]
    fn a_turn_that_somebody_keeps_is_not_waited_for_without_end() {
        let (_dir, store) = a_store();
        let mut other = Turnstile::beside(&store).expect("a turnstile");
        let held = Arc::new(Turnstile::beside(&store).expect("a turnstile")).take().expect("a turn");
        other.patience = Duration::from_millis(5);
        let other = Arc::new(other);
        let error = other.take().map(drop).expect_err("it is held");
        assert_eq!((error.kind(), error.to_string().contains("is busy")), (Kind::Store, true), "{error}");
        drop(held);
        other.take().map(drop).expect("now it is free");
    }

    #[test]
    fn a_store_that_was_replaced_is_not_written_to() {
        let (dir, store) = a_store();
        let turnstile = Arc::new(Turnstile::beside(&store).expect("a turnstile"));
        std::fs::rename(&store, dir.path().join("away")).expect("moved");
        assert_eq!(turnstile.take().map(drop).expect_err("it is gone").kind(), Kind::Replaced);
        std::fs::write(&store, "").expect("written");
        assert_eq!(turnstile.take().map(drop).expect_err("it is another one").kind(), Kind::Replaced);
        std::fs::rename(dir.path().join("away"), &store).expect("moved back");
        turnstile.take().map(drop).expect("it is back");
        std::fs::write(beside(&store, "wal"), "").expect("written");
        turnstile.take().map(drop).expect("it has a log now");
        std::fs::remove_file(beside(&store, "wal")).expect("removed");
        assert_eq!(turnstile.take().map(drop).expect_err("its log is gone").kind(), Kind::Replaced);
    }

    #[test]
    fn a_lock_file_is_not_opened_through_a_link() {
        let (dir, store) = a_store();
        let theirs = dir.path().join("theirs");
        std::fs::write(&theirs, "").expect("written");
        std::fs::set_permissions(&theirs, Permissions::from_mode(0o600)).expect("set");
        std::os::unix::fs::symlink(&theirs, beside(&store, "write")).expect("linked");
        assert!(Turnstile::beside(&store).is_err());
        std::fs::remove_file(beside(&store, "write")).expect("removed");
        std::fs::hard_link(&theirs, beside(&store, "write")).expect("linked");
        Turnstile::beside(&store).expect("a turnstile");
        assert_eq!(std::fs::metadata(&theirs).expect("it is there").permissions().mode() & 0o777, 0o600);
    }
}
