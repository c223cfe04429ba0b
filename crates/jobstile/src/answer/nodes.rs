//! The processes that work on a store: who lives, what each does, and what it cannot run.

use std::collections::BTreeMap;
use std::time::Duration;

use jobstile_core::id::NodeId;
use jobstile_core::time::Time;

use super::{Asker, Questions};
use crate::error::Result;
use crate::store::read::{Liveness, NodeInfo, Offer, RunInfo};

/// A node that lives but was not seen for so long does not move; a tick that nobody has looked at for so long is overdue.
pub const SILENCE: Duration = Duration::from_secs(10);
/// Nodes that are looked at.
const NODES: usize = 200;

/// A process that works, or worked, on the store.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// What is known of it.
    pub info: NodeInfo,
    /// Its readable name, with its pid if another live node has the same.
    pub name: String,
    /// Attempts that it executes.
    pub busy: u64,
    /// It lives and does not move.
    pub silent: bool,
    /// What it says it can run, and why not; empty once it has ended.
    pub offers: Vec<Offer>,
}

impl Node {
    /// It lives.
    #[must_use]
    pub fn alive(&self) -> bool {
        self.info.liveness == Liveness::Alive
    }

    /// The end of its time on the store: when it left, was last seen, or now.
    #[must_use]
    pub fn until(&self, now: Time) -> Time {
        match self.info.liveness {
            Liveness::Alive => now,
            // Whoever found it dead did so later: it was up for as long as it was seen.
            Liveness::Ended if !self.left() => self.info.seen_at,
            Liveness::Ended => self.info.ended_at.unwrap_or(self.info.seen_at),
            Liveness::Gone | Liveness::Unknown => self.info.seen_at,
        }
    }

    /// It stopped by itself, rather than being found dead.
    #[must_use]
    pub fn left(&self) -> bool {
        self.info.liveness == Liveness::Ended && self.info.end_reason.as_deref() == Some("stopped")
    }

    /// When it last refused a configuration and why, in one sentence, unless it has taken one since.
    #[must_use]
    pub fn refused(&self) -> Option<(Time, &str)> {
        Some((self.info.reloaded_at?, self.info.refused.as_deref()?.lines().next().unwrap_or_default()))
    }

    /// What it cannot run.
    pub fn cannot_run(&self) -> impl Iterator<Item = (&str, &str)> {
        self.offers.iter().filter_map(|offer| Some((offer.job.as_str(), offer.reason.as_deref()?)))
    }
}

/// Whether anybody works on the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Live {
    /// Somebody does.
    Yes,
    /// Somebody is there and does not move.
    Silent,
    /// A node's lock cannot be looked at, which proves nothing.
    Unsure,
    /// Nobody does any more.
    Left,
    /// Nobody ever has.
    Never,
}

impl Live {
    pub(super) fn of(nodes: &[Node]) -> Self {
        let alive = |silent: bool| nodes.iter().any(|node| node.alive() && node.silent == silent);
        match () {
            () if alive(false) => Self::Yes,
            () if alive(true) => Self::Silent,
            () if nodes.iter().any(|node| node.info.liveness == Liveness::Unknown) => Self::Unsure,
            () if nodes.is_empty() => Self::Never,
            () => Self::Left,
        }
    }
}

/// The nodes of a store, those that have not left first.
pub(super) fn of<Q: Questions>(asker: &Asker<'_, Q>, running: &[RunInfo]) -> Result<Vec<Node>> {
    let mut offers = asker.store.offers()?;
    let mut infos = asker.store.nodes(NODES)?;
    infos.iter_mut().for_each(|info| (asker.presence)(info));
    let mut busy: BTreeMap<&NodeId, u64> = BTreeMap::new();
    for node in running.iter().filter_map(|run| run.row.node.as_ref()) {
        *busy.entry(node).or_default() += 1;
    }
    let alive: Vec<(String, NodeId)> = infos
        .iter()
        .filter(|info| info.liveness == Liveness::Alive)
        .map(|info| (info.row.name.clone(), info.row.id.clone()))
        .collect();
    let nodes = infos.into_iter().map(|info| {
        let row = &info.row;
        let alike = alive.iter().any(|(name, id)| *name == row.name && *id != row.id);
        Node {
            name: if alike { format!("{} (pid {})", row.name, row.pid) } else { row.name.clone() },
            // What a node that is gone was executing, it executes no more.
            busy: busy.get(&row.id).copied().filter(|_| info.liveness != Liveness::Gone).unwrap_or_default(),
            silent: info.liveness == Liveness::Alive && asker.now.since(info.seen_at) > SILENCE,
            offers: offers.remove(&row.id).unwrap_or_default(),
            info,
        }
    });
    Ok(nodes.collect())
}

/// Each live node's reason why it cannot run a job: `None` if one can, or nobody is known to live.
pub(super) fn unable(nodes: &[Node]) -> impl Fn(&str) -> Option<Vec<(String, String)>> + use<> {
    let alive: Vec<&Node> = nodes.iter().filter(|node| node.alive()).collect();
    let sure = !alive.is_empty() && nodes.iter().all(|node| node.info.liveness != Liveness::Unknown);
    let mut says: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    let mut able = std::collections::BTreeSet::new();
    for node in alive {
        for offer in &node.offers {
            match &offer.reason {
                None => drop(able.insert(offer.job.clone())),
                Some(why) => says.entry(offer.job.clone()).or_default().push((node.name.clone(), why.clone())),
            }
        }
    }
    move |job| (sure && !able.contains(job)).then(|| says.get(job).cloned().unwrap_or_default())
}
