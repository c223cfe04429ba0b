//! Opening the file: what must hold before a single row is read.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use rustix::fs::Access;

use super::migrate;
use super::row::failed;
use crate::error::{Error, Kind, Result};

/// The oldest SQLite without the defect that can lose committed writes of a write-ahead log.
const OLDEST: i32 = 3_051_003;
/// Pages of the write-ahead log before it is taken into the file.
const CHECKPOINT_PAGES: u32 = 8_000;
/// The write-ahead log is cut to this many bytes after a checkpoint.
const JOURNAL_BYTES: u64 = 64 << 20;
/// How long a statement waits for a program that does not take turns.
const BUSY: Duration = Duration::from_secs(10);

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

/// What the opener may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenAs {
    /// Creates the file, and brings an older schema up to date.
    Owner,
    /// Uses what is there.
    Guest,
}

pub(super) fn check_version() -> Result<()> {
    let version = rusqlite::version_number();
    if version >= OLDEST {
        return Ok(());
    }
    let what = format!("SQLite {} can lose committed writes; 3.51.3 or newer is needed", rusqlite::version());
    Err(Error::new(Kind::Store, what))
}

pub(super) fn open(path: &Path, open_as: OpenAs) -> Result<Connection> {
    check_version()?;
    let shown = path.display();
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if open_as == OpenAs::Owner {
        std::fs::create_dir_all(folder)
            .map_err(|e| Error::new(unmade(&e), format!("cannot make the folder {}", folder.display())).because(e))?;
    }
    refuse_network(folder)?;
    let is_new = match std::fs::metadata(path) {
        Ok(is) if is.is_file() => false,
        Ok(_) => return Err(Error::new(Kind::Store, format!("{shown} is not a file"))),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && open_as == OpenAs::Owner => true,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return Err(Error::new(Kind::NotFound, format!("there is no store at {shown}")));
        }
        Err(e) => return Err(Error::new(kind_of(&e), format!("cannot look at {shown}")).because(e)),
    };
    if is_new {
        create(path, folder)?;
    }
    may_open(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let at = |e: Error| Error::new(e.kind(), format!("{shown}")).because(e);
    let mut connection = Connection::open_with_flags(path, flags).map_err(failed).map_err(at)?;
    connection.busy_timeout(BUSY).map_err(failed)?;
    // Settling changes the file's header: not one of somebody else.
    migrate::refuse_foreign(&connection).map_err(at)?;
    settle_connection(&connection).map_err(at)?;
    match open_as {
        OpenAs::Owner => migrate::migrate(&mut connection, Some(path)).map_err(at)?,
        OpenAs::Guest => migrate::check(&connection).map_err(at)?,
    }
    Ok(connection)
}

/// A connection for queries alone.
pub(super) fn reader(path: &Path) -> Result<Connection> {
    let at = |e: Error| Error::new(e.kind(), format!("{}", path.display())).because(e);
    match std::fs::metadata(path) {
        Ok(is) if is.is_file() => {}
        Ok(_) => return Err(Error::new(Kind::Store, format!("{} is not a file", path.display()))),
        Err(e) => return Err(Error::new(kind_of(&e), format!("there is no store at {}", path.display())).because(e)),
    }
    may_open(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed).map_err(at)?;
    connection.busy_timeout(BUSY).map_err(failed)?;
    connection.set_prepared_statement_cache_capacity(64);
    migrate::check(&connection).map_err(at)?;
    Ok(connection)
}

// Opening it to see would be no look: closing it again would take SQLite's locks away.
fn may_open(path: &Path) -> Result<()> {
    rustix::fs::access(path, Access::READ_OK).map_err(|e| {
        let e = std::io::Error::from(e);
        Error::new(kind_of(&e), format!("{} cannot be opened", path.display())).because(e)
    })
}

/// What a look at a file's pages found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checked {
    /// No damage.
    Whole,
    /// No damage so far; there was no time for all of it.
    Unfinished,
    /// Damage, as SQLite names it.
    Damaged(String),
}

/// Looks the file over for damage, at most so long.
///
/// # Errors
/// If the file cannot be looked at, which says nothing about it.
pub fn quick_check(path: &Path, at_most: Duration) -> Result<Checked> {
    let connection = reader(path)?;
    let handle = connection.get_interrupt_handle();
    let (done, ended) = std::sync::mpsc::channel::<()>();
    let timer = std::thread::spawn(move || {
        if ended.recv_timeout(at_most).is_err_and(|e| e == std::sync::mpsc::RecvTimeoutError::Timeout) {
            handle.interrupt();
        }
    });
    let checked: rusqlite::Result<String> = connection.query_row("pragma quick_check(1)", [], |r| r.get(0));
    drop(done);
    // It ends by itself; a panic in it has nothing to say about the file.
    let _ = timer.join();
    use rusqlite::ErrorCode::{DatabaseCorrupt, OperationInterrupted};
    match checked {
        Ok(word) if word == "ok" => Ok(Checked::Whole),
        Ok(damage) => Ok(Checked::Damaged(damage)),
        Err(e) if e.sqlite_error_code() == Some(OperationInterrupted) => Ok(Checked::Unfinished),
        Err(e) if e.sqlite_error_code() == Some(DatabaseCorrupt) => Ok(Checked::Damaged(e.to_string())),
        Err(e) => Err(failed(e)),
    }
}

pub(super) fn settle_connection(connection: &Connection) -> Result<()> {
    connection.busy_timeout(BUSY).map_err(failed)?;
    connection.set_prepared_statement_cache_capacity(256);
    let pragmas = format!(
        "pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = on; pragma temp_store = memory;
         pragma wal_autocheckpoint = {CHECKPOINT_PAGES}; pragma journal_size_limit = {JOURNAL_BYTES};
         pragma cache_size = -65536; pragma trusted_schema = off;"
    );
    connection.execute_batch(&pragmas).map_err(failed)?;
    // A reader with group rights then opens the store although nobody else has it open.
    connection
        .set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
        .map(drop)
        .map_err(failed)
}

// The file belongs to whom its folder belongs to, and its group may look.
fn create(path: &Path, folder: &Path) -> Result<()> {
    use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
    let failed = |e: std::io::Error| Error::new(unmade(&e), format!("cannot create {}", path.display())).because(e);
    // Never through a link that somebody put there.
    let file = match std::fs::OpenOptions::new().write(true).create_new(true).mode(0o660).open(path) {
        // Another process was faster.
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists && path.is_file() => return Ok(()),
        made => made.map_err(failed)?,
    };
    file.set_permissions(std::fs::Permissions::from_mode(0o660)).map_err(failed)?;
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
        std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => Kind::NotAllowed,
        std::io::ErrorKind::NotFound => Kind::NotFound,
        _ => Kind::Store,
    }
}
