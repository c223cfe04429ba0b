//! Where the file is, and whether a store may be there: one file, one name, one machine.

use std::fs::{DirBuilder, Metadata, OpenOptions, Permissions};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::Access;

use super::open::OpenAs;
use crate::error::{Error, Kind, Result};

/// The longest path that SQLite takes: 512 bytes with the names of its other files.
const MAX_PATH: usize = 504;

/// File systems on which locks of other machines are not seen, with their magic numbers (`statfs(2)`).
const NETWORK: [(u64, &str); 6] = [
    (0x6969, "NFS"),
    (0x517b, "SMB"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB2"),
    (0x0102_1997, "9p"),
    (0x00c3_6400, "Ceph"),
];

/// Others that are named.
const LOCAL: [(u64, &str); 8] = [
    (0xef53, "ext4"),
    (0x5846_5342, "xfs"),
    (0x9123_683e, "btrfs"),
    (0x2fc1_2fc1, "zfs"),
    (0x0102_1994, "tmpfs"),
    (0x794c_7630, "overlay"),
    (0x6573_5546, "fuse"),
    (0xf2f5_2010, "f2fs"),
];

/// The one name of a store: links are followed, so that whatever is derived from it is the same for everybody.
///
/// # Errors
/// If the path cannot be looked at, or is too long for SQLite.
pub fn resolve(path: &Path) -> Result<PathBuf> {
    let failed = |e: std::io::Error| Error::new(kind_of(&e), format!("cannot look at {}", path.display())).because(e);
    let resolved = match std::fs::canonicalize(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => {
            // It is yet to be made: in its folder, if there is one.
            let absolute = std::path::absolute(path).map_err(failed)?;
            match (absolute.parent().map(std::fs::canonicalize), absolute.file_name()) {
                (Some(Ok(folder)), Some(name)) => folder.join(name),
                _ => absolute,
            }
        }
        resolved => resolved.map_err(failed)?,
    };
    let bytes = resolved.as_os_str().as_bytes().len();
    if bytes > MAX_PATH {
        let what =
            format!("the path of the store has {bytes} bytes, and SQLite takes at most {MAX_PATH}: {}", path.display());
        return Err(Error::new(Kind::Invalid, what));
    }
    Ok(resolved)
}

/// Makes the folder and the file where the opener may, and refuses a place where a store would not be safe.
pub(super) fn prepare(path: &Path, typed: &Path, open_as: OpenAs) -> Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if open_as == OpenAs::Owner {
        // Whatever the umask: whoever may write to the folder can put another store in place.
        DirBuilder::new()
            .recursive(true)
            .mode(0o770)
            .create(folder)
            .map_err(|e| Error::new(unmade(&e), format!("cannot make the folder {}", folder.display())).because(e))?;
    }
    refuse_network(folder)?;
    if open_as == OpenAs::Owner && matches!(path.try_exists(), Ok(false)) {
        create(path, folder)?;
    }
    look(path, typed)
}

/// Looks at a file that is to be opened; messages name it as it was typed.
pub(super) fn look(path: &Path, typed: &Path) -> Result<()> {
    let shown = typed.display();
    let is = std::fs::metadata(path).map_err(|e| match e.kind() {
        ErrorKind::NotFound => Error::new(Kind::NotFound, format!("there is no store at {shown}")),
        _ => Error::new(kind_of(&e), format!("cannot look at {shown}")).because(e),
    })?;
    if !is.is_file() {
        return Err(Error::new(Kind::Store, format!("{shown} is not a file")));
    }
    refuse_second_name(path, typed, &is)?;
    may_open(typed)
}

// Each name has a write-ahead log of its own beside it: what is written under one is lost or damaged under the other.
fn refuse_second_name(path: &Path, typed: &Path, is: &Metadata) -> Result<()> {
    let shown = typed.display();
    if is.nlink() > 1 {
        let what = format!(
            "{shown} has {} names (hard links), and a store works under one alone: remove the others, or copy the file",
            is.nlink()
        );
        return Err(Error::new(Kind::Store, what));
    }
    if is_mounted(path) {
        let what = format!("{shown} is mounted by itself, away from its write-ahead log: mount its folder instead");
        return Err(Error::new(Kind::Store, what));
    }
    Ok(())
}

/// The path is where something was mounted.
#[cfg(target_os = "linux")]
fn is_mounted(path: &Path) -> bool {
    use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};
    statx(CWD, path, AtFlags::empty(), StatxFlags::TYPE)
        .is_ok_and(|is| is.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

#[cfg(not(target_os = "linux"))]
fn is_mounted(_: &Path) -> bool {
    false
}

// Opening it to see would be no look: closing it again would take SQLite's locks away.
fn may_open(path: &Path) -> Result<()> {
    rustix::fs::access(path, Access::READ_OK).map_err(|e| {
        let e = std::io::Error::from(e);
        Error::new(kind_of(&e), format!("{} cannot be opened", path.display())).because(e)
    })
}

// The file belongs to whom its folder belongs to, and its group may look.
fn create(path: &Path, folder: &Path) -> Result<()> {
    let failed = |e: std::io::Error| Error::new(unmade(&e), format!("cannot create {}", path.display())).because(e);
    // Never through a link that somebody put there.
    let file = match OpenOptions::new().write(true).create_new(true).mode(0o660).open(path) {
        // Another process was faster.
        Err(e) if e.kind() == ErrorKind::AlreadyExists && path.is_file() => return Ok(()),
        made => made.map_err(failed)?,
    };
    file.set_permissions(Permissions::from_mode(0o660)).map_err(failed)?;
    if let Ok(of) = std::fs::metadata(folder) {
        // Only root may give files away; for everybody else the file is theirs already.
        let _ = std::os::unix::fs::fchown(&file, Some(of.uid()), Some(of.gid()));
    }
    Ok(())
}

/// The file system that a file is on, in a word.
#[must_use]
pub fn file_system(path: &Path) -> String {
    #[cfg(target_os = "linux")]
    if let Ok(system) = rustix::fs::statfs(path) {
        let magic = system.f_type as u64 & 0xffff_ffff;
        let known = NETWORK.iter().chain(&LOCAL).find(|(number, _)| *number == magic);
        return known.map_or_else(|| format!("{magic:#x}"), |(_, name)| (*name).to_owned());
    }
    let _ = path;
    "unknown".to_owned()
}

fn refuse_network(folder: &Path) -> Result<()> {
    #[cfg(target_os = "linux")]
    {
        let Ok(system) = rustix::fs::statfs(folder) else { return Ok(()) };
        let magic = system.f_type as u64 & 0xffff_ffff;
        if let Some((_, name)) = NETWORK.iter().find(|(number, _)| *number == magic) {
            let what = format!(
                "{} is on a network file system ({name}): locks of other machines are not seen there; \
                 keep the store on a local disk, or use PostgreSQL",
                folder.display()
            );
            return Err(Error::new(Kind::Store, what));
        }
    }
    Ok(())
}

// What cannot be made is no matter of not finding it.
fn unmade(error: &std::io::Error) -> Kind {
    match kind_of(error) {
        Kind::NotFound => Kind::Store,
        kind => kind,
    }
}

fn kind_of(error: &std::io::Error) -> Kind {
    match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Kind::NotAllowed,
        ErrorKind::NotFound => Kind::NotFound,
        _ => Kind::Store,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_mounted_is_told_from_what_is_not() {
        assert!(is_mounted(Path::new("/proc")));
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(!is_mounted(file.path()) && !is_mounted(Path::new("/proc/self")));
    }
}
