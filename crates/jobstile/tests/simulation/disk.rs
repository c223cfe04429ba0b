//! Where the one store of all nodes lies: each opens it for itself, so that one may remember what another has changed.

use std::path::Path;

use jobstile::store::sqlite::{OpenAs, Store};

/// A folder in memory where there is one: nothing here has to outlive the machine.
pub(crate) struct Disk(tempfile::TempDir);

impl Disk {
    pub(crate) fn new() -> Result<Self, String> {
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        folder.map(Self).map_err(|error| error.to_string())
    }

    pub(crate) fn open(&self) -> Result<Store, String> {
        Store::open(&self.0.path().join("s.db"), OpenAs::Owner).map_err(|error| error.to_string())
    }
}
