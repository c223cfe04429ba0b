//! Who and where this process is.

use std::io::Read;

use crate::error::{Error, Kind, Result};

/// A random id of 128 bits, hexadecimal: one process incarnation.
pub(crate) fn random_id() -> Result<String> {
    let mut bytes = [0u8; 16];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(|e| Error::new(Kind::Store, "there is no randomness").because(e))?;
    Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
}

/// From 0 to 1, for jitter: not for secrets.
pub(crate) fn jitter() -> f64 {
    use std::hash::{BuildHasher, Hasher};
    let random = std::hash::RandomState::new().build_hasher().finish();
    (random >> 11) as f64 / (1u64 << 53) as f64
}

/// The machine's name.
#[must_use]
pub fn name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// The user's name, or number where it has none here.
#[must_use]
pub fn user() -> String {
    let uid = rustix::process::geteuid().as_raw();
    user_name(uid).unwrap_or_else(|| uid.to_string())
}

/// A user's name by number, from the machine's own list.
#[must_use]
pub fn user_name(uid: u32) -> Option<String> {
    let list = std::fs::read_to_string("/etc/passwd").ok()?;
    list.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, id) = (fields.next()?, fields.nth(1)?);
        (id.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

/// `user@host`, as decisions and cancel requests name who asked.
#[must_use]
pub fn whoami() -> String {
    format!("{}@{}", user(), name())
}
