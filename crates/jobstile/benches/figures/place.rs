//! Where stores are made: on a disk, never in memory.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use tempfile::TempDir;

/// Magic numbers of file systems that are memory (`statfs(2)`): tmpfs, ramfs.
const MEMORY: [u64; 2] = [0x0102_1994, 0x8584_58f6];

/// A folder that goes away with this value.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        std::fs::create_dir_all(folder)?;
        let magic = rustix::fs::statfs(folder).context("what kind of file system is it?")?.f_type as u64 & 0xffff_ffff;
        if MEMORY.contains(&magic) {
            bail!("{} is memory, not a disk: set CARGO_TARGET_DIR to a folder on a disk", folder.display());
        }
        Ok(Self(TempDir::new_in(folder)?))
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.file("store.db")
    }

    pub(crate) fn url(&self) -> String {
        format!("sqlite://{}", self.store().display())
    }
}
