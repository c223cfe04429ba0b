//! What the store does not know of nodes: whether they live, and what their attempts print now.

use std::path::{Path, PathBuf};

use jobstile_core::id::{Fence, RunId};
use jobstile_core::run::State;
use jobstile_core::time::{Time, micros};

use super::Client;
use super::read::no_run;
use crate::engine::{node, node_dir};
use crate::error::{Error, Kind, Result};
use crate::runner::output::{self, Follow};
use crate::store::Printed;
use crate::store::read::{Found, Liveness, NodeInfo, OutputInfo, RunInfo};

/// Looks at a node's lock file in the store's folder of nodes: does it live, and when was it seen last?
pub(super) fn look_at(info: &mut NodeInfo, dir: &Path) {
    if info.ended_at.is_some() || info.row.kind == "scenario" {
        return;
    }
    info.liveness = match node::state(dir, info.row.id.as_str()) {
        node::State::Alive => Liveness::Alive,
        node::State::Gone => Liveness::Gone,
        node::State::Unknown if node::before_this_boot(info.row.boot_id.as_deref()) => Liveness::Gone,
        node::State::Unknown => Liveness::Unknown,
    };
    // A daemon touches its lock file more often than it writes into the store.
    let touched = std::fs::metadata(dir.join(format!("{}.lock", info.row.id))).and_then(|meta| meta.modified());
    if let Ok(since) = touched.map(|at| at.duration_since(std::time::UNIX_EPOCH).unwrap_or_default()) {
        info.seen_at = info.seen_at.max(Time(micros(since)));
    }
}

impl Client {
    /// What an attempt printed; `None` means the latest one.
    ///
    /// # Errors
    /// If there is no such run or attempt.
    pub fn output(&self, id: RunId, attempt: Option<u32>) -> Result<OutputInfo> {
        let run = self.run(id)?.ok_or_else(|| no_run(id))?;
        let n = attempt.unwrap_or(run.row.claims);
        if n > run.row.claims || attempt == Some(0) {
            let what = format!("run {id} has no attempt {n}: it was started {} times", run.row.claims);
            return Err(Error::new(Kind::NotFound, what));
        }
        if let Some(printed) = self.reader.output(id, n)? {
            return Ok(OutputInfo { n, printed, found: Found::Stored });
        }
        if let Some((dir, fence)) = self.file_of(&run, n)?
            && let Ok(output) = output::read(Path::new(&dir), id, fence)
            && output != output::Output::default()
        {
            let printed = Printed { head: output.head, tail: output.tail, dropped: output.dropped };
            return Ok(OutputInfo { n, printed, found: Found::File });
        }
        Ok(OutputInfo { n, printed: Printed::default(), found: Found::Nowhere })
    }

    /// The output of the attempt that is being executed, to follow it while it is written; `None` means it has ended,
    /// or its file is not there (yet) or may not be read.
    ///
    /// # Errors
    /// If there is no such run.
    pub fn follow(&self, id: RunId) -> Result<Option<Follow>> {
        let run = self.run(id)?.ok_or_else(|| no_run(id))?;
        let file = self.file_of(&run, run.row.claims)?;
        Ok(file.and_then(|(dir, fence)| Follow::open(Path::new(&dir), id, fence).ok()))
    }

    // Only the current attempt has a file: that of an ended one went into the store.
    fn file_of(&self, run: &RunInfo, n: u32) -> Result<Option<(PathBuf, Fence)>> {
        let row = &run.row;
        if row.state != State::Running || n != row.claims {
            return Ok(None);
        }
        Ok(Some((node_dir(&self.path), row.fence)))
    }
}
