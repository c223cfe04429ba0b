//! How a second terminal finds the daemon: a small file in a well-known folder that says which store it works on.
//!
//! The daemon holds a lock (`flock`) on its pointer; it is believed only while that lock is held, so that a daemon that
//! was killed leaves nothing that misleads. It holds no password: the store is a file.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

/// Of the system; there for daemons that systemd starts (`RuntimeDirectory=jobstile`), and for root.
const SYSTEM: &str = "/run/jobstile";
/// The runtime folders of all users, which root may look at.
const USERS: &str = "/run/user";
/// The largest pointer, in bytes.
const MAX_BYTES: u64 = 64 << 10;
/// Files in one folder that are looked at, at most.
const MAX_FILES: usize = 10_000;

/// What a daemon says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pointer {
    /// The store's file, whole.
    pub store: PathBuf,
    /// Its node's id.
    pub id: String,
    /// Its node's readable name.
    pub node: String,
    /// Its process.
    pub pid: u32,
    /// Its user.
    pub user: String,
    /// Its program and version.
    pub program: String,
    /// Its configuration file, whole.
    pub config: Option<PathBuf>,
    /// Its lock file in the store's folder.
    pub lock: PathBuf,
}

/// A pointer that was found and is believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What it says.
    pub pointer: Pointer,
    /// It is ours, or lies where only the system's services write: a command may follow it unasked.
    pub trusted: bool,
}

/// The pointer of a daemon that lives; gone when this is dropped.
#[derive(Debug)]
pub struct Left {
    path: PathBuf,
    _lock: File,
}

impl Left {
    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Left {
    fn drop(&mut self) {
        // A pointer that stays is not believed any more.
        let _ = fs::remove_file(&self.path);
    }
}

/// Leaves a pointer in the first folder that takes it: the system's, the user's, a private temporary one.
///
/// # Errors
/// If none of them takes it; the daemon can do without.
pub fn leave(pointer: &Pointer) -> io::Result<Left> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for folder in folders() {
        match leave_in(&folder, pointer) {
            Ok(left) => return Ok(left),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The daemons that live on this machine, as far as this user may see.
#[must_use]
pub fn list() -> Vec<Found> {
    let mut places = folders();
    if rustix::process::geteuid().is_root()
        && let Ok(users) = fs::read_dir(USERS)
    {
        let theirs = users.take(MAX_FILES).flatten().map(|user| Folder::User(user.path().join("jobstile")));
        places.extend(theirs.filter(|folder| !places.contains(folder)).collect::<Vec<_>>());
    }
    let mut found: Vec<Found> = places.iter().flat_map(list_in).collect();
    found.sort_by(|a, b| (&a.pointer.store, &a.pointer.id).cmp(&(&b.pointer.store, &b.pointer.id)));
    found.dedup_by(|a, b| a.pointer.id == b.pointer.id);
    found
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Folder {
    System(PathBuf),
    User(PathBuf),
    Private(PathBuf),
}

impl Folder {
    fn path(&self) -> &Path {
        match self {
            Self::System(path) | Self::User(path) | Self::Private(path) => path,
        }
    }
}

fn folders() -> Vec<Folder> {
    let mut folders = vec![Folder::System(system())];
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
    folders.extend(runtime.map(|path| Folder::User(path.join("jobstile"))));
    let me = rustix::process::geteuid().as_raw();
    folders.push(Folder::Private(std::env::temp_dir().join(format!("jobstile-{me}"))));
    folders
}

/// Where systemd put the folder of a service that asked for one of our name, else where it usually is.
fn system() -> PathBuf {
    let given = std::env::var_os("RUNTIME_DIRECTORY").unwrap_or_default();
    let ours = std::env::split_paths(&given).find(|path| path.is_absolute() && path.ends_with("jobstile"));
    ours.unwrap_or_else(|| SYSTEM.into())
}

fn leave_in(folder: &Folder, pointer: &Pointer) -> io::Result<Left> {
    let path = folder.path();
    let me = rustix::process::geteuid();
    let (make, dir_mode, mode) = match folder {
        // Everybody may see that a service is there; who may open its store is another matter.
        Folder::System(_) => (me.is_root(), 0o755, 0o644),
        Folder::User(_) | Folder::Private(_) => (true, 0o700, 0o600),
    };
    if make && fs::symlink_metadata(path).is_err() {
        DirBuilder::new().mode(dir_mode).create(path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(dir_mode))?;
    }
    if !is_safe(folder) {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, format!("{} is not ours", path.display())));
    }
    clear(path);
    let text = serde_json::to_vec(pointer)?;
    let draft = path.join(format!("{}.new", pointer.id));
    let place = path.join(format!("{}.json", pointer.id));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .custom_flags(OFlags::NOFOLLOW.bits() as i32)
        .open(&draft)?;
    // Under its name it is there only when it is locked and whole.
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    fs::set_permissions(&draft, fs::Permissions::from_mode(mode))?;
    file.write_all(&text)?;
    fs::rename(&draft, &place)?;
    Ok(Left { path: place, _lock: file })
}

// Removes what daemons left that were killed: under its name a pointer is always locked by its own.
fn clear(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32;
        if path.extension().is_some_and(|kind| kind == "json")
            && let Ok(file) = OpenOptions::new().read(true).custom_flags(flags).open(&path)
            && file.metadata().is_ok_and(|meta| meta.is_file())
            && flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok()
        {
            // Only its owner can; for all others it is passed over at every look.
            let _ = fs::remove_file(&path);
        }
    }
}

/// Nobody else can put anything into it: for a user's folder and a private one.
fn is_safe(folder: &Folder) -> bool {
    let Ok(meta) = fs::symlink_metadata(folder.path()) else { return false };
    let me = rustix::process::geteuid();
    let closed = meta.mode() & 0o022 == 0;
    meta.is_dir()
        && match folder {
            Folder::System(_) => closed,
            Folder::User(_) => closed && (meta.uid() == me.as_raw() || me.is_root()),
            Folder::Private(_) => meta.mode() & 0o077 == 0 && meta.uid() == me.as_raw(),
        }
}

fn list_in(folder: &Folder) -> Vec<Found> {
    if !is_safe(folder) {
        return vec![];
    }
    let Ok(entries) = fs::read_dir(folder.path()) else { return vec![] };
    entries.take(MAX_FILES).flatten().filter_map(|entry| read(&entry.path(), folder)).collect()
}

// One that cannot be read, or is half written, is none.
fn read(path: &Path, folder: &Folder) -> Option<Found> {
    path.extension().filter(|kind| *kind == "json")?;
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).ok()?;
    let meta = file.metadata().ok().filter(fs::Metadata::is_file)?;
    if flock(&file, FlockOperation::NonBlockingLockShared) != Err(Errno::WOULDBLOCK) {
        return None;
    }
    let mut text = String::new();
    file.take(MAX_BYTES).read_to_string(&mut text).ok()?;
    let pointer: Pointer = serde_json::from_str(&text).ok()?;
    let mine = meta.uid() == rustix::process::geteuid().as_raw();
    Some(Found { pointer, trusted: mine || matches!(folder, Folder::System(_)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointer(id: &str) -> Pointer {
        Pointer {
            store: "/var/lib/jobstile/jobstile.db".into(),
            id: id.into(),
            node: "web1".into(),
            pid: 4711,
            user: "jobstile".into(),
            program: "jobstile 0.1.0".into(),
            config: None,
            lock: "/var/lib/jobstile/jobstile.db-nodes/a.lock".into(),
        }
    }

    #[test]
    fn a_pointer_is_believed_as_long_as_its_daemon_lives() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::Private(dir.path().join("jobstile"));
        let left = leave_in(&folder, &pointer("a")).unwrap();
        assert_eq!(list_in(&folder), [Found { pointer: pointer("a"), trusted: true }]);
        let copy = left.path().with_file_name("b.json");
        fs::copy(left.path(), &copy).unwrap();
        assert_eq!(list_in(&folder).len(), 1, "nobody holds the copy's lock");
        drop(left);
        assert_eq!(list_in(&folder), []);
        assert!(copy.exists());
        let _next = leave_in(&folder, &pointer("c")).unwrap();
        assert!(!copy.exists(), "the next one clears up");
        let _and_next = leave_in(&folder, &pointer("d")).unwrap();
        assert_eq!(list_in(&folder).len(), 2, "what lives stays");
    }

    #[test]
    fn a_killed_daemon_leaves_nothing_that_is_believed() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::User(dir.path().join("jobstile"));
        let Left { path, _lock } = &leave_in(&folder, &pointer("a")).unwrap();
        let text = fs::read(path).unwrap();
        flock(_lock, FlockOperation::Unlock).unwrap();
        assert!(path.exists() && !text.is_empty());
        assert_eq!(list_in(&folder), []);
    }

    #[test]
    fn a_folder_that_others_may_write_to_is_not_looked_at() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("jobstile");
        let folder = Folder::Private(path.clone());
        let _left = leave_in(&folder, &pointer("a")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(list_in(&folder), []);
        assert!(leave_in(&folder, &pointer("b")).is_err());
        std::os::unix::fs::symlink(&path, dir.path().join("link")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        assert_eq!(list_in(&Folder::Private(dir.path().join("link"))), []);
        assert_eq!(list_in(&folder).len(), 1);
    }

    #[test]
    fn what_is_no_pointer_is_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::Private(dir.path().join("jobstile"));
        let _left = leave_in(&folder, &pointer("a")).unwrap();
        let bad = folder.path().join("b.json");
        fs::write(&bad, "{").unwrap();
        let file = File::open(&bad).unwrap();
        flock(&file, FlockOperation::LockExclusive).unwrap();
        fs::create_dir(folder.path().join("c.json")).unwrap();
        assert_eq!(list_in(&folder).len(), 1);
    }
}
