//! Files that a configuration names: regular, of bounded size, opened without waiting for anybody.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags, fstat, open};

/// Why a file is not read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// It is a pipe, a device, a socket or a folder.
    #[error("it is {0}, not a regular file")]
    Kind(&'static str),
    /// It is larger than this, in bytes.
    #[error("it is larger than {} MiB", .0 >> 20)]
    TooLarge(u64),
    /// The system does not give it.
    #[error(transparent)]
    System(#[from] io::Error),
}

/// Reads a regular file of at most `most` bytes. A FIFO without a writer, a device without an end or the folder of a dead
/// network mount is refused instead of waited for.
///
/// # Errors
/// [`Unreadable`].
pub fn read(path: &Path, most: u64) -> Result<Vec<u8>, Unreadable> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let descriptor = open(path, flags, Mode::empty()).map_err(|errno| match errno {
        // A socket cannot be opened at all.
        rustix::io::Errno::NXIO => Unreadable::Kind("a socket or a pipe without a reader"),
        errno => Unreadable::System(errno.into()),
    })?;
    let status = fstat(&descriptor).map_err(io::Error::from)?;
    match FileType::from_raw_mode(status.st_mode) {
        FileType::RegularFile => {}
        FileType::Directory => return Err(Unreadable::Kind("a folder")),
        FileType::Fifo => return Err(Unreadable::Kind("a pipe")),
        FileType::Socket => return Err(Unreadable::Kind("a socket")),
        FileType::CharacterDevice | FileType::BlockDevice => return Err(Unreadable::Kind("a device")),
        FileType::Symlink | FileType::Unknown => return Err(Unreadable::Kind("something else")),
    }
    let mut bytes = Vec::new();
    File::from(descriptor).take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most { Err(Unreadable::TooLarge(most)) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_of_bounded_size_are_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("good"), [b'a'; 8]).expect("written");
        let _socket = std::os::unix::net::UnixListener::bind(path("socket")).expect("a socket");
        let fifo = std::process::Command::new("mkfifo").arg(path("fifo")).status().expect("mkfifo");
        assert!(fifo.success());
        let said = |path: &Path| read(path, 8).map(|bytes| bytes.len()).map_err(|error| error.to_string());
        assert_eq!(said(&path("good")), Ok(8));
        assert_eq!(said(folder.path()), Err("it is a folder, not a regular file".into()));
        assert_eq!(said(&path("fifo")), Err("it is a pipe, not a regular file".into()));
        assert_eq!(said(Path::new("/dev/zero")), Err("it is a device, not a regular file".into()));
        assert!(said(&path("socket")).is_err_and(|why| why.contains("socket")));
        std::fs::write(path("good"), [b'a'; 9]).expect("written");
        assert!(matches!(read(&path("good"), 8), Err(Unreadable::TooLarge(8))));
        assert!(
            matches!(read(&path("absent"), 8), Err(Unreadable::System(error)) if error.kind() == io::ErrorKind::NotFound)
        );
    }
}
