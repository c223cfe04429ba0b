//! What people and pages ask, answered as plain facts: no sentences, no colours, no JSON.
//!
//! Every command of the program words these, and so does every page. An answer is made from [`Questions`], which take no
//! write lock. What it says about the next tick is what [`jobstile_core::decide`] says, never a second rule.

mod attention;
mod changes;
mod decisions;
mod events;
mod job;
mod key;
mod load;
mod nodes;
mod overview;
mod remains;
mod run;
mod runs;

use jobstile_core::id::{Fence, RunId};
use jobstile_core::time::Time;

pub use crate::runner::lock::{Holder, Tree};
use crate::store::read::NodeInfo;
pub use crate::store::read::Questions;
pub use attention::{Attention, PausedAlike};
pub use changes::{Changes, Held};
pub use decisions::together;
pub use events::{Event, What};
pub use job::{Advice, Explained, InTheWay, Job, NextTick, Pattern, Rule, Running, Standing, Unusual};
pub use key::{KeyAnswer, KeyHolder};
pub use load::{Became, Counts, Window};
pub use nodes::{Live, Node, SILENCE};
pub use overview::Overview;
pub use remains::Remains;
pub use run::{ExplainedRun, Replacement, Waits};
pub use runs::{ListedRun, Runs};

/// Says of each of these attempts what is left of it.
pub type Trees<'a> = dyn Fn(&[(RunId, Fence)]) -> Vec<Tree> + 'a;

/// Whoever asks: a store, the time, and a way to find out which nodes live.
pub struct Asker<'a, Q> {
    /// The store.
    pub store: &'a Q,
    /// The time of the answer.
    pub now: Time,
    /// Looks at a node's lock: the store alone does not know whether it lives.
    pub presence: &'a dyn Fn(&mut NodeInfo),
    /// Looks at the locks of attempts: what is left of each?
    pub trees: &'a Trees<'a>,
}

impl<Q: std::fmt::Debug> std::fmt::Debug for Asker<'_, Q> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Asker").field("store", self.store).field("now", &self.now).finish_non_exhaustive()
    }
}
