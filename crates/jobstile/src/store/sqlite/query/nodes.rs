//! Nodes, and what they say they can run. Whether they live is not in the file: their locks say.

use jobstile_core::id::NodeId;
use jobstile_core::time::Time;
use rusqlite::Row;

use super::{Reader, ask};
use crate::error::Result;
use crate::store::read::{Liveness, MAX_PAGE, NodeInfo, Offer};
use crate::store::sqlite::row;

impl Reader {
    /// Nodes by the file alone: those that have not ended are `Unknown`.
    pub(crate) fn nodes(&self, limit: usize) -> Result<Vec<NodeInfo>> {
        self.all(ask!("nodes"), [limit.min(MAX_PAGE)], node)
    }

    pub(crate) fn node(&self, id: &NodeId) -> Result<Option<NodeInfo>> {
        self.maybe(ask!("node"), [id.as_str()], node)
    }

    pub(crate) fn offers(&self, node: &NodeId) -> Result<Vec<Offer>> {
        self.all(ask!("offers"), [node.as_str()], |row| Ok(Offer { job: row.get(0)?, reason: row.get(1)? }))
    }
}

fn node(row: &Row<'_>) -> rusqlite::Result<NodeInfo> {
    let ended_at = row::maybe_time(row, 14)?;
    Ok(NodeInfo {
        row: row::node(row)?,
        busy: row.get(11)?,
        started_at: Time(row.get(12)?),
        seen_at: Time(row.get(13)?),
        ended_at,
        end_reason: row.get(15)?,
        reloaded_at: row::maybe_time(row, 16)?,
        refused: row.get(17)?,
        changes: row.get(18)?,
        liveness: if ended_at.is_some() { Liveness::Ended } else { Liveness::Unknown },
    })
}
