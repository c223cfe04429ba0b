//! Several processes on one file take turns: take *next*, take *write*, release *next*, transact, release *write*.
//!
//! SQLite's own lock is not fair: a second process starves behind one that writes all the time. Two `flock` files beside
//! the store make a line of it. After its commit each writer puts a byte into the wake file, which the others watch.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FlockOperation, flock};

use crate::error::{Error, Kind, Result};

/// When the wake file is cut back to nothing.
const MAX_WAKE_BYTES: u64 = 1 << 16;

pub(super) struct Turnstile {
    next: File,
    write: File,
    wake: File,
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
        let open = |what| {
            let path = beside(store, what);
            let file = OpenOptions::new().create(true).read(true).append(true).mode(0o660).open(&path);
            if let (Ok(file), Ok(of)) = (&file, std::fs::metadata(store)) {
                // As the store itself: its group takes turns too. Only their owner can and need do that.
                let _ = file.set_permissions(std::fs::Permissions::from_mode(0o660));
                let _ = std::os::unix::fs::fchown(file, Some(of.uid()), Some(of.gid()));
            }
            file.map_err(|e| {
                let kind =
                    if e.kind() == std::io::ErrorKind::PermissionDenied { Kind::NotAllowed } else { Kind::Store };
                Error::new(kind, format!("cannot open {}", path.display())).because(e)
            })
        };
        Ok(Self { next: open("next")?, write: open("write")?, wake: open("wake")? })
    }

    pub(super) fn take(self: &Arc<Self>) -> Result<Turn> {
        let lock = |file: &File, how| {
            rustix::io::retry_on_intr(|| flock(file, how))
                .map_err(|e| Error::new(Kind::Store, "cannot take a turn at the store").because(e))
        };
        lock(&self.next, FlockOperation::LockExclusive)?;
        let write = lock(&self.write, FlockOperation::LockExclusive);
        lock(&self.next, FlockOperation::Unlock)?;
        write.map(|()| Turn(Arc::clone(self)))
    }
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
