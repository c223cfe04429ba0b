//! What a batch has read and changed so far: the evolving view that its operations decide on.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jobstile_core::claim::fence;
use jobstile_core::claim::rank;
use jobstile_core::decide::{By, Code, Decision, Tally, Target};
use jobstile_core::id::{Fence, JobId, RefusalId, RunId, Version};
use jobstile_core::identity::{Change, Identity};
use jobstile_core::key::Key;
use jobstile_core::policy::{KeyRule, Policy, Priority, Rules, Switches, Until};
use jobstile_core::retry::due_within;
use jobstile_core::run::{Event, State, next};
use jobstile_core::time::Time;
use jobstile_core::trigger::Source;

use super::memory::{Counted, Job, Memory};
use super::{Answer, Done};
use crate::bugs::planted;
use crate::error::{Error, Result};
use crate::fact::{Came, Decided, Ended, Fact};
use crate::store::{Counters, JobRow, RefusalRow, RunRow, Tables};

const HOUR: i64 = 3_600_000_000;
const MINUTE: i64 = 60_000_000;

type SharedKey = (JobId, Key, Code, Option<RunId>, Source, Arc<str>, Decision, Priority);

pub(crate) struct View<'a> {
    tables: &'a mut dyn Tables,
    memory: &'a mut Memory,
    pub(crate) now: Time,
    pub(crate) switches: Switches,
    counters: Counters,
    counters_before: Counters,
    targets: HashMap<(JobId, Key), Option<Target>>,
    shared: HashMap<SharedKey, u64>,
    /// Jobs of which something is to be written at the end.
    changed: Vec<JobId>,
    facts: Vec<Fact>,
    ready: bool,
    cut_short: bool,
    asked_to_end: bool,
    timed: bool,
    set_back: Vec<Arc<str>>,
}

impl<'a> View<'a> {
    pub(crate) fn open(tables: &'a mut dyn Tables, memory: &'a mut Memory, now: Time) -> Result<Self> {
        memory.keep_if_of(tables.data_version()?);
        let counters = memory.counters.map_or_else(|| tables.counters(), Ok)?;
        let switches = match memory.switches {
            Some((version, switches)) if version == counters.version => switches,
            _ => tables.switches()?.unwrap_or_default(),
        };
        memory.switches = Some((counters.version, switches));
        Ok(Self {
            tables,
            memory,
            now,
            switches,
            counters,
            counters_before: counters,
            targets: HashMap::new(),
            shared: HashMap::new(),
            changed: Vec::new(),
            facts: Vec::new(),
            ready: false,
            cut_short: false,
            asked_to_end: false,
            timed: false,
            set_back: Vec::new(),
        })
    }

    /// Writes what is written once a batch.
    pub(crate) fn close(mut self, answers: Vec<Result<Answer>>) -> Result<Done> {
        self.write_shared()?;
        self.write_jobs()?;
        if self.counters != self.counters_before {
            self.tables.set_counters(self.counters)?;
        }
        self.memory.counters = Some(self.counters);
        Ok(Done {
            answers,
            marks: vec![],
            facts: self.facts,
            ready: self.ready,
            cut_short: self.cut_short,
            asked_to_end: self.asked_to_end,
            timed: self.timed,
            set_back: self.set_back,
            took: Duration::ZERO,
            counters: Some((self.counters_before, self.counters)),
        })
    }

    fn write_jobs(&mut self) -> Result<()> {
        for id in std::mem::take(&mut self.changed) {
            if let Some(job) = self.memory.jobs.get_mut(&id) {
                job.write(self.tables)?;
            }
        }
        Ok(())
    }

    fn write_shared(&mut self) -> Result<()> {
        let minute = self.now.0.div_euclid(MINUTE);
        for ((job, key, code, by, source, by_whom, decision, priority), count) in std::mem::take(&mut self.shared) {
            let id = self.next_refusal();
            let job_name = Arc::clone(&self.job(job)?.row.name);
            self.tables.insert_refusal(&RefusalRow {
                id,
                job: Some(job),
                job_name,
                source,
                decision,
                code,
                key,
                by,
                minute: Some(minute),
                trigger_id: None,
                nominal: None,
                args: None,
                priority,
                by_whom,
                version: self.version(),
                at: self.now,
                count,
            })?;
        }
        Ok(())
    }

    /// Notes a fact, and counts it among the numbers of its job.
    fn happens(&mut self, job: Option<JobId>, fact: Fact) -> Result<()> {
        if let Some(id) = job {
            let hour = self.now.0.div_euclid(HOUR);
            if self.job(id)?.numbers.as_ref().is_none_or(|counted| counted.hour != hour) {
                let numbers = Counted::read(id, hour, self.tables)?;
                self.job(id)?.numbers = Some(numbers);
            }
            if let Some(counted) = &mut self.will_change(id)?.numbers {
                counted.fold(&fact);
            }
        }
        self.facts.push(fact);
        Ok(())
    }

    /// A job of which something is to be written at the end of the batch.
    fn will_change(&mut self, id: JobId) -> Result<&mut Job> {
        if !std::mem::replace(&mut self.job(id)?.changed, true) {
            self.changed.push(id);
        }
        self.job(id)
    }

    /// How many facts there are so far.
    pub(crate) fn happened(&self) -> usize {
        self.facts.len()
    }

    /// The clock may have been set back since the schedules were last looked at.
    pub(crate) fn cursors_may_be_ahead(&mut self) -> bool {
        self.memory.looked.schedules.replace(self.now).is_none_or(|before| self.now < before)
    }

    /// After the clock was set back nobody waits longer than its delay.
    pub(crate) fn bring_forward(&mut self) -> Result<()> {
        if self.memory.looked.due.replace(self.now).is_none_or(|before| self.now < before) {
            for id in self.tables.due_beyond_delay(self.now)? {
                let mut run = self.run(id)?;
                run.due = due_within(run.due, run.delay, self.now);
                run.rank = rank(run.admitted_at, run.due, run.priority);
                if run.state == State::Scheduled {
                    run.first_due = run.due;
                }
                self.tables.set_due(&run)?;
            }
        }
        Ok(())
    }

    /// The store's statements.
    pub(crate) fn tables(&mut self) -> &mut dyn Tables {
        self.tables
    }

    /// The version of the policy in force.
    pub(crate) fn version(&self) -> Version {
        Version(self.counters.version.0 - 1)
    }

    /// A new version.
    pub(crate) fn next_version(&mut self) -> Version {
        let version = self.counters.version;
        self.counters.version = version.next();
        version
    }

    /// The next fence.
    pub(crate) fn next_fence(&mut self) -> Fence {
        let fence = fence(self.counters.fence, self.now);
        if !planted("fences_stand_still") {
            self.counters.fence = fence.next();
        }
        fence
    }

    /// The number of a job that is in the store, in the policy or not.
    pub(crate) fn job_id(&mut self, name: &str) -> Result<Option<JobId>> {
        if let Some(known) = self.memory.names.get(name) {
            return Ok(Some(*known));
        }
        let Some(row) = self.tables.job_by_name(name)? else { return Ok(None) };
        let id = row.id;
        self.take_in(row)?;
        Ok(Some(id))
    }

    /// A job by its number.
    pub(crate) fn job(&mut self, id: JobId) -> Result<&mut Job> {
        if !self.memory.jobs.contains_key(&id) {
            let row = self.tables.job_by_id(id)?.ok_or_else(|| Error::invariant(format!("there is no job {id}")))?;
            self.take_in(row)?;
        }
        self.memory.jobs.get_mut(&id).ok_or_else(|| Error::invariant("a job that was read is there"))
    }

    fn take_in(&mut self, row: JobRow) -> Result<()> {
        // It stops its own job alone: see `Job::is_damaged`.
        let policy = self.memory.policy(&row).unwrap_or_default();
        let rules = policy.as_ref().map_or_else(|| default_rules(self.switches), |p| p.rules(self.switches));
        let tally = self.tables.tally(row.id)?;
        self.memory.names.insert(Arc::clone(&row.name), row.id);
        self.memory.jobs.insert(row.id, Job::new(row, policy, rules, tally));
        Ok(())
    }

    /// Forgets what was read of the policies: they have changed in this batch.
    pub(crate) fn reread(&mut self) -> Result<()> {
        self.write_jobs()?;
        self.memory.forget_policies();
        self.switches = self.tables.switches()?.unwrap_or_default();
        self.targets.clear();
        Ok(())
    }

    /// The rule by which a run of this job gets its key.
    pub(crate) fn key_rule(&mut self, job: JobId) -> Result<Option<KeyRule>> {
        let switches = self.switches;
        Ok(self.job(job)?.policy.as_ref().and_then(|policy| policy.key_rule(switches)))
    }

    /// Is the written rule of this job `until = "start"`? Whether deduplication is on or off: a run that succeeds while it
    /// is off has done its work all the same.
    pub(crate) fn is_until_start(&mut self, job: JobId) -> Result<bool> {
        let job = self.job(job)?;
        let written = job.policy.as_ref().filter(|_| !job.rules.aggressive).and_then(|policy| policy.dedup.as_ref());
        Ok(written.is_some_and(|dedup| dedup.until == Until::Start))
    }

    /// The run that makes a trigger of this key a duplicate.
    pub(crate) fn target(&mut self, job: JobId, key: &Key) -> Result<Option<Target>> {
        let at = (job, key.clone());
        if let Some(target) = self.targets.get(&at) {
            return Ok(*target);
        }
        let target = self.tables.target(job, key)?;
        self.targets.insert(at, target);
        Ok(target)
    }

    /// The run that a decision names.
    pub(crate) fn holder(&mut self, job: JobId, by: By) -> Result<Option<RunId>> {
        match by {
            By::Nobody => return Ok(None),
            By::Run(run) => return Ok(Some(run)),
            By::OldestTaking | By::OldestWaiting => {}
        }
        if let Some((_, run)) = self.job(job)?.oldest.filter(|(known, _)| *known == by) {
            return Ok(run);
        }
        let run =
            if by == By::OldestTaking { self.tables.oldest_taking(job)? } else { self.tables.oldest_waiting(job)? };
        self.job(job)?.oldest = Some((by, run));
        Ok(run)
    }

    /// The number of a refusal that has a row of its own.
    pub(crate) fn next_refusal(&mut self) -> RefusalId {
        let refusal = self.counters.refusal;
        self.counters.refusal = refusal.next();
        refusal
    }

    /// Counts an anonymous refusal in the row it shares with its like.
    pub(crate) fn count_shared(&mut self, refusal: RefusalRow) -> Result<()> {
        let job = refusal.job.ok_or_else(|| Error::invariant("a shared refusal has a job"))?;
        let at = (
            job,
            refusal.key,
            refusal.code,
            refusal.by,
            refusal.source,
            refusal.by_whom,
            refusal.decision,
            refusal.priority,
        );
        *self.shared.entry(at).or_default() += refusal.count;
        Ok(())
    }

    /// Notes a decision; `waiting` and `running` are filled in.
    pub(crate) fn decided(&mut self, job: Option<JobId>, mut fact: Decided) -> Result<()> {
        if let Some(job) = job {
            let job = self.job(job)?;
            (fact.waiting, fact.running) = (job.tally.waiting(), job.tally.running);
            fact.aggressive = job.rules.aggressive;
        }
        self.happens(job, Fact::Decided(fact))
    }

    /// The highest number of a slot of this job's limit; `None` means it has no slots.
    pub(crate) fn last_slot(&mut self, job: JobId) -> Result<Option<u32>> {
        if let Some(known) = self.job(job)?.last_slot {
            return Ok(known);
        }
        let last = self.tables.last_slot(job)?;
        self.job(job)?.last_slot = Some(last);
        Ok(last)
    }

    /// One slot fewer: the last one takes the number of this free one, so that the numbers stay without gaps.
    pub(crate) fn delete_slot(&mut self, job: JobId, n: u32, last: u32) -> Result<()> {
        self.job(job)?.last_slot = None;
        self.tables.delete_slot(job, n)?;
        if n == last { Ok(()) } else { self.tables.move_slot(job, last, n) }
    }

    /// A new run enters: the only way to come into the store.
    pub(crate) fn insert(&mut self, mut run: RunRow) -> Result<RunId> {
        run.id = self.counters.run;
        self.counters.run = run.id.next();
        self.tables.insert_run(&run)?;
        self.count(&run, None, Some(run.state))?;
        if run.identity == Identity::Target {
            self.targets.insert((run.job, run.key.clone()), Some(run.as_target()));
        }
        match run.state {
            State::Scheduled => self.timed = true,
            _ => self.ready |= run.waits_on.is_none(),
        }
        Ok(run.id)
    }

    /// Notes that a run came into its state.
    pub(crate) fn came(&mut self, run: &RunRow, more: More) -> Result<()> {
        let now = self.now;
        let job = self.job(run.job)?;
        let fact = Came {
            at: now,
            job: Arc::clone(&job.row.name),
            run: run.id,
            state: run.state,
            attempt: (run.claims > 0).then_some(run.claims),
            attempts: job.policy.as_ref().map_or(1, |policy| policy.attempts),
            args: more.args,
            code: run.code.filter(|_| run.state.is_terminal()),
            by: run.by_run.filter(|_| run.state.is_terminal()),
            ended: more.ended,
            due: matches!(run.state, State::Retrying | State::Scheduled).then_some(run.due),
            waited: more.waited,
        };
        self.happens(Some(run.job), Fact::Came(fact))
    }

    /// The one way in which a run changes its state: the table's step, the row, the tally and what depends on them.
    /// `run` carries the other columns as they shall be; its fence must still be `fence`.
    pub(crate) fn change(&mut self, run: &mut RunRow, event: Event, fence: Fence) -> Result<()> {
        let before = run.state;
        run.state = next(before, event)?;
        // Only what succeeded still does the work of its key.
        let leaves_line = run.in_line && run.state.is_terminal() && run.state != State::Succeeded;
        run.in_line &= !leaves_line;
        if run.state.is_terminal() {
            run.identity = run.identity.after(Change::Ended);
            run.ended_at = Some(self.now);
        }
        if run.state != State::Running {
            run.node = None;
        }
        if run.state != State::Queued {
            run.waits_on = None;
        }
        match before {
            State::Queued if run.state == State::Running => self.tables.claim_run(run, fence)?,
            State::Running if run.state.is_terminal() && !leaves_line => self.tables.end_attempt(run, fence)?,
            _ => self.tables.update_run(run, fence)?,
        }
        match run.state {
            State::Running => self.memory.running.insert(run.id, run.clone()),
            _ => self.memory.running.remove(&run.id),
        };
        self.count(run, Some(before), Some(run.state))?;
        self.targets.remove(&(run.job, run.key.clone()));
        self.ready |= run.state == State::Queued && run.waits_on.is_none();
        self.timed |= run.state == State::Retrying;
        Ok(())
    }

    /// Changes columns that are no state: a priority, a cancel request, a due time.
    pub(crate) fn touch(&mut self, run: &RunRow) -> Result<()> {
        self.tables.update_run(run, run.fence)?;
        self.memory.running.remove(&run.id);
        self.targets.remove(&(run.job, run.key.clone()));
        self.ready |= run.state == State::Queued && run.waits_on.is_none();
        self.timed |= run.state == State::Retrying;
        Ok(())
    }

    fn count(&mut self, run: &RunRow, from: Option<State>, to: Option<State>) -> Result<()> {
        let job = self.will_change(run.job)?;
        job.oldest = None;
        if let Some(of) = from.and_then(|state| of(&mut job.tally, state)) {
            *of = of.checked_sub(1).ok_or_else(|| Error::invariant("a tally counts every run"))?;
        }
        if let Some(of) = to.and_then(|state| of(&mut job.tally, state)) {
            *of += 1;
        }
        Ok(())
    }

    /// A run of this job can be claimed that could not be before.
    pub(crate) fn note_ready(&mut self) {
        self.ready = true;
    }

    /// A claim left ready runs behind.
    pub(crate) fn note_cut_short(&mut self) {
        (self.ready, self.cut_short) = (true, true);
    }

    /// A running run was asked to end.
    pub(crate) fn note_asked_to_end(&mut self) {
        self.asked_to_end = true;
    }

    /// The schedule of this job stood ahead of the clock and goes on from now.
    pub(crate) fn note_set_back(&mut self, job: Arc<str>) {
        self.set_back.push(job);
    }

    /// A time to look at was set.
    pub(crate) fn note_timed(&mut self) {
        self.timed = true;
    }

    /// Makes the first run that waits for this job's limit ready.
    pub(crate) fn wake(&mut self, job: JobId) -> Result<()> {
        let limit = self.job(job)?.limit();
        if let Some(id) = self.tables.first_waiter(&limit)? {
            let run = self.run(id)?;
            self.tables.set_waits_on(id, run.fence, None)?;
            self.ready = true;
        }
        Ok(())
    }

    /// A ready run of this job goes away without taking a slot: if one is free, it is the next one's.
    pub(crate) fn pass_on(&mut self, job: JobId) -> Result<()> {
        if self.tables.has_free_slot(job)? {
            self.wake(job)?;
        }
        Ok(())
    }

    /// A run whose attempt with this fence has ended; `None` means there is no such run. It may have another fence.
    pub(crate) fn ended(&mut self, id: RunId, fence: Fence) -> Result<Option<RunRow>> {
        match self.memory.running.get(&id) {
            Some(run) if run.fence == fence => Ok(self.memory.running.remove(&id)),
            _ => self.tables.run(id),
        }
    }

    /// A run that must be there.
    pub(crate) fn run(&mut self, id: RunId) -> Result<RunRow> {
        self.tables.run(id)?.ok_or_else(|| Error::new(crate::error::Kind::NotFound, format!("there is no run {id}")))
    }
}

/// What a fact says besides the row.
#[derive(Debug, Default)]
pub(crate) struct More {
    pub(crate) args: Option<Arc<str>>,
    pub(crate) ended: Option<Ended>,
    pub(crate) waited: Option<Duration>,
}

fn of(tally: &mut Tally, state: State) -> Option<&mut u64> {
    match state {
        State::Scheduled => Some(&mut tally.scheduled),
        State::Queued => Some(&mut tally.queued),
        State::Running => Some(&mut tally.running),
        State::Retrying => Some(&mut tally.retrying),
        State::Succeeded | State::Dead | State::Cancelled | State::Refused | State::Expired => None,
    }
}

// Runs of a job that was taken out of the policy: they stay as they are, and nothing is skipped for them.
fn default_rules(switches: Switches) -> Rules {
    Policy::new(false, None).rules(switches)
}
