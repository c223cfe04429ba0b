//! What a node asks of the store between batches. A question takes no write lock and changes nothing.

use std::collections::HashMap;
use std::sync::Arc;

use jobstile_core::id::{Fence, NodeId, RunId};

use super::{Counters, NodeRow, Tables, wire};
use crate::error::{Error, Kind, Result};
use crate::fact::Decided;

/// A question, with its answer.
pub trait Question: Send + 'static {
    /// What it answers.
    type Answer: Send + 'static;

    /// Asks a store.
    #[doc(hidden)]
    fn ask(&self, of: &mut Rows<'_>) -> Result<Self::Answer>;
}

/// The rows that a question looks at.
pub struct Rows<'a>(pub(crate) &'a mut dyn Tables);

impl std::fmt::Debug for Rows<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Rows")
    }
}

/// Which running runs of a node were asked to end?
#[derive(Debug, Clone)]
pub struct Asked(pub NodeId);

impl Question for Asked {
    type Answer = Vec<RunId>;

    fn ask(&self, of: &mut Rows<'_>) -> Result<Vec<RunId>> {
        of.0.asked_to_end(&self.0)
    }
}

/// Which attempts does a node hold?
#[derive(Debug, Clone)]
pub struct Held(pub NodeId);

impl Question for Held {
    type Answer = Vec<(RunId, Fence)>;

    fn ask(&self, of: &mut Rows<'_>) -> Result<Vec<(RunId, Fence)>> {
        let runs = of.0.running_of_node(&self.0)?;
        runs.into_iter()
            .map(|id| {
                let run = of.0.run(id)?;
                let run = run.ok_or_else(|| Error::new(Kind::NotFound, format!("there is no run {id}")))?;
                Ok((id, run.fence))
            })
            .collect()
    }
}

/// Which jobs does a node define?
#[derive(Debug, Clone)]
pub struct Defines(pub NodeId);

impl Question for Defines {
    type Answer = Vec<String>;

    fn ask(&self, of: &mut Rows<'_>) -> Result<Vec<String>> {
        of.0.node_jobs(&self.0)
    }
}

/// Which nodes work on the store, as far as it knows?
#[derive(Debug, Clone, Copy)]
pub struct Nodes;

impl Question for Nodes {
    type Answer = Vec<NodeRow>;

    fn ask(&self, of: &mut Rows<'_>) -> Result<Vec<NodeRow>> {
        of.0.live_nodes()
    }
}

/// What was decided in a range of numbers, with who asked. The rules are those in force now: others did not write down
/// theirs.
#[derive(Debug, Clone, Copy)]
pub struct News {
    /// Runs and refusals from these on.
    pub from: Counters,
    /// To before these.
    pub to: Counters,
}

impl Question for News {
    type Answer = Vec<(Decided, String)>;

    fn ask(&self, of: &mut Rows<'_>) -> Result<Vec<(Decided, String)>> {
        let mut news = of.0.news(self.from, self.to)?;
        let switches = of.0.switches()?.unwrap_or_default();
        let mut aggressive: HashMap<Arc<str>, bool> = HashMap::new();
        for (fact, _) in &mut news {
            fact.aggressive = match aggressive.get(&fact.job) {
                Some(known) => *known,
                None => {
                    let policy = of.0.job_by_name(&fact.job)?.and_then(|row| row.policy);
                    // A policy that cannot be read stops its job, and is told elsewhere.
                    let policy = policy.and_then(|text| wire::read(&fact.job, &text).ok());
                    let is = policy.is_some_and(|policy| policy.rules(switches).aggressive);
                    aggressive.insert(Arc::clone(&fact.job), is);
                    is
                }
            };
        }
        Ok(news)
    }
}
