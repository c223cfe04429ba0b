//! What can be asked of a store: plain values that [`answer`](crate::answer) puts together. Reading changes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use jobstile_core::decide::{Code, Decision, Tally};
use jobstile_core::id::{Fence, JobId, NodeId, RefusalId, RunId, TriggerId, Version};
use jobstile_core::key::Key;
use jobstile_core::outcome::Outcome;
use jobstile_core::policy::{Policy, Rules, Switches};
use jobstile_core::run::State;
use jobstile_core::schedule::Cursor;
use jobstile_core::time::Time;
use jobstile_core::trigger::Source;

use super::numbers::Numbers;
use super::{NodeRow, Printed, RunRow};
use crate::error::Result;

/// The most rows of one page.
pub const MAX_PAGE: usize = 10_000;

/// The reads that answers are made of. A question is no operation: it changes nothing and takes no write lock. Each of
/// those that end in `_of` asks for one job, or for all with `None`, in one query.
///
/// # Errors
/// Every question fails if the store cannot be read.
#[expect(clippy::missing_errors_doc, reason = "said once for all of them")]
pub trait Questions {
    /// Answers several questions by one state of the store.
    fn at_once<T>(&self, ask: impl FnOnce(&Self) -> Result<T>) -> Result<T>;
    /// The store itself.
    fn store(&self) -> Result<StoreInfo>;
    /// The earliest instant at which anything can have been written.
    fn began(&self) -> Result<Time>;
    /// Jobs that have a policy or a history, by name.
    fn jobs(&self) -> Result<Vec<JobInfo>>;
    /// A job by its exact name.
    fn job(&self, name: &str) -> Result<Option<JobInfo>>;
    /// When the jobs that are no longer in the policy were taken out of it.
    fn removed(&self) -> Result<BTreeMap<JobId, Time>>;
    /// The version whose switches are in force; `None` if no version has any.
    fn switches(&self) -> Result<Option<VersionInfo>>;
    /// Versions of the policy before this one, newest first.
    fn versions(&self, before: Option<Version>, limit: usize) -> Result<Vec<VersionInfo>>;
    /// Numbers by job and hour, since an hour.
    fn numbers_of(&self, job: Option<JobId>, since_hour: i64) -> Result<Vec<(JobId, i64, Numbers)>>;
    /// Everything that runs, by node and claim.
    fn running(&self, limit: usize) -> Result<Vec<RunInfo>>;
    /// Scheduled and retrying runs, by the time they are due.
    fn upcoming(&self, limit: usize) -> Result<Vec<RunInfo>>;
    /// Queued runs of a job, the one due first before the others.
    fn waiting(&self, job: JobId, limit: usize) -> Result<Vec<RunInfo>>;
    /// How many runs of each job wait for nothing but a worker.
    fn ready(&self) -> Result<BTreeMap<JobId, u64>>;
    /// The run of each job that ended last.
    fn last_ended_of(&self, job: Option<JobId>) -> Result<BTreeMap<JobId, RunInfo>>;
    /// The ended ones of the runs from this number on.
    fn ended_of(&self, job: Option<JobId>, from: RunId) -> Result<Vec<RunInfo>>;
    /// Dead runs, the latest first, and what made up for them.
    fn dead_of(&self, job: Option<JobId>, limit: usize) -> Result<Vec<DeadRun>>;
    /// The ended attempts of these runs.
    fn attempts_of(&self, runs: &[RunId]) -> Result<BTreeMap<RunId, Vec<AttemptInfo>>>;
    /// The triggers that each of these runs turned away.
    fn turned_away_by(&self, runs: &[RunId]) -> Result<BTreeMap<RunId, TurnedAway>>;
    /// Decisions, newest first.
    fn decisions(&self, filter: &DecisionFilter) -> Result<Vec<DecisionInfo>>;
    /// A run.
    fn run(&self, id: RunId) -> Result<Option<RunInfo>>;
    /// What a run gave back, as JSON; `None` means nothing.
    fn result(&self, id: RunId) -> Result<Option<String>>;
    /// Runs: live ones first, the one due last before the others; then ended ones, the latest end first.
    fn runs(&self, filter: &RunFilter) -> Result<Vec<RunInfo>>;
    /// The run that makes a trigger of this job and key a duplicate.
    fn holder(&self, job: JobId, key: &Key) -> Result<Option<RunInfo>>;
    /// Live runs of a key whose rule lets one wait behind another, oldest first.
    fn live_of_key(&self, job: JobId, key: &Key, limit: usize) -> Result<Vec<RunInfo>>;
    /// Nodes by the store alone: those that have not left, then the newest of the others.
    fn nodes(&self, limit: usize) -> Result<Vec<NodeInfo>>;
    /// What each node that has not ended says it can run.
    fn offers(&self) -> Result<BTreeMap<NodeId, Vec<Offer>>>;
}

/// A job, its policy in force, and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct JobInfo {
    /// Its number in this store.
    pub id: JobId,
    /// Its name.
    pub name: Arc<str>,
    /// Its policy. `None` means that it was taken out of the policy and only its history is left, or that the policy is
    /// damaged.
    pub policy: Option<Policy>,
    /// Why its policy cannot be read: it was damaged, or somebody else wrote it. Nothing of the job is claimed then.
    pub damage: Option<String>,
    /// Who applied it.
    pub owner: Option<String>,
    /// In which version.
    pub version: Version,
    /// Where each value came from: JSON, key → text.
    pub origins: String,
    /// The next instant of its schedule; `None` means it does not fire.
    pub next_at: Option<Time>,
    /// The last instant that was looked at.
    pub last_at: Option<Time>,
    /// How it was paused; the pause may be over by itself, see [`JobInfo::paused`].
    pub pause: Option<PauseInfo>,
    /// Its live runs by state.
    pub tally: Tally,
}

/// How a job was paused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PauseInfo {
    /// Since when.
    pub at: Time,
    /// Until when; `None` means until somebody resumes it.
    pub until: Option<Time>,
    /// Who did it.
    pub by: String,
    /// Why.
    pub why: Option<String>,
}

impl JobInfo {
    /// The pause that holds now.
    #[must_use]
    pub fn paused(&self, now: Time) -> Option<&PauseInfo> {
        self.pause.as_ref().filter(|pause| pause.until.is_none_or(|until| now < until))
    }

    /// What holds for it under these switches; `None` means it is out of the policy.
    #[must_use]
    pub fn rules(&self, switches: Switches) -> Option<Rules> {
        self.policy.as_ref().map(|policy| policy.rules(switches))
    }

    /// Its next instants from now on, at most so many; none where its schedule is off or it has none.
    #[must_use]
    pub fn fires(&self, now: Time, max: usize) -> Vec<Time> {
        let schedule = self.policy.as_ref().and_then(|policy| policy.schedule);
        let Some((schedule, next)) = schedule.zip(self.next_at) else { return vec![] };
        let first = schedule.pass(Cursor { last: self.last_at, next }, now).next;
        std::iter::successors(Some(first), |at| Some(at.plus(schedule.every))).take(max).collect()
    }
}

/// A run with the name of its job.
#[derive(Debug, Clone, PartialEq)]
pub struct RunInfo {
    /// Its job's name.
    pub job: Arc<str>,
    /// The run.
    pub row: RunRow,
}

/// Which runs are asked for.
#[derive(Debug, Clone)]
pub struct RunFilter {
    /// Of this job; `None` means every job.
    pub job: Option<String>,
    /// In these states; `None` means any state.
    pub states: Vec<State>,
    /// Live, or ended at this time or later.
    pub since: Option<Time>,
    /// The page that follows this run.
    pub after: Option<RunId>,
    /// At most so many, up to [`MAX_PAGE`].
    pub limit: usize,
}

impl Default for RunFilter {
    /// Everything, up to one page.
    fn default() -> Self {
        Self { job: None, states: vec![], since: None, after: None, limit: MAX_PAGE }
    }
}

/// One execution of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct AttemptInfo {
    /// Its number in the run, from 1.
    pub n: u32,
    /// Its fence.
    pub fence: Fence,
    /// The node that executed it.
    pub node: NodeId,
    /// When it was claimed.
    pub claimed_at: Time,
    /// When it ended; `None` means it is being executed.
    pub ended_at: Option<Time>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// In a sentence.
    pub message: Option<String>,
    /// The exit code of a command; 128 and the number of the signal that ended it.
    pub exit_code: Option<i32>,
}

impl AttemptInfo {
    /// How long it took; `None` while it is being executed. This is the one duration of a run that is shown.
    #[must_use]
    pub fn took(&self) -> Option<std::time::Duration> {
        self.ended_at.map(|end| end.since(self.claimed_at))
    }
}

/// Where the output of an attempt was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// In the store: the attempt has ended.
    Stored,
    /// In its node's file: it is running, or its node died and nobody has taken over yet.
    File,
    /// Nowhere: it printed nothing, its node is on another machine, or its file may not be read.
    Nowhere,
}

/// What an attempt printed, as far as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputInfo {
    /// The attempt.
    pub n: u32,
    /// Its bytes.
    pub printed: Printed,
    /// Where they were.
    pub found: Found,
}

/// One decision, or several alike: anonymous refusals of a minute share one.
#[derive(Debug, Clone, PartialEq)]
pub struct DecisionInfo {
    /// Where it stands among the decisions: for the next page.
    pub place: DecisionPlace,
    /// The job, or what was given as its name.
    pub job: Arc<str>,
    /// Where the trigger came from.
    pub source: Source,
    /// What.
    pub decision: Decision,
    /// Why.
    pub code: Code,
    /// The run that was admitted.
    pub run: Option<RunId>,
    /// The run in the way.
    pub by: Option<RunId>,
    /// The trigger's id.
    pub trigger_id: Option<TriggerId>,
    /// The instant of a tick; of missed ones the last.
    pub nominal: Option<Time>,
    /// The key.
    pub key: Key,
    /// Who asked.
    pub by_whom: String,
    /// The version of the policy that decided.
    pub version: Version,
    /// When the first one was decided.
    pub first_at: Time,
    /// When the last one was.
    pub last_at: Time,
    /// How many.
    pub count: u64,
}

/// The place of a decision in the order of decisions, newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DecisionPlace {
    /// When it was given; of several the last one.
    pub at: Time,
    /// It is a row of its own, no run's.
    pub refusal: bool,
    /// The number of the refusal or run.
    pub id: i64,
}

/// Which decisions are asked for.
#[derive(Debug, Clone)]
pub struct DecisionFilter {
    /// Of this job; `None` means every job.
    pub job: Option<String>,
    /// Given at this time or later.
    pub since: Option<Time>,
    /// Given before this time, or at it.
    pub until: Option<Time>,
    /// Only of triggers that became no run.
    pub refused_only: bool,
    /// The page that follows this one.
    pub after: Option<DecisionPlace>,
    /// At most so many, up to [`MAX_PAGE`].
    pub limit: usize,
}

impl Default for DecisionFilter {
    /// Everything, up to one page.
    fn default() -> Self {
        Self { job: None, since: None, until: None, refused_only: false, after: None, limit: MAX_PAGE }
    }
}

/// The triggers that one run turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TurnedAway {
    /// How many.
    pub count: u64,
    /// When the first one came.
    pub first_at: Option<Time>,
    /// When the last one came.
    pub last_at: Option<Time>,
}

/// Whether a node lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Liveness {
    /// Its lock is held.
    Alive,
    /// Its lock is free, and nobody has taken its work over yet.
    Gone,
    /// Its lock cannot be looked at: another machine, or no right to.
    Unknown,
    /// It has left, or somebody has taken its work over.
    Ended,
}

impl Liveness {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Gone => "gone",
            Self::Unknown => "unknown",
            Self::Ended => "ended",
        }
    }
}

impl std::fmt::Display for Liveness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// A process that works, or worked, on the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeInfo {
    /// Who it is.
    pub row: NodeRow,
    /// Attempts it said it executes.
    pub busy: u32,
    /// When it came.
    pub started_at: Time,
    /// Its last sign of life.
    pub seen_at: Time,
    /// When it left, or was found dead.
    pub ended_at: Option<Time>,
    /// What is known of its end.
    pub end_reason: Option<String>,
    /// When it last read its configuration again, whether it took it or not.
    pub reloaded_at: Option<Time>,
    /// Why it did not take that one: a sentence in the first line, then all of it.
    pub refused: Option<String>,
    /// What the last one that it took changed: JSON.
    pub changes: Option<String>,
    /// Whether it lives.
    pub liveness: Liveness,
}

/// What a node says about one job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The job.
    pub job: String,
    /// Why it cannot run it; `None` means it can.
    pub reason: Option<String>,
}

/// A version of the policy.
#[derive(Debug, Clone, PartialEq)]
pub struct VersionInfo {
    /// Its number.
    pub id: Version,
    /// Whose.
    pub owner: String,
    /// When it was applied.
    pub at: Time,
    /// By whom.
    pub by: String,
    /// Its switches; `None` leaves them as they are.
    pub switches: Option<Switches>,
    /// Where the switches came from: JSON, switch → text.
    pub origins: String,
}

/// One slot of a limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotInfo {
    /// The job whose limit it is.
    pub job: Arc<str>,
    /// Its number, from 0.
    pub n: u32,
    /// The run that holds it and its fence; `None` means it is free.
    pub holder: Option<(RunId, Fence)>,
}

/// A dead run.
#[derive(Debug, Clone, PartialEq)]
pub struct DeadRun {
    /// The run.
    pub run: RunInfo,
    /// The first later run of the same job and key that succeeded.
    pub recovered_by: Option<RunId>,
}

/// The store itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreInfo {
    /// When it was made.
    pub created_at: Time,
    /// The number that the next run gets.
    pub next_run: RunId,
    /// The number that the next refusal gets.
    pub next_refusal: RefusalId,
    /// The version of the policy in force; 0: none was ever applied.
    pub version: Version,
}

/// A promise that the store does not keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which check found it.
    pub check: &'static str,
    /// What the check demands.
    pub demands: &'static str,
    /// What it found, in a sentence.
    pub found: String,
}
