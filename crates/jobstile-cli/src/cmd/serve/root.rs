//! Root does not work on somebody else's store: the files it makes would lock that user out.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use jobstile::engine::host;

use crate::error::Error;
use crate::exit::Code;

/// Refuses where this is root and the store, or the folder that it will be in, belongs to another user.
pub(super) fn refuse(store: &Path) -> Result<(), Error> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let there = store.ancestors().find_map(|path| std::fs::metadata(path).ok().map(|of| (path, of.uid())));
    match there {
        Some((path, uid)) if uid != 0 => {
            let user = host::user_name(uid).unwrap_or_else(|| uid.to_string());
            Err(Error::new(Code::NotAllowed, format!("{} belongs to user {user}, and this is root", path.display()))
                .hint(format!("as that user: sudo -u {user} jobstile serve")))
        }
        _ => Ok(()),
    }
}
