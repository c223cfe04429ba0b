//! What a batch has read and changed so far: the evolving view that its operations decide on.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jobstile_core::decide::{By, Code, Decision, Tally, Target};
use jobstile_core::id::RunId;
use jobstile_core::policy::{KeyRule, Policy, Priority, Rules, Switches};
use jobstile_core::run::{Event, State, next};
use jobstile_core::time::Time;
use jobstile_core::trigger::Source;

use super::{Answer, Done};
use crate::error::{Error, Result};
use crate::fact::{Came, Decided, Ended, Fact};
use crate::store::numbers::Numbers;
use crate::store::{Counters, JobRow, RefusalRow, RunRow, Tables, wire};

const HOUR: i64 = 3_600_000_000;
const MINUTE: i64 = 60_000_000;

/// What a store remembers between batches: policies that were read once, by job and version.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    policies: HashMap<i64, (i64, Option<Arc<Policy>>)>,
    switches: Option<(i64, Switches)>,
    /// When the schedules were last looked at.
    looked: Option<Time>,
}

/// A job with what holds for it now.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) row: JobRow,
    pub(crate) policy: Option<Arc<Policy>>,
    pub(crate) rules: Arc<Rules>,
    pub(crate) tally: Tally,
    before: Tally,
    oldest: Option<(By, Option<RunId>)>,
}

impl Job {
    /// It is paused at this moment.
    pub(crate) fn paused(&self, now: Time) -> bool {
        self.row.paused_at.is_some() && self.row.paused_until.is_none_or(|until| now < until)
    }

    /// The limit that its runs wait on.
    pub(crate) fn limit(&self) -> String {
        format!("limit:{}", self.row.id)
    }
}

type SharedKey = (i64, String, Code, Option<RunId>, Source, Arc<str>, Decision, Priority);

pub(crate) struct View<'a> {
    tables: &'a mut dyn Tables,
    memory: &'a mut Memory,
    pub(crate) now: Time,
    pub(crate) switches: Switches,
    counters: Counters,
    counters_before: Counters,
    names: HashMap<Arc<str>, Option<i64>>,
    jobs: HashMap<i64, Job>,
    targets: HashMap<(i64, String), Option<Target>>,
    shared: HashMap<SharedKey, u64>,
    facts: Vec<(Option<i64>, Fact)>,
    ready: bool,
    cut_short: bool,
    asked_to_end: bool,
    timed: bool,
}

impl<'a> View<'a> {
    pub(crate) fn open(tables: &'a mut dyn Tables, memory: &'a mut Memory, now: Time) -> Result<Self> {
        let counters = tables.counters()?;
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
            names: HashMap::new(),
            jobs: HashMap::new(),
            targets: HashMap::new(),
            shared: HashMap::new(),
            facts: Vec::new(),
            ready: false,
            cut_short: false,
            asked_to_end: false,
            timed: false,
        })
    }

    /// Writes what is written once a batch.
    pub(crate) fn close(mut self, answers: Vec<Result<Answer>>) -> Result<Done> {
        self.write_shared()?;
        self.write_tallies()?;
        self.write_numbers()?;
        if self.counters != self.counters_before {
            self.tables.set_counters(self.counters)?;
        }
        Ok(Done {
            answers,
            marks: vec![],
            facts: self.facts.into_iter().map(|(_, fact)| fact).collect(),
            ready: self.ready,
            cut_short: self.cut_short,
            asked_to_end: self.asked_to_end,
            timed: self.timed,
            counters: Some((self.counters_before, self.counters)),
        })
    }

    fn write_tallies(&mut self) -> Result<()> {
        for (id, job) in &mut self.jobs {
            if job.tally != job.before {
                self.tables.set_tally(*id, job.tally)?;
                job.before = job.tally;
            }
        }
        Ok(())
    }

    fn write_shared(&mut self) -> Result<()> {
        let minute = self.now.0.div_euclid(MINUTE);
        for ((job, key, code, by, source, by_whom, decision, priority), count) in std::mem::take(&mut self.shared) {
            let id = self.counters.refusal;
            self.counters.refusal += 1;
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
                by_whom: by_whom.to_string(),
                version: self.version(),
                at: self.now,
                count,
            })?;
        }
        Ok(())
    }

    fn write_numbers(&mut self) -> Result<()> {
        let mut hours: HashMap<i64, Numbers> = HashMap::new();
        for (job, fact) in &self.facts {
            if let Some(job) = job {
                hours.entry(*job).or_default().fold(fact);
            }
        }
        let hour = self.now.0.div_euclid(HOUR);
        for (job, new) in hours {
            let mut numbers = match self.tables.numbers(job, hour)? {
                // Numbers that cannot be read are an error, never silently begun anew.
                Some(text) => serde_json::from_str(&text).map_err(|e| {
                    Error::new(crate::error::Kind::Store, "the numbers of a job cannot be read").because(e)
                })?,
                None => Numbers::default(),
            };
            if new == Numbers::default() {
                continue;
            }
            numbers.merge(&new);
            let text = serde_json::to_string(&numbers).map_err(|e| Error::invariant("numbers are JSON").because(e))?;
            self.tables.set_numbers(job, hour, &text)?;
        }
        Ok(())
    }

    /// How many facts there are so far.
    pub(crate) fn happened(&self) -> usize {
        self.facts.len()
    }

    /// The clock shows less than at the last look at the schedules, or none is remembered.
    pub(crate) fn clock_may_have_stepped_back(&mut self) -> bool {
        self.memory.looked.replace(self.now).is_none_or(|before| self.now < before)
    }

    /// The store's statements.
    pub(crate) fn tables(&mut self) -> &mut dyn Tables {
        self.tables
    }

    /// The version of the policy in force.
    pub(crate) fn version(&self) -> i64 {
        self.counters.version - 1
    }

    /// A new version.
    pub(crate) fn next_version(&mut self) -> i64 {
        self.counters.version += 1;
        self.counters.version - 1
    }

    /// The next fence.
    pub(crate) fn next_fence(&mut self) -> i64 {
        self.counters.fence += 1;
        self.counters.fence - 1
    }

    /// The number of a job that is in the store, in the policy or not.
    pub(crate) fn job_id(&mut self, name: &str) -> Result<Option<i64>> {
        if let Some(known) = self.names.get(name) {
            return Ok(*known);
        }
        let row = self.tables.job_by_name(name)?;
        let id = row.as_ref().map(|row| row.id);
        self.names.insert(name.into(), id);
        if let Some(row) = row {
            self.take_in(row)?;
        }
        Ok(id)
    }

    /// A job by its number.
    pub(crate) fn job(&mut self, id: i64) -> Result<&mut Job> {
        if !self.jobs.contains_key(&id) {
            let row = self.tables.job_by_id(id)?.ok_or_else(|| Error::invariant(format!("there is no job {id}")))?;
            self.take_in(row)?;
        }
        self.jobs.get_mut(&id).ok_or_else(|| Error::invariant("a job that was read is there"))
    }

    fn take_in(&mut self, row: JobRow) -> Result<()> {
        let policy = match self.memory.policies.get(&row.id) {
            Some((version, policy)) if *version == row.version => policy.clone(),
            _ => {
                let policy = row.policy.as_deref().map(|text| wire::read(&row.name, text).map(Arc::new)).transpose()?;
                self.memory.policies.insert(row.id, (row.version, policy.clone()));
                policy
            }
        };
        let rules = policy.as_ref().map_or_else(|| default_rules(self.switches), |p| p.rules(self.switches));
        let tally = self.tables.tally(row.id)?;
        self.names.insert(Arc::clone(&row.name), Some(row.id));
        let job = Job { policy, rules: Arc::new(rules), tally, before: tally, oldest: None, row };
        self.jobs.insert(job.row.id, job);
        Ok(())
    }

    /// Forgets what was read of the policies: they have changed in this batch.
    pub(crate) fn reread(&mut self) -> Result<()> {
        self.write_tallies()?;
        self.memory.policies.clear();
        self.memory.switches = None;
        self.memory.looked = None;
        self.switches = self.tables.switches()?.unwrap_or_default();
        self.jobs.clear();
        self.names.clear();
        self.targets.clear();
        Ok(())
    }

    /// The rule by which a run of this job gets its key.
    pub(crate) fn key_rule(&mut self, job: i64) -> Result<Option<KeyRule>> {
        let switches = self.switches;
        Ok(self.job(job)?.policy.as_ref().and_then(|policy| policy.key_rule(switches)))
    }

    /// Under the written rule of this job, do older runs give way to newer ones of their key? Whether deduplication is on
    /// or off: a run that succeeds while it is off has done its work all the same.
    pub(crate) fn gives_way(&mut self, job: i64) -> Result<bool> {
        let job = self.job(job)?;
        let written = job.policy.as_ref().filter(|_| !job.rules.aggressive).and_then(|policy| policy.dedup.as_ref());
        Ok(written.is_some_and(|dedup| dedup.until == jobstile_core::policy::Until::Start))
    }

    /// The run that makes a trigger of this key a duplicate.
    pub(crate) fn target(&mut self, job: i64, key: &str) -> Result<Option<Target>> {
        let at = (job, key.to_owned());
        if let Some(target) = self.targets.get(&at) {
            return Ok(*target);
        }
        let target = self.tables.target(job, key)?;
        self.targets.insert(at, target);
        Ok(target)
    }

    /// The run that a decision names.
    pub(crate) fn holder(&mut self, job: i64, by: By) -> Result<Option<RunId>> {
        if let By::Run(run) = by {
            return Ok(Some(run));
        }
        if by == By::Nobody {
            return Ok(None);
        }
        if let Some((known, run)) = self.job(job)?.oldest
            && known == by
        {
            return Ok(run);
        }
        let run = match by {
            By::OldestTaking => self.tables.oldest_taking(job)?,
            _ => self.tables.oldest_waiting(job)?,
        };
        self.job(job)?.oldest = Some((by, run));
        Ok(run)
    }

    /// The number of a refusal that has a row of its own.
    pub(crate) fn next_refusal(&mut self) -> i64 {
        self.counters.refusal += 1;
        self.counters.refusal - 1
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
            refusal.by_whom.into(),
            refusal.decision,
            refusal.priority,
        );
        *self.shared.entry(at).or_default() += refusal.count;
        Ok(())
    }

    /// Notes a decision; `waiting` and `running` are filled in.
    pub(crate) fn decided(&mut self, job: Option<i64>, mut fact: Decided) -> Result<()> {
        if let Some(job) = job {
            let job = self.job(job)?;
            (fact.waiting, fact.running) = (job.tally.waiting(), job.tally.running);
            fact.aggressive = job.rules.aggressive;
        }
        self.facts.push((job, Fact::Decided(fact)));
        Ok(())
    }

    /// A new run enters: the only way to come into the store.
    pub(crate) fn insert(&mut self, mut run: RunRow) -> Result<RunId> {
        run.id = RunId(self.counters.run);
        self.counters.run += 1;
        self.tables.insert_run(&run)?;
        self.count(&run, None, Some(run.state))?;
        if run.target {
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
        self.facts.push((Some(run.job), Fact::Came(fact)));
        Ok(())
    }

    /// The one way in which a run changes its state: the table's step, the row, the tally and what depends on them.
    /// `run` carries the other columns as they shall be; its fence must still be `fence`.
    pub(crate) fn change(&mut self, run: &mut RunRow, event: Event, fence: i64) -> Result<()> {
        let before = run.state;
        run.state = next(before, event)?;
        if run.target && !run.state.takes_place() {
            run.target = false;
        }
        if run.lineage && run.state.is_terminal() && run.state != State::Succeeded {
            run.lineage = false;
        }
        if run.state.is_terminal() {
            run.ended_at = Some(self.now);
        }
        if run.state != State::Running {
            run.node = None;
        }
        if run.state != State::Queued {
            run.waits_on = None;
        }
        if event == Event::Claimed {
            self.tables.claim_run(run, fence)?;
        } else {
            self.tables.update_run(run, fence)?;
        }
        self.count(run, Some(before), Some(run.state))?;
        self.targets.remove(&(run.job, run.key.clone()));
        self.ready |= run.state == State::Queued && run.waits_on.is_none();
        self.timed |= run.state == State::Retrying;
        Ok(())
    }

    /// Changes columns that are no state: a priority, a cancel request, a due time.
    pub(crate) fn touch(&mut self, run: &RunRow) -> Result<()> {
        self.tables.update_run(run, run.fence)?;
        self.targets.remove(&(run.job, run.key.clone()));
        self.ready |= run.state == State::Queued && run.waits_on.is_none();
        self.timed |= run.state == State::Retrying;
        Ok(())
    }

    fn count(&mut self, run: &RunRow, from: Option<State>, to: Option<State>) -> Result<()> {
        let job = self.job(run.job)?;
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

    /// A time to look at was set.
    pub(crate) fn note_timed(&mut self) {
        self.timed = true;
    }

    /// Makes the first run that waits for this job's limit ready.
    pub(crate) fn wake(&mut self, job: i64) -> Result<()> {
        let limit = self.job(job)?.limit();
        if let Some(id) = self.tables.first_waiter(&limit)? {
            let run = self.run(id)?;
            self.tables.set_waits_on(id, run.fence, None)?;
            self.ready = true;
        }
        Ok(())
    }

    /// A ready run of this job goes away without taking a slot: if one is free, it is the next one's.
    pub(crate) fn pass_on(&mut self, job: i64) -> Result<()> {
        if self.tables.has_free_slot(job)? {
            self.wake(job)?;
        }
        Ok(())
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
        _ => None,
    }
}

// Runs of a job that was taken out of the policy: they stay as they are, and nothing is skipped for them.
fn default_rules(switches: Switches) -> Rules {
    Policy::new(false, None).rules(switches)
}
