//! Where a node's free workers stand in line: what it offers with every batch, and what it was given.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jobstile_core::id::NodeId;
use tokio::sync::{Notify, mpsc};

use super::Observer;
use crate::fact::Fact;
use crate::op::{Claim, Claimed, Free, Runnable, Weight};
use crate::store::Counters;
use crate::store::queue::{Hints, Standing};

/// Attempts at once in one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Workers {
    /// Of all kinds together.
    pub total: usize,
    /// Processes.
    pub heavy: usize,
    /// HTTP calls and Rust functions.
    pub light: usize,
}

impl Workers {
    /// HTTP calls and functions at once, where no number is written.
    pub const LIGHT: usize = 256;
    /// Processes at once for each core, where no number is written; never fewer than [`Workers::HEAVY_AT_LEAST`].
    pub const HEAVY_A_CORE: usize = 16;
    /// Processes at once where no number is written, however few cores there are.
    pub const HEAVY_AT_LEAST: usize = 32;

    /// A written number bounds all kinds together. The default is the larger of 32 and 16 × cores for commands, and 256
    /// for HTTP calls and functions.
    #[must_use]
    pub fn new(written: Option<usize>) -> Self {
        Self::on(std::thread::available_parallelism().map_or(1, usize::from), written)
    }

    fn on(cores: usize, written: Option<usize>) -> Self {
        let heavy = (cores * Self::HEAVY_A_CORE).max(Self::HEAVY_AT_LEAST);
        match written {
            Some(total) => Self { total, heavy: total, light: total },
            None => Self { total: heavy + Self::LIGHT, heavy, light: Self::LIGHT },
        }
    }
}

/// The desk of one node.
pub(crate) struct Desk {
    node: NodeId,
    workers: Workers,
    state: Mutex<State>,
    give: mpsc::UnboundedSender<(Claimed, Weight)>,
    observer: Arc<dyn Observer>,
    /// Something waits for a time that the scheduler may not know.
    pub(crate) timed: Notify,
    /// A running run may have been asked to end.
    pub(crate) asked_to_end: Notify,
    /// A claim was cut short: there is more to claim.
    pub(crate) cut_short: Notify,
    /// Nothing runs any more, and all results are stored.
    pub(crate) idle: Notify,
    /// This node may work no longer.
    pub(crate) is_cut_off: Notify,
}

#[derive(Debug)]
struct State {
    open: bool,
    runnable: Arc<Runnable>,
    heavy: usize,
    light: usize,
    /// Attempts whose result is not stored yet.
    unsettled: usize,
    /// Why this node may work no longer.
    cut_off: Option<String>,
    others: Option<(Counters, Counters)>,
}

impl Desk {
    /// A desk that is closed; claimed runs come out of the receiver.
    pub(crate) fn new(
        node: NodeId,
        workers: Workers,
        observer: Arc<dyn Observer>,
    ) -> (Arc<Self>, mpsc::UnboundedReceiver<(Claimed, Weight)>) {
        // No more than `workers` are ever in it: that many are offered.
        let (give, given) = mpsc::unbounded_channel();
        let state = State {
            open: false,
            runnable: Arc::default(),
            heavy: 0,
            light: 0,
            unsettled: 0,
            cut_off: None,
            others: None,
        };
        let desk = Self {
            node,
            workers,
            state: Mutex::new(state),
            give,
            observer,
            timed: Notify::new(),
            asked_to_end: Notify::new(),
            cut_short: Notify::new(),
            idle: Notify::new(),
            is_cut_off: Notify::new(),
        };
        (Arc::new(desk), given)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing between lock and unlock can panic half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The node whose desk this is.
    pub(crate) fn node(&self) -> &NodeId {
        &self.node
    }

    /// From now on this node claims, or not.
    pub(crate) fn set_open(&self, open: bool) {
        self.state().open = open;
    }

    /// The store or the lock is not the one that this node opened: others cannot see it, so it must not work beside them.
    pub(crate) fn cut_off(&self, why: String) {
        let mut state = self.state();
        state.open = false;
        state.cut_off.get_or_insert(why);
        self.is_cut_off.notify_one();
    }

    /// Why this node may work no longer.
    pub(crate) fn why_cut_off(&self) -> Option<String> {
        self.state().cut_off.clone()
    }

    /// What this node can run from now on.
    pub(crate) fn set_runnable(&self, runnable: Runnable) {
        self.state().runnable = Arc::new(runnable);
    }

    /// One of its attempts has ended: its worker is free from the next batch on.
    pub(crate) fn free(&self, weight: Weight) {
        let mut state = self.state();
        match weight {
            Weight::Heavy => state.heavy -= 1,
            Weight::Light => state.light -= 1,
        }
    }

    /// The result of one of its attempts is in the store.
    pub(crate) fn settled(&self) {
        let mut state = self.state();
        state.unsettled -= 1;
        if state.unsettled == 0 {
            self.idle.notify_waiters();
        }
    }

    /// Attempts that it executes.
    pub(crate) fn busy(&self) -> usize {
        let state = self.state();
        state.heavy + state.light
    }

    /// Attempts that it executes or whose results it has still to store.
    pub(crate) fn unsettled(&self) -> usize {
        self.state().unsettled
    }

    /// What other processes wrote since this was last asked.
    pub(crate) fn take_others(&self) -> Option<(Counters, Counters)> {
        self.state().others.take()
    }
}

impl Standing for Desk {
    fn offer(&self) -> Option<Claim> {
        let state = self.state();
        if !state.open || state.runnable.is_empty() {
            return None;
        }
        let free = Free {
            total: self.workers.total.saturating_sub(state.heavy + state.light),
            heavy: self.workers.heavy.saturating_sub(state.heavy),
            light: self.workers.light.saturating_sub(state.light),
        };
        (free.total > 0).then(|| Claim { node: self.node.clone(), jobs: Arc::clone(&state.runnable), free })
    }

    fn claimed(&self, claimed: Vec<Claimed>) {
        let mut state = self.state();
        let runnable = Arc::clone(&state.runnable);
        state.unsettled += claimed.len();
        for run in claimed {
            let weight = runnable.get(&*run.job).copied().unwrap_or(Weight::Light);
            match weight {
                Weight::Heavy => state.heavy += 1,
                Weight::Light => state.light += 1,
            }
            // The receiver lives as long as the engine; without it nobody executes anything.
            drop(self.give.send((run, weight)));
        }
    }

    fn committed(&self, facts: &[Fact], hints: Hints) {
        if !facts.is_empty() {
            self.observer.facts(facts);
        }
        if let Some((from, to)) = hints.others {
            let mut state = self.state();
            let from = state.others.map_or(from, |(from, _)| from);
            state.others = Some((from, to));
        }
        if hints.timed || hints.others.is_some() {
            self.timed.notify_one();
        }
        if hints.asked_to_end || hints.others.is_some() {
            self.asked_to_end.notify_one();
        }
        if hints.cut_short {
            self.cut_short.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_number_bounds_all_kinds_together_and_the_default_has_room_for_commands() {
        let heavy = |cores| Workers::on(cores, None).heavy;
        assert_eq!([1, 2, 3, 8, 64].map(heavy), [32, 32, 48, 128, 1024]);
        assert_eq!(Workers::on(2, None), Workers { total: 288, heavy: 32, light: 256 });
        assert_eq!(Workers::on(64, Some(3)), Workers { total: 3, heavy: 3, light: 3 });
    }
}
