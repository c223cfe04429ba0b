//! The operations, written once for all stores: look at what the store holds, decide by the rules of the core, write.
//!
//! A batch of them is one transaction; every one sees what those before it wrote. At one instant they are given in this
//! order: settle, due, ticks, trigger, claim.

mod apply;
mod cancel;
mod claim;
mod due;
mod enter;
mod memory;
mod pause;
mod prune;
mod reap;
mod settle;
mod supersede;
mod sweep;
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
use jobstile_core::run::State;
use jobstile_core::time::Time;
use jobstile_core::trigger::{Source, When};

use crate::args::{Args, BadArgs};
use crate::error::{Result, Wish};
use crate::fact::Fact;
use crate::store::{Counters, NodeRow, Printed, PruneBefore, Reload, Tables};

pub(crate) use memory::Memory;
use view::View;

/// An operation on a store, with its own answer.
pub trait Operation: Into<Op> + Send {
    /// What it answers.
    type Answer: Send + 'static;

    /// Its answer among all answers of a batch.
    #[doc(hidden)]
    fn answer(answer: Answer) -> Option<Self::Answer>;
}

macro_rules! operations {
    ($($(#[$meta:meta])* $name:ident => $answer:ident($type:ty),)+) => {
        /// Any operation: what a batch is made of. Callers of a queue or a client never see it.
        #[derive(Debug, Clone)]
        pub enum Op { $($(#[$meta])* $name($name)),+ }

        $(
            impl From<$name> for Op {
                fn from(op: $name) -> Self { Self::$name(op) }
            }

            impl Operation for $name {
                type Answer = $type;

                fn answer(answer: Answer) -> Option<$type> {
                    match answer {
                        Answer::$answer(answer) => Some(answer),
                        _ => None,
                    }
                }
            }
        )+
    };
}

operations! {
    /// Decides one trigger.
    Trigger => Decided(Decided),
    /// Moves what has fallen due.
    Due => Moved(Moved),
    /// Looks at the schedules that are due.
    Ticks => Moved(Moved),
    /// Takes runs for free workers.
    Claim => Claimed(Vec<Claimed>),
    /// Ends an attempt.
    Settle => Settled(Option<State>),
    /// Ends a run, or asks a running one to end.
    Cancel => Changed(Changed),
    /// Tries a run again.
    Retry => Retried(Retried),
    /// Nothing of a job is claimed any more.
    Pause => Jobs(Vec<String>),
    /// Ends a pause.
    Resume => Jobs(Vec<String>),
    /// Puts a policy in force.
    Apply => Applied(Applied),
    /// Takes a job out of the policy that no live node defines.
    Forget => Done(u64),
    /// A process begins to work on the store.
    Enter => Done(u64),
    /// What a node can run, and why not.
    Offer => Done(u64),
    /// A node has read its configuration again.
    Reloaded => Done(u64),
    /// A node is gone: its attempts are lost.
    Reap => Done(u64),
    /// By which time has history aged?
    Age => Aged(Time),
    /// Deletes history that is no longer kept.
    Prune => Done(u64),
    /// Makes runs ready that wait for a limit with a free slot. There are none; this counts the ones there were.
    Sweep => Done(u64),
}

/// Moves what has fallen due: scheduled runs and retries.
#[derive(Debug, Clone, Copy)]
pub struct Due {
    /// The most at once.
    pub max: usize,
}

/// Looks at the schedules that are due.
#[derive(Debug, Clone)]
pub struct Ticks {
    /// The jobs that the asker defines; `None` means every job.
    pub jobs: Option<Arc<Runnable>>,
    /// Who asks.
    pub by: Arc<str>,
}

/// Ends a run, or asks a running one to end.
#[derive(Debug, Clone)]
pub struct Cancel {
    /// Which.
    pub run: RunId,
    /// Who asks.
    pub by: String,
}

/// A retrying run becomes due now; an ended one is triggered again.
#[derive(Debug, Clone)]
pub struct Retry {
    /// Which.
    pub run: RunId,
    /// Who asks.
    pub by: String,
    /// Where from.
    pub source: Source,
}

/// Nothing of a job is claimed any more.
#[derive(Debug, Clone)]
pub struct Pause {
    /// Which; `None` means every job.
    pub job: Option<String>,
    /// How.
    pub pause: Paused,
}

/// Ends a pause.
#[derive(Debug, Clone)]
pub struct Resume {
    /// Which; `None` means every job.
    pub job: Option<String>,
}

/// Takes a job out of the policy that no live node defines.
#[derive(Debug, Clone)]
pub struct Forget {
    /// Which.
    pub job: String,
}

/// A process begins to work on the store.
#[derive(Debug, Clone)]
pub struct Enter(pub NodeRow);

/// What a node can run, and why not.
#[derive(Debug, Clone)]
pub struct Offer {
    /// The node.
    pub node: NodeId,
    /// Job and, where it cannot be run, the reason.
    pub jobs: Vec<(String, Option<String>)>,
}

/// A node has read its configuration again.
#[derive(Debug, Clone)]
pub struct Reloaded {
    /// The node.
    pub node: NodeId,
    /// What became of it.
    pub reload: Reload,
}

/// A node is gone: its attempts are lost.
#[derive(Debug, Clone)]
pub struct Reap {
    /// The node.
    pub node: NodeId,
    /// What is known of its end.
    pub reason: String,
    /// What its attempts had printed, by run.
    pub printed: HashMap<RunId, Printed>,
}

/// By which time has history aged?
#[derive(Debug, Clone, Copy)]
pub struct Age;

/// Deletes history that is no longer kept.
#[derive(Debug, Clone, Copy)]
pub struct Prune(pub PruneBefore);

/// Makes runs ready that wait for a limit with a free slot.
#[derive(Debug, Clone, Copy)]
pub struct Sweep;

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
pub struct Paused {
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

/// What was moved, and when to look again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    /// How many.
    pub moved: usize,
    /// When to look again; `None` means not by itself.
    pub next: Option<Time>,
}

/// Where a run was and is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Changed {
    /// Before.
    pub from: State,
    /// Now.
    pub to: State,
    /// A running one was asked to end.
    pub asked: bool,
}

/// What became of a run that somebody wants to be tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Retried {
    /// It lives: where it was and is.
    Changed(Changed),
    /// It had ended: what became of the trigger with its arguments.
    Decided(Decided),
}

/// A policy in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Its version.
    pub version: Version,
    /// Jobs that were taken over from owners without a live node, with their former owners.
    pub taken_over: Vec<(String, String)>,
}

/// Any answer: what a batch gives for each of its operations.
#[derive(Debug, Clone)]
pub enum Answer {
    /// To a trigger.
    Decided(Decided),
    /// To `Due` and `Ticks`.
    Moved(Moved),
    /// To a claim.
    Claimed(Vec<Claimed>),
    /// To a settle: where the run is now; `None` means the fence was old, and nothing was changed.
    Settled(Option<State>),
    /// To a cancel.
    Changed(Changed),
    /// To a retry.
    Retried(Retried),
    /// To an apply.
    Applied(Applied),
    /// To a pause or resume: the jobs it touched.
    Jobs(Vec<String>),
    /// To an age: the time by which history has aged.
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
    /// Jobs whose schedules stood ahead of a clock that was set back.
    pub set_back: Vec<Arc<str>>,
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
        Op::Due(due) => due::due(view, due.max).map(Answer::Moved),
        Op::Ticks(ticks) => tick::ticks(view, ticks.jobs.as_deref(), &ticks.by).map(Answer::Moved),
        Op::Claim(claim) => claim::claim(view, claim).map(Answer::Claimed),
        Op::Settle(settle) => settle::settle(view, settle).map(Answer::Settled),
        Op::Cancel(cancel) => cancel::cancel(view, cancel.run, &cancel.by).map(Answer::Changed),
        Op::Retry(retry) => cancel::retry(view, retry.run, &retry.by, retry.source).map(Answer::Retried),
        Op::Pause(pause) => pause::pause(view, pause.job.as_deref(), Some(&pause.pause)).map(Answer::Jobs),
        Op::Resume(resume) => pause::pause(view, resume.job.as_deref(), None).map(Answer::Jobs),
        Op::Apply(policy) => apply::apply(view, policy).map(Answer::Applied),
        Op::Forget(forget) => apply::forget(view, &forget.job).map(Answer::Done),
        Op::Enter(enter) => enter::enter(view, &enter.0).map(Answer::Done),
        Op::Offer(offer) => enter::offer(view, &offer.node, &offer.jobs).map(Answer::Done),
        Op::Reloaded(reloaded) => enter::reloaded(view, reloaded).map(Answer::Done),
        Op::Reap(reap) => reap::reap(view, reap).map(Answer::Done),
        Op::Age(Age) => prune::age(view).map(Answer::Aged),
        Op::Prune(prune) => prune::prune(view, prune.0).map(Answer::Done),
        Op::Sweep(Sweep) => sweep::sweep(view).map(Answer::Done),
    }
}
