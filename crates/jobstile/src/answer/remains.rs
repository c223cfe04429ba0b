//! Attempts that no node can end or vouch for: what the kernel says of their processes.

use std::time::Duration;

use jobstile_core::time::Time;

use super::Trees;
use super::job::{Job, Running};
use crate::runner::lock::{Holder, Tree};
use crate::store::read::Liveness;

/// A keeper has ended an attempt so long after its timeout, if it can be ended.
const ENDED_WITHIN: Duration = Duration::from_secs(30);

/// Why a run keeps its slot although no node can end it or vouch for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remains {
    /// Its node is dead, and these processes of it live. None is named if none can be seen from here.
    OfDeadNode(Vec<Holder>),
    /// It is past its timeout, and these processes of it have not been ended; likewise.
    PastTimeout(Vec<Holder>),
    /// The lock of its node cannot be looked at: nobody can say whether it lives.
    Unknown,
}

/// What is said of an attempt if something of it lives.
type Kind = fn(Vec<Holder>) -> Remains;

/// Looks at what is left of the runs of which that matters.
pub(super) fn find(jobs: &mut [Job], now: Time, trees: &Trees<'_>) {
    let mut suspects: Vec<(&mut Running, Kind)> = vec![];
    for job in jobs {
        let timeout = job.info.policy.as_ref().and_then(|policy| policy.timeout);
        for run in &mut job.running {
            match run.liveness {
                Liveness::Gone => suspects.push((run, Remains::OfDeadNode)),
                Liveness::Unknown => run.remains = Some(Remains::Unknown),
                Liveness::Alive | Liveness::Ended => {
                    let began = run.run.row.claimed_at.unwrap_or(run.run.row.due);
                    if timeout.is_some_and(|timeout| now.since(began) > timeout.saturating_add(ENDED_WITHIN)) {
                        suspects.push((run, Remains::PastTimeout));
                    }
                }
            }
        }
    }
    if suspects.is_empty() {
        return;
    }
    let attempts: Vec<_> = suspects.iter().map(|(run, _)| (run.run.row.id, run.run.row.fence)).collect();
    for ((run, remains), tree) in suspects.into_iter().zip(trees(&attempts)) {
        // An HTTP call and a function have no lock: they ended with their node.
        run.remains = match tree {
            Tree::Lives(holders) => Some(remains(holders)),
            Tree::Over | Tree::Unknown => None,
        };
    }
}
