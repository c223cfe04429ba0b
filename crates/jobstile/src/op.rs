//! The operations, written once for all stores: look at what the store holds, decide by the rules of the core, write.
//!
//! A batch of them is one transaction; every one sees what those before it wrote. At one instant they are given in this
//! order: settle, due, ticks, trigger, claim.

mod apply;
mod cancel;
mod claim;
mod due;
mod memory;
mod node;
mod settle;
mod supersede;
mod tick;
mod trigger;
mod view;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jobstile_core::decide::{Code, Decision};
use jobstile_core::id::{Fence, NodeId, RunId, TriggerId, Version};
use jobstile_core::outcome::Outcome;
use jobstile_core::policy::{Policy, Priority, Switches};
use jobstile_core::retention::aged;
use jobstile_core::run::State;
use jobstile_core::time::Time;
use jobstile_core::trigger::{Source, When};

use crate::args::{Args, BadArgs};
use crate::error::{Result, Wish};
use crate::fact::Fact;
use crate::store::{Counters, NodeRow, Printed, PruneBefore, Reload, Tables};

pub(crate) use memory::Memory;
use view::View;

/// One operation on a store.
#[derive(Debug, Clone)]
pub enum Op {
    /// Decides one trigger.
    Trigger(Trigger),
    /// Moves what has fallen due: scheduled runs and retries, at most so many.
    Due {
        /// The most at once.
        max: usize,
    },
    /// Looks at the schedules that are due, of these jobs; `None` means every job.
    Ticks {
        /// The jobs that the asker defines.
        jobs: Option<Arc<Runnable>>,
        /// Who asks.
        by: Arc<str>,
    },
    /// Takes runs for free workers.
    Claim(Claim),
    /// Ends an attempt.
    Settle(Settle),
    /// Ends a run, or asks a running one to end.
    Cancel {
        /// Which.
        run: RunId,
        /// Who asks.
        by: String,
    },
    /// A retrying run becomes due now; an ended one is triggered again.
    Retry {
        /// Which.
        run: RunId,
        /// Who asks.
        by: String,
        /// Where from.
        source: Source,
    },
    /// Nothing of a job is claimed any more.
    Pause {
        /// Which; `None` means every job.
        job: Option<String>,
        /// How.
        pause: Pause,
    },
    /// Ends a pause.
    Resume {
        /// Which; `None` means every job.
        job: Option<String>,
    },
    /// Puts a policy in force.
    Apply(Apply),
    /// Takes a job out of the policy that no live node defines.
    Forget {
        /// Which.
        job: String,
    },
    /// A process begins to work on the store.
    Enter(NodeRow),
    /// What a node can run, and why not.
    Offer {
        /// The node.
        node: NodeId,
        /// Job and, where it cannot be run, the reason.
        jobs: Vec<(String, Option<String>)>,
    },
    /// A sign of life, for those who look.
    Seen {
        /// The node.
        node: NodeId,
        /// Attempts it executes.
        busy: u32,
    },
    /// A node has read its configuration again.
    Reloaded {
        /// The node.
        node: NodeId,
        /// What became of it.
        reload: Reload,
    },
    /// A node is gone: its attempts are lost.
    Reap {
        /// The node.
        node: NodeId,
        /// What is known of its end.
        reason: String,
        /// What its attempts had printed, by run.
        printed: HashMap<RunId, Printed>,
    },
    /// By which time has history aged?
    Age,
    /// Deletes history that is no longer kept.
    Prune(PruneBefore),
    /// Which running runs of a node were asked to end?
    Asked {
        /// The node.
        node: NodeId,
    },
    /// Which attempts does a node hold?
    Held {
        /// The node.
        node: NodeId,
    },
    /// Which jobs does a node define?
    Defines {
        /// The node.
        node: NodeId,
    },
    /// Which nodes work on the store, as far as it knows?
    Nodes,
    /// Makes runs ready that wait for a limit with a free slot. There are none; this counts the ones there were.
    Sweep,
    /// What was decided in a range of numbers.
    News {
        /// Runs and refusals from these on.
        from: Counters,
        /// To before these.
        to: Counters,
    },
}

/// One request to run a job.
#[derive(Debug, Clone)]
pub struct Trigger {
    /// The job's name as given.
    pub job: Arc<str>,
    /// The arguments, or why they are none.
    pub args: Result<Args, BadArgs>,
    /// `None` means the job's own.
    pub priority: Option<Priority>,
    /// Now or later.
    pub when: When,
    /// The caller's id for this trigger.
    pub id: Option<TriggerId>,
    /// Where it comes from.
    pub source: Source,
    /// Who asks.
    pub by: Arc<str>,
}

/// What became of a trigger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// What.
    pub decision: Decision,
    /// Why.
    pub code: Code,
    /// The run that has the trigger's arguments.
    pub run: Option<RunId>,
    /// The run in its way.
    pub by: Option<RunId>,
    /// When the run is due, of a trigger for later.
    pub due: Option<Time>,
    /// It is the first answer to its id, again.
    pub replayed: bool,
}

/// What kind of worker a job needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// A process: a command or shell line.
    Heavy,
    /// An HTTP call or a Rust function.
    Light,
}

/// The jobs that a node can run.
pub type Runnable = HashMap<String, Weight>;

/// Free workers of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Free {
    /// For all kinds together.
    pub total: usize,
    /// For processes.
    pub heavy: usize,
    /// For calls and functions.
    pub light: usize,
}

/// A node asks for work.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The node's id.
    pub node: NodeId,
    /// What it can run.
    pub jobs: Arc<Runnable>,
    /// For how many.
    pub free: Free,
}

/// A run that a node may execute now.
#[derive(Debug, Clone, PartialEq)]
pub struct Claimed {
    /// The run.
    pub run: RunId,
    /// Its job.
    pub job: Arc<str>,
    /// The number of this attempt.
    pub attempt: u32,
    /// Of how many executions.
    pub attempts: u32,
    /// Its fence.
    pub fence: Fence,
    /// Its arguments.
    pub args: Option<Arc<str>>,
    /// The longest it may take.
    pub timeout: Option<Duration>,
    /// When it was claimed.
    pub at: Time,
}

/// An attempt has ended.
#[derive(Debug, Clone)]
pub struct Settle {
    /// Its run.
    pub run: RunId,
    /// Its fence.
    pub fence: Fence,
    /// How it ended.
    pub outcome: Outcome,
    /// In a sentence.
    pub message: Option<String>,
    /// The exit code of a command; 128 and the number of the signal that ended it.
    pub exit_code: Option<i32>,
    /// What it printed.
    pub printed: Option<Printed>,
    /// The other side asked to wait at least so long.
    pub retry_after: Option<Duration>,
    /// How long it took, where that was measured; `None` means from the claim to now.
    pub took: Option<Duration>,
    /// 0 to 1: the share of the backoff's random tenth.
    pub jitter: f64,
    /// What it gave back to those who wait for the run, as JSON.
    pub result: Option<String>,
    /// What a function wants to follow its failure.
    pub wish: Option<Wish>,
}

/// How a job is paused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// Until when; `None` means until somebody resumes it.
    pub until: Option<Time>,
    /// Who did it.
    pub by: String,
    /// Why.
    pub why: Option<String>,
}

/// A policy to put in force.
#[derive(Debug, Clone)]
pub struct Apply {
    /// Whose.
    pub owner: String,
    /// Who applies it.
    pub by: String,
    /// The switches; `None` leaves them as they are.
    pub switches: Option<Switches>,
    /// Where the switches came from: JSON.
    pub origins: String,
    /// The jobs.
    pub jobs: Vec<JobPolicy>,
    /// Jobs of this owner that are not named are taken out of the policy.
    pub replace: bool,
    /// Jobs of other owners that have a live node, by name: they may not be taken over.
    pub taken: Vec<String>,
}

/// One job of a policy.
#[derive(Debug, Clone)]
pub struct JobPolicy {
    /// Its name.
    pub name: String,
    /// Its policy.
    pub policy: Policy,
    /// Where each value came from: JSON.
    pub origins: String,
}

/// What an operation answers.
#[derive(Debug, Clone)]
pub enum Answer {
    /// To a trigger, and to a retry of an ended run.
    Decided(Decided),
    /// To `Due` and `Ticks`: how many were moved, and when to look again.
    Moved {
        /// How many.
        moved: usize,
        /// When to look again; `None` means only when asked.
        next: Option<Time>,
    },
    /// To a claim.
    Claimed(Vec<Claimed>),
    /// To a settle: where the run is now; `None` means the fence was old, nothing was changed.
    Settled(Option<State>),
    /// To a cancel, and to a retry of a waiting run: where the run was and is.
    Changed {
        /// Before.
        from: State,
        /// Now.
        to: State,
        /// A running one was asked to end.
        asked: bool,
    },
    /// To an apply: the version, and the jobs that were taken over from owners without a live node.
    Applied {
        /// The version in force.
        version: Version,
        /// Job and former owner.
        taken_over: Vec<(String, String)>,
    },
    /// To a pause or resume: the jobs it touched; to `Defines`: the jobs.
    Jobs(Vec<String>),
    /// To `Asked`.
    Runs(Vec<RunId>),
    /// To `Held`: runs and their fences.
    Held(Vec<(RunId, Fence)>),
    /// To `Nodes`.
    Nodes(Vec<NodeRow>),
    /// To `News`: decisions, and who asked.
    News(Vec<(crate::fact::Decided, String)>),
    /// To `Age`.
    Aged(Time),
    /// To everything else: how many rows.
    Done(u64),
}

/// What a batch gave: an answer for each operation, and what happened.
#[derive(Debug, Default)]
pub struct Done {
    /// In the order of the operations.
    pub answers: Vec<Result<Answer>>,
    /// In the order in which they happened.
    pub facts: Vec<Fact>,
    /// How many facts there were when each operation was done.
    pub marks: Vec<usize>,
    /// Some run may be claimed that could not be before.
    pub ready: bool,
    /// A claim looked at as many runs as one may, and left others behind.
    pub cut_short: bool,
    /// Some running run was asked to end.
    pub asked_to_end: bool,
    /// Something waits for a time that was not known before.
    pub timed: bool,
    /// How long the operations took, before their commit.
    pub took: Duration,
    /// The counters before and after; none where nothing was written.
    pub counters: Option<(Counters, Counters)>,
}

/// Runs a batch inside a store's transaction. An error is the store's and harms the whole batch; what an operation
/// cannot do is in its answer.
pub(crate) fn execute(tables: &mut dyn Tables, memory: &mut Memory, now: Time, ops: &[Op]) -> Result<Done> {
    let mut view = View::open(tables, memory, now)?;
    let (mut answers, mut marks) = (Vec::with_capacity(ops.len()), Vec::with_capacity(ops.len()));
    for op in ops {
        answers.push(match one(&mut view, op) {
            Err(error) if !is_answer(&error) => return Err(error),
            answer => answer,
        });
        marks.push(view.happened());
    }
    Ok(Done { marks, ..view.close(answers)? })
}

// Only the store's own failures and broken promises end a batch.
fn is_answer(error: &crate::error::Error) -> bool {
    use crate::error::Kind;
    matches!(error.kind(), Kind::NotFound | Kind::Invalid | Kind::Taken)
}

fn one(view: &mut View<'_>, op: &Op) -> Result<Answer> {
    match op {
        Op::Trigger(trigger) => trigger::trigger(view, trigger).map(Answer::Decided),
        Op::Due { max } => due::due(view, *max),
        Op::Ticks { jobs, by } => tick::ticks(view, jobs.as_deref(), by),
        Op::Claim(claim) => claim::claim(view, claim).map(Answer::Claimed),
        Op::Settle(settle) => settle::settle(view, settle).map(Answer::Settled),
        Op::Cancel { run, by } => cancel::cancel(view, *run, by),
        Op::Retry { run, by, source } => cancel::retry(view, *run, by, *source),
        Op::Pause { job, pause } => apply::pause(view, job.as_deref(), Some(pause)),
        Op::Resume { job } => apply::pause(view, job.as_deref(), None),
        Op::Apply(policy) => apply::apply(view, policy),
        Op::Forget { job } => apply::forget(view, job),
        Op::Enter(row) => node::enter(view, row),
        Op::Offer { node, jobs } => node::offer(view, node, jobs),
        Op::Seen { node, busy } => node::seen(view, node, *busy),
        Op::Reloaded { node, reload } => node::reloaded(view, node, reload),
        Op::Reap { node, reason, printed } => node::reap(view, node, reason, printed),
        Op::Age => age(view).map(Answer::Aged),
        Op::Prune(before) => view.tables().prune(*before).map(Answer::Done),
        Op::Asked { node } => view.tables().asked_to_end(node).map(Answer::Runs),
        Op::Held { node } => node::held(view, node),
        Op::Defines { node } => view.tables().node_jobs(node).map(Answer::Jobs),
        Op::Nodes => view.tables().live_nodes().map(Answer::Nodes),
        Op::Sweep => node::sweep(view),
        Op::News { from, to } => news(view, *from, *to),
    }
}

fn age(view: &mut View<'_>) -> Result<Time> {
    let now = view.now;
    let (to, at) = view.tables().aged()?;
    let to = aged(to, at, now);
    view.tables().set_aged(to, now)?;
    Ok(to)
}

// What other processes decided, with the rules that are in force now: they did not write down theirs.
fn news(view: &mut View<'_>, from: Counters, to: Counters) -> Result<Answer> {
    let mut news = view.tables().news(from, to)?;
    for (fact, _) in &mut news {
        if let Some(job) = view.tables().job_by_name(&fact.job)? {
            fact.aggressive = view.job(job.id)?.rules.aggressive;
        }
    }
    Ok(Answer::News(news))
}
