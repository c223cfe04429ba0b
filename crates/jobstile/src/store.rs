//! What every store answers: rows and dumb statements. A store never decides; `op` does, and never names a database.

pub mod numbers;
pub mod question;
#[cfg(feature = "sqlite")]
pub mod queue;
pub mod read;
pub(crate) mod wire;

#[cfg(feature = "sqlite")]
pub mod sqlite;

use std::sync::Arc;
use std::time::Duration;

use jobstile_core::decide::{Code, Decision, Tally, Target};
use jobstile_core::id::{Fence, JobId, NodeId, RefusalId, RunId, TriggerId, Version};
use jobstile_core::identity::{Identity, Kin};
use jobstile_core::key::Key;
use jobstile_core::outcome::Outcome;
use jobstile_core::policy::{Priority, Switches};
use jobstile_core::run::State;
use jobstile_core::time::Time;
use jobstile_core::trigger::Source;

use crate::error::Result;

/// The numbers that only grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counters {
    /// The next run.
    pub run: RunId,
    /// The next refusal.
    pub refusal: RefusalId,
    /// The next fence.
    pub fence: Fence,
    /// The next version of the policy.
    pub version: Version,
}

/// A job as it stands in the store.
#[derive(Debug, Clone, PartialEq)]
pub struct JobRow {
    /// Its number in this store.
    pub id: JobId,
    /// Its name.
    pub name: Arc<str>,
    /// Its policy: JSON; `None` means taken out of the policy.
    pub policy: Option<String>,
    /// Who applied it.
    pub owner: Option<String>,
    /// In which version.
    pub version: Version,
    /// Where each value came from: JSON.
    pub origins: String,
    /// The next instant of its schedule; `None` means it does not fire.
    pub next_at: Option<Time>,
    /// The last instant that was looked at.
    pub last_at: Option<Time>,
    /// Since when it is paused.
    pub paused_at: Option<Time>,
    /// Until when; `None` means until somebody resumes it.
    pub paused_until: Option<Time>,
}

/// A run as it stands in the store.
#[derive(Debug, Clone, PartialEq)]
pub struct RunRow {
    /// Its number.
    pub id: RunId,
    /// Its job.
    pub job: JobId,
    /// Where it is in its life.
    pub state: State,
    /// What "the same" means for it.
    pub key: Key,
    /// What it is to triggers of its key.
    pub identity: Identity,
    /// Its key's line, older and newer, is looked at under `until = "start"`: an index, no rule.
    pub in_line: bool,
    /// Its priority.
    pub priority: Priority,
    /// Its place in line.
    pub rank: i64,
    /// When it was admitted.
    pub admitted_at: Time,
    /// When it was first due.
    pub first_due: Time,
    /// When it is due now: a retry's time.
    pub due: Time,
    /// A retry and a run for `in` are never due later than this from now. `None`: due at an instant.
    pub delay: Option<Duration>,
    /// Its arguments, canonical JSON.
    pub args: Option<Arc<str>>,
    /// Where its trigger came from.
    pub source: Source,
    /// Its trigger's id.
    pub trigger_id: Option<TriggerId>,
    /// The instant of its tick.
    pub nominal: Option<Time>,
    /// Who asked for it.
    pub by_whom: Arc<str>,
    /// The run that it repeats.
    pub rerun_of: Option<RunId>,
    /// The version of the policy that admitted it.
    pub version: Version,
    /// What a queued run waits for; `None` means it is ready.
    pub waits_on: Option<String>,
    /// Claims so far: the number of its latest attempt.
    pub claims: u32,
    /// Failed and timed out attempts so far.
    pub failures: u32,
    /// Lost attempts so far.
    pub lost: u32,
    /// The fence of its latest claim.
    pub fence: Fence,
    /// The node that runs it.
    pub node: Option<NodeId>,
    /// When that node claimed it.
    pub claimed_at: Option<Time>,
    /// When somebody asked it to end.
    pub cancel_at: Option<Time>,
    /// Who did.
    pub cancel_by: Option<String>,
    /// When it ended.
    pub ended_at: Option<Time>,
    /// Why it ended so.
    pub code: Option<Code>,
    /// The run in its way.
    pub by_run: Option<RunId>,
}

impl RunRow {
    /// It was claimed at least once.
    #[must_use]
    pub fn started(&self) -> bool {
        self.claims > 0
    }

    /// As another run of its key sees it.
    #[must_use]
    pub fn kin(&self) -> Kin {
        let asked_to_end = self.cancel_at.is_some();
        Kin { run: self.id, first_due: self.first_due, state: self.state, started: self.started(), asked_to_end }
    }

    /// As a target of duplicates.
    #[must_use]
    pub fn as_target(&self) -> Target {
        Target { run: self.id, state: self.state, started: self.started(), priority: self.priority }
    }
}

/// A finished attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct AttemptRow {
    /// Its run.
    pub run: RunId,
    /// Its number in the run, from 1.
    pub n: u32,
    /// Its fence.
    pub fence: Fence,
    /// The node that executed it.
    pub node: NodeId,
    /// When it was claimed.
    pub claimed_at: Time,
    /// When it ended.
    pub ended_at: Time,
    /// How.
    pub outcome: Outcome,
    /// In a sentence.
    pub message: Option<String>,
    /// The exit code of a command; 128 and the number of the signal that ended it.
    pub exit_code: Option<i32>,
}

/// What an attempt printed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Printed {
    /// Its first bytes.
    pub head: Vec<u8>,
    /// Its last bytes.
    pub tail: Vec<u8>,
    /// How many between them are not kept.
    pub dropped: u64,
}

/// The decision of a trigger that became no run.
#[derive(Debug, Clone, PartialEq)]
pub struct RefusalRow {
    /// Its number.
    pub id: RefusalId,
    /// The job; `None` means there is none of that name.
    pub job: Option<JobId>,
    /// What was given as the job's name.
    pub job_name: Arc<str>,
    /// Where the trigger came from.
    pub source: Source,
    /// What became of it.
    pub decision: Decision,
    /// Why.
    pub code: Code,
    /// Its key, where it has one.
    pub key: Key,
    /// The run in its way.
    pub by: Option<RunId>,
    /// The minute that anonymous triggers share a row in; `None` means a row of its own.
    pub minute: Option<i64>,
    /// Its id.
    pub trigger_id: Option<TriggerId>,
    /// The instant of its tick.
    pub nominal: Option<Time>,
    /// Its arguments, where it has an id.
    pub args: Option<Arc<str>>,
    /// Its priority.
    pub priority: Priority,
    /// Who asked.
    pub by_whom: Arc<str>,
    /// The version of the policy that decided.
    pub version: Version,
    /// When; of several the first.
    pub at: Time,
    /// How many.
    pub count: u64,
}

/// The first answer to a trigger id.
#[derive(Debug, Clone, PartialEq)]
pub struct FirstAnswer {
    /// When it was given.
    pub at: Time,
    /// The arguments it came with.
    pub args: Option<Arc<str>>,
    /// What.
    pub decision: Decision,
    /// Why.
    pub code: Code,
    /// The run that has its arguments.
    pub run: Option<RunId>,
    /// The run in its way.
    pub by: Option<RunId>,
}

/// A process that works on the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeRow {
    /// Random, 128 bits, hexadecimal.
    pub id: NodeId,
    /// Readable.
    pub name: String,
    /// `daemon`, `library` or `scenario`.
    pub kind: String,
    /// Its machine.
    pub host: String,
    /// Its process there.
    pub pid: u32,
    /// Its user there.
    pub user: String,
    /// Program and version.
    pub program: String,
    /// The folder of its lock file and output files.
    pub dir: String,
    /// Attempts at once.
    pub workers: u32,
    /// The boot of the machine that it was started in; `None` where the system does not say, and of older versions.
    pub boot_id: Option<String>,
    /// The number of the user who owns its lock file; likewise.
    pub lock_uid: Option<u32>,
}

/// What became of a configuration that a node has read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reload {
    /// It is in force; what it changed, as JSON.
    Taken(String),
    /// The old one stays. Why: a sentence in the first line, then all of it.
    Refused(String),
}

/// A version of the policy.
#[derive(Debug, Clone, PartialEq)]
pub struct VersionRow {
    /// Its number.
    pub id: Version,
    /// Whose.
    pub owner: String,
    /// Who applied it.
    pub by: String,
    /// The switches; `None` leaves them as they are.
    pub switches: Option<Switches>,
    /// Where each value came from: JSON.
    pub origins: String,
}

/// Rows to be pruned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PruneBefore {
    /// Successes that ended before this.
    pub successes: Time,
    /// Other ended runs and decisions before this.
    pub others: Time,
    /// Trigger ids given after this are kept.
    pub trigger_ids: Time,
    /// Ticks of instants after this, or within two intervals before it, are kept: a clock may come back to them.
    pub instants: Time,
    /// Successes of one job that are kept, the newest.
    pub keep: u32,
    /// At most so many rows at once.
    pub max: u32,
}

/// What an operation asks of a store inside one transaction: statements, no decisions. Every change of a run names its
/// fence and is an error where no row has it.
pub(crate) trait Tables {
    /// Another number than before: somebody else has written since.
    fn data_version(&mut self) -> Result<i64>;
    fn counters(&mut self) -> Result<Counters>;
    fn set_counters(&mut self, counters: Counters) -> Result<()>;

    fn switches(&mut self) -> Result<Option<Switches>>;
    fn insert_version(&mut self, version: &VersionRow, now: Time) -> Result<()>;

    fn job_by_name(&mut self, name: &str) -> Result<Option<JobRow>>;
    fn job_by_id(&mut self, id: JobId) -> Result<Option<JobRow>>;
    fn jobs(&mut self) -> Result<Vec<JobRow>>;
    fn insert_job(&mut self, name: &str) -> Result<JobId>;
    fn set_policy(&mut self, job: &JobRow) -> Result<()>;
    fn set_cursor(&mut self, job: JobId, next: Option<Time>, last: Option<Time>) -> Result<()>;
    fn set_pause(&mut self, job: JobId, pause: Option<&crate::op::Paused>, now: Time) -> Result<()>;
    /// Jobs whose schedule is due, those first that are due the longest.
    fn jobs_due(&mut self, now: Time) -> Result<Vec<Arc<str>>>;
    /// The next instant of any schedule or end of any pause after now.
    fn next_instant(&mut self, now: Time) -> Result<Option<Time>>;

    fn tally(&mut self, job: JobId) -> Result<Tally>;
    fn set_tally(&mut self, job: JobId, tally: Tally) -> Result<()>;

    fn run(&mut self, id: RunId) -> Result<Option<RunRow>>;
    fn insert_run(&mut self, run: &RunRow) -> Result<()>;
    /// Everything that may change, where the fence is still `fence`.
    fn update_run(&mut self, run: &RunRow, fence: Fence) -> Result<()>;
    /// The same for a claim, whose other columns stay.
    fn claim_run(&mut self, run: &RunRow, fence: Fence) -> Result<()>;
    /// A run that started is no longer a target.
    fn clear_target(&mut self, run: RunId, fence: Fence) -> Result<()>;
    /// The same for a running run that comes into a terminal state and stays in its lineage, or never was in one.
    fn end_attempt(&mut self, run: &RunRow, fence: Fence) -> Result<()>;
    fn target(&mut self, job: JobId, key: &Key) -> Result<Option<Target>>;
    fn scheduled_target(&mut self, job: JobId, key: &Key, due: Time) -> Result<Option<Target>>;
    fn oldest_taking(&mut self, job: JobId) -> Result<Option<RunId>>;
    fn oldest_waiting(&mut self, job: JobId) -> Result<Option<RunId>>;
    fn oldest_running(&mut self, job: JobId) -> Result<Option<RunId>>;
    /// The newest run that supersedes one of this key with this place in age.
    fn superseding(&mut self, job: JobId, key: &Key, first_due: Time, id: RunId) -> Result<Option<Kin>>;
    /// Started runs of this key, older than this one, that are to start again.
    fn superseded(&mut self, job: JobId, key: &Key, first_due: Time, id: RunId) -> Result<Vec<RunId>>;
    /// Runs that are due later than their delay from now.
    fn due_beyond_delay(&mut self, now: Time) -> Result<Vec<RunId>>;
    fn set_due(&mut self, run: &RunRow) -> Result<()>;
    fn next_due(&mut self) -> Result<Option<(Time, RunId)>>;
    fn ready_jobs(&mut self) -> Result<Vec<JobId>>;
    /// The first ready runs in line behind this place, of all jobs.
    fn ready_line(&mut self, behind: (i64, RunId), limit: usize) -> Result<Vec<RunRow>>;
    fn ready_head(&mut self, job: JobId) -> Result<Option<RunRow>>;
    fn first_waiter(&mut self, waits_on: &str) -> Result<Option<RunId>>;
    fn set_waits_on(&mut self, run: RunId, fence: Fence, waits_on: Option<&str>) -> Result<()>;
    fn make_all_ready(&mut self, waits_on: &str) -> Result<u64>;
    fn clear_started_targets(&mut self, job: JobId) -> Result<()>;
    /// Every run of the job that has a key, and lives or succeeded, is in line from now on.
    fn set_in_line(&mut self, job: JobId) -> Result<()>;
    fn running_of_job(&mut self, job: JobId) -> Result<Vec<RunRow>>;
    fn running_of_node(&mut self, node: &NodeId) -> Result<Vec<RunId>>;

    fn insert_attempt(&mut self, attempt: &AttemptRow) -> Result<()>;
    fn insert_output(&mut self, run: RunId, n: u32, printed: &Printed) -> Result<()>;
    fn insert_result(&mut self, run: RunId, json: &str) -> Result<()>;

    fn take_slot(&mut self, job: JobId, run: RunId, fence: Fence) -> Result<bool>;
    /// The slot's number, if it was held by this run and fence.
    fn release_slot(&mut self, job: JobId, run: RunId, fence: Fence) -> Result<Option<u32>>;
    fn has_free_slot(&mut self, job: JobId) -> Result<bool>;
    /// The highest number of a slot of this job's limit.
    fn last_slot(&mut self, job: JobId) -> Result<Option<u32>>;
    /// The numbers of a limit's slots and who holds them.
    fn slots(&mut self, job: JobId) -> Result<Vec<(u32, Option<RunId>)>>;
    fn insert_slot(&mut self, job: JobId, n: u32, holder: Option<(RunId, Fence)>) -> Result<()>;
    fn move_slot(&mut self, job: JobId, from: u32, to: u32) -> Result<()>;
    /// Deletes a free slot.
    fn delete_slot(&mut self, job: JobId, n: u32) -> Result<()>;

    fn first_answer(&mut self, job: JobId, trigger_id: &TriggerId) -> Result<Option<FirstAnswer>>;
    fn forget_trigger_id(&mut self, job: JobId, trigger_id: &TriggerId) -> Result<()>;
    fn insert_refusal(&mut self, refusal: &RefusalRow) -> Result<()>;

    fn insert_node(&mut self, node: &NodeRow, now: Time) -> Result<()>;
    fn set_node_jobs(&mut self, node: &NodeId, jobs: &[(String, Option<String>)]) -> Result<()>;
    /// A node has read its configuration again.
    fn node_reloaded(&mut self, node: &NodeId, reload: &Reload, now: Time) -> Result<()>;
    fn end_node(&mut self, node: &NodeId, now: Time, reason: &str) -> Result<()>;

    fn numbers(&mut self, job: JobId, hour: i64) -> Result<Option<String>>;
    fn set_numbers(&mut self, job: JobId, hour: i64, numbers: &str) -> Result<()>;

    fn asked_to_end(&mut self, node: &NodeId) -> Result<Vec<RunId>>;
    /// What a node said that it defines.
    fn node_jobs(&mut self, node: &NodeId) -> Result<Vec<String>>;
    fn live_nodes(&mut self) -> Result<Vec<NodeRow>>;
    /// Has it come, and not gone?
    fn node_lives(&mut self, node: &NodeId) -> Result<bool>;
    /// Jobs of which runs wait for a limit that has a free slot, while none of its runs is ready.
    fn forgotten_waiters(&mut self) -> Result<Vec<JobId>>;
    fn news(&mut self, from: Counters, to: Counters) -> Result<Vec<(crate::fact::Decided, String)>>;

    /// The time by which history has aged, and when that was set.
    fn aged(&mut self) -> Result<(Time, Time)>;
    fn set_aged(&mut self, to: Time, now: Time) -> Result<()>;
    fn prune(&mut self, before: PruneBefore) -> Result<u64>;
}
