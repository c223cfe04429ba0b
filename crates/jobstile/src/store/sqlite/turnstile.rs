//! Several processes on one file take turns: take *next*, take *write*, release *next*, transact, release *write*.
//!
//! SQLite's own lock is not fair: a second process starves behind one that writes all the time. Two `flock` files beside
//! the store make a line of it. After its commit each writer puts a byte into the wake file, which the others watch.

use std::fs::{File, Metadata, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;

use crate::engine::clock::Stopwatch;
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
    /// Device and number of the file that was opened, and of its write-ahead log once there is one.
    opened: (u64, u64),
    log: OnceLock<(u64, u64)>,
    patience: Duration,
}

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
        Ok(Self {
            next,
            write,
            wake,
            store: store.to_owned(),
            opened: number(&of),
            log: OnceLock::new(),
            patience: PATIENCE,
        })
    }

    pub(super) fn take(self: &Arc<Self>) -> Result<Turn> {
        self.lock(&self.next)?;
        let write = self.lock(&self.write);
        flock(&self.next, FlockOperation::Unlock).map_err(untaken)?;
        write?;
        let turn = Turn(Arc::clone(self));
        // What is written to a file without a name is lost.
        let there = std::fs::metadata(&self.store).is_ok_and(|now| number(&now) == self.opened);
        if there && self.has_its_log() { Ok(turn) } else { Err(self.replaced()) }
    }

    // SQLite makes the log when it first needs it, and leaves it there for as long as anybody has the store open.
    fn has_its_log(&self) -> bool {
        match (std::fs::metadata(beside(&self.store, "wal")), self.log.get()) {
            (Ok(now), None) => self.log.set(number(&now)).is_ok(),
            (Ok(now), Some(log)) => number(&now) == *log,
            (Err(_), log) => log.is_none(),
        }
    }

    fn replaced(&self) -> Error {
        let what = format!("{} or its log was deleted or replaced while it was open", self.store.display());
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
            std::thread::sleep((waited.read() / 8).clamp(LOOKS.0, LOOKS.1));
        }
    }
}

fn number(of: &Metadata) -> (u64, u64) {
    (of.dev(), of.ino())
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
        let held = Arc::new(Turnstile::beside(&store).expect("a turnstile")).take().expect("a turn");
        let mut other = Turnstile::beside(&store).expect("a turnstile");
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
