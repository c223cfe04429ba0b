//! A scenario: policies and a script, replayed through the real operations on a real store in memory, under a clock that
//! stands still while things happen and then jumps to the next of them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jobstile_core::id::{NodeId, RunId, TriggerId};
use jobstile_core::outcome::Outcome;
use jobstile_core::policy::{Policy, Priority, Switches};
use jobstile_core::time::Time;
use jobstile_core::trigger::{Source, When};

use crate::args::{Args, BadArgs};
use crate::error::{Error, Kind, Result};
use crate::fact::Fact;
use crate::op::{
    Apply, Cancel, Claim, Claimed, Due, Enter, Free, JobPolicy, Moved, Operation, Pause, Paused, Reap, Resume, Retry,
    Runnable, Settle, Ticks, Trigger, Weight,
};
use crate::store::NodeRow;
use crate::store::sqlite::Store;

/// What is due at one look; the rest of the same instant follows at once.
const DUE_AT_ONCE: usize = 1_000;
/// Steps at one instant before a scenario is said to stand still: attempts of no duration that cause each other.
const MAX_STEPS_AT_ONCE: usize = 1_000_000;
/// Facts of one scenario.
const MAX_FACTS: usize = 10_000_000;

/// Policies, a script, and stub handlers.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// When it begins.
    pub start: Time,
    /// Its length; facts up to and including this instant are given.
    pub until: Duration,
    /// The policy at the beginning.
    pub policy: InForce,
    /// Attempts at once.
    pub workers: usize,
    /// How each job's attempts go, in order of their start; the last repeats. Default: at once, and well.
    pub takes: HashMap<String, Vec<Take>>,
    /// How long an attempt takes to die when it is cancelled. Default: no time.
    pub dies: HashMap<String, Duration>,
    /// The script, by time; at one instant in this order.
    pub events: Vec<(Duration, Happening)>,
}

/// Switches and policies.
#[derive(Debug, Clone)]
pub struct InForce {
    /// The three switches.
    pub switches: Switches,
    /// Every job.
    pub jobs: BTreeMap<String, Policy>,
}

/// How one attempt goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Take {
    /// It does its work in this time.
    Well(Duration),
    /// It fails after this time.
    Fails(Duration),
    /// It never ends by itself.
    Hangs,
}

/// What the script does.
#[derive(Debug, Clone)]
pub enum Happening {
    /// A trigger.
    Trigger {
        /// The job.
        job: String,
        /// The arguments.
        args: Result<Args, BadArgs>,
        /// `None` means the job's own.
        priority: Option<Priority>,
        /// How much later; `None` means now.
        later: Option<Duration>,
        /// Its id.
        id: Option<TriggerId>,
    },
    /// Pauses a job.
    Pause(String),
    /// Resumes it.
    Resume(String),
    /// Cancels a run.
    Cancel(RunId),
    /// Retries one.
    Retry(RunId),
    /// Another policy from now on.
    Policy(InForce),
    /// The only node dies and comes back after this time.
    Crash(Duration),
}

struct Attempt {
    claimed: Claimed,
    own_end: Option<(Time, Outcome)>,
    timeout: Option<Time>,
    death: Option<Time>,
}

struct World {
    scenario: Scenario,
    store: Store,
    now: Time,
    node: NodeId,
    nodes: u32,
    attempts: Vec<Attempt>,
    started: HashMap<Arc<str>, usize>,
    next_event: usize,
    down_until: Option<Time>,
    runnable: Arc<Runnable>,
    claim_again: bool,
    facts: Vec<Fact>,
    /// The event of the script that is being executed.
    happening: Option<usize>,
}

/// Why a scenario was not replayed to its end.
#[derive(Debug)]
pub struct Stopped {
    /// The event of the script that cannot be; `None` means it is not about one.
    pub event: Option<usize>,
    /// What is wrong.
    pub error: Error,
}

/// Replays a scenario.
///
/// # Errors
/// If an event of the script cannot be, the store fails or an operation breaks a promise.
pub fn replay(scenario: Scenario) -> Result<Vec<Fact>, Stopped> {
    let store = Store::in_memory().map_err(|error| Stopped { event: None, error })?;
    let end = scenario.start.plus(scenario.until);
    let mut world = World {
        store,
        now: scenario.start,
        node: "".into(),
        nodes: 0,
        attempts: vec![],
        started: HashMap::new(),
        next_event: 0,
        down_until: None,
        runnable: Arc::default(),
        claim_again: true,
        facts: vec![],
        happening: None,
        scenario,
    };
    match world.play(end) {
        Ok(()) => Ok(world.facts),
        Err(error) => Err(Stopped { event: world.happening, error }),
    }
}

impl World {
    fn play(&mut self, end: Time) -> Result<()> {
        self.apply(self.scenario.policy.clone())?;
        self.enter()?;
        loop {
            self.instant()?;
            if self.facts.len() > MAX_FACTS {
                let what = format!("the scenario has more than {MAX_FACTS} facts: a shorter `until` shows as much");
                return Err(Error::new(Kind::Invalid, what));
            }
            match self.next_time()? {
                Some(next) if next <= end => self.now = next,
                _ => return Ok(()),
            }
        }
    }

    fn execute<O: Operation>(&mut self, op: O) -> Result<O::Answer> {
        let mut done = self.store.execute(self.now, &[op.into()]);
        self.facts.append(&mut done.facts);
        self.claim_again |= done.ready;
        let answer = done.answers.pop().ok_or_else(|| Error::invariant("every operation has an answer"))??;
        O::answer(answer).ok_or_else(|| Error::invariant("an operation has the answer of its kind"))
    }

    fn cancel(&mut self, run: RunId, by: String) -> Result<()> {
        if !self.execute(Cancel { run, by })?.asked {
            return Ok(());
        }
        let job = self.attempts.iter().find(|a| a.claimed.run == run).map(|a| Arc::clone(&a.claimed.job));
        let dies = job.and_then(|job| self.scenario.dies.get(&*job).copied()).unwrap_or_default();
        let at = self.now.plus(dies);
        for attempt in self.attempts.iter_mut().filter(|a| a.claimed.run == run && a.death.is_none()) {
            attempt.death = Some(at);
        }
        Ok(())
    }

    // The first of the order that has something to do, again and again: attempts end, then what falls due, then ticks,
    // then the script, then claims.
    fn instant(&mut self) -> Result<()> {
        if self.down_until.is_some_and(|until| until <= self.now) {
            self.come_back()?;
        }
        for _ in 0..MAX_STEPS_AT_ONCE {
            if self.down_until.is_some() {
                return Ok(());
            }
            let more = self.end_one()?
                || self.look(Due { max: DUE_AT_ONCE })?
                || self.look(Ticks { jobs: Some(Arc::clone(&self.runnable)), by: "scenario".into() })?
                || self.next_event()?
                || self.claim()?;
            if !more {
                return Ok(());
            }
        }
        Err(Error::new(Kind::Invalid, "the scenario stands still: attempts of no duration cause each other"))
    }

    fn end_one(&mut self) -> Result<bool> {
        let now = self.now;
        let Some(at) = self.attempts.iter().position(|a| a.end().is_some_and(|(time, _)| time <= now)) else {
            return Ok(false);
        };
        let attempt = self.attempts.remove(at);
        let Some((_, outcome)) = attempt.end() else { return Ok(false) };
        self.execute(Settle {
            run: attempt.claimed.run,
            fence: attempt.claimed.fence,
            outcome,
            message: None,
            exit_code: None,
            printed: None,
            retry_after: None,
            took: None,
            jitter: 0.0,
            result: None,
            wish: None,
        })?;
        self.claim_again = true;
        Ok(true)
    }

    fn look(&mut self, op: impl Operation<Answer = Moved>) -> Result<bool> {
        Ok(self.execute(op)?.moved > 0)
    }

    fn next_event(&mut self) -> Result<bool> {
        let Some((after, happening)) = self.scenario.events.get(self.next_event).cloned() else { return Ok(false) };
        if self.scenario.start.plus(after) > self.now {
            return Ok(false);
        }
        self.happening = Some(self.next_event);
        self.next_event += 1;
        self.happen(happening)?;
        self.happening = None;
        Ok(true)
    }

    fn happen(&mut self, happening: Happening) -> Result<()> {
        let by = || "script".to_owned();
        match happening {
            Happening::Trigger { job, args, priority, later, id } => self
                .execute(Trigger {
                    job: job.into(),
                    args,
                    priority,
                    when: later.map_or(When::Now, When::In),
                    id,
                    source: Source::Script,
                    by: "script".into(),
                })
                .map(drop),
            Happening::Pause(job) => {
                let pause = Paused { until: None, by: by(), why: None };
                self.execute(Pause { job: Some(job), pause }).map(drop)
            }
            Happening::Resume(job) => self.execute(Resume { job: Some(job) }).map(drop),
            Happening::Cancel(run) => self.cancel(run, by()),
            Happening::Retry(run) => self.execute(Retry { run, by: by(), source: Source::Script }).map(drop),
            Happening::Policy(policy) => self.apply(policy),
            Happening::Crash(for_) => {
                self.attempts.clear();
                self.down_until = Some(self.now.plus(for_));
                if for_.is_zero() {
                    self.come_back()?;
                }
                Ok(())
            }
        }
    }

    fn apply(&mut self, policy: InForce) -> Result<()> {
        self.runnable = Arc::new(policy.jobs.keys().map(|name| (name.clone(), Weight::Light)).collect());
        let jobs = policy
            .jobs
            .into_iter()
            .map(|(name, policy)| JobPolicy { name, policy, origins: "{}".to_owned() })
            .collect();
        self.execute(Apply {
            owner: "scenario".to_owned(),
            by: "scenario".to_owned(),
            switches: Some(policy.switches),
            origins: "{}".to_owned(),
            jobs,
            replace: true,
            taken: vec![],
        })
        .map(drop)
    }

    fn enter(&mut self) -> Result<()> {
        self.nodes += 1;
        self.node = format!("node-{}", self.nodes).into();
        self.execute(Enter(NodeRow {
            id: self.node.clone(),
            name: self.node.to_string(),
            kind: "scenario".to_owned(),
            host: "scenario".to_owned(),
            pid: 0,
            user: "scenario".to_owned(),
            program: "scenario".to_owned(),
            dir: String::new(),
            workers: u32::try_from(self.scenario.workers).unwrap_or(u32::MAX),
            boot_id: None,
            lock_uid: None,
        }))
        .map(drop)
    }

    fn come_back(&mut self) -> Result<()> {
        self.down_until = None;
        // All its workers are free.
        self.claim_again = true;
        let node = self.node.clone();
        self.execute(Reap { node, reason: "the node crashed".to_owned(), printed: HashMap::new() })?;
        self.enter()
    }

    fn claim(&mut self) -> Result<bool> {
        if !std::mem::take(&mut self.claim_again) {
            return Ok(false);
        }
        let free = self.scenario.workers.saturating_sub(self.attempts.len());
        let claim = Claim {
            node: self.node.clone(),
            jobs: Arc::clone(&self.runnable),
            free: Free { total: free, heavy: free, light: free },
        };
        for claimed in self.execute(claim)? {
            self.start(claimed);
        }
        Ok(true)
    }

    fn start(&mut self, claimed: Claimed) {
        let nth = self.started.entry(Arc::clone(&claimed.job)).or_default();
        let takes = self.scenario.takes.get(&*claimed.job);
        let take = takes.and_then(|takes| takes.get(*nth).or(takes.last())).copied();
        *nth += 1;
        let own_end = match take.unwrap_or(Take::Well(Duration::ZERO)) {
            Take::Well(time) => Some((self.now.plus(time), Outcome::Success)),
            Take::Fails(time) => Some((self.now.plus(time), Outcome::Failure)),
            Take::Hangs => None,
        };
        let timeout = claimed.timeout.map(|timeout| self.now.plus(timeout));
        self.attempts.push(Attempt { claimed, own_end, timeout, death: None });
    }

    fn next_time(&mut self) -> Result<Option<Time>> {
        if let Some(until) = self.down_until {
            return Ok(Some(until));
        }
        let mut times: Vec<Time> = self.attempts.iter().filter_map(|a| a.end().map(|(time, _)| time)).collect();
        let event = self.scenario.events.get(self.next_event);
        times.extend(event.map(|(after, _)| self.scenario.start.plus(*after)));
        times.extend(self.execute(Due { max: 0 })?.next);
        times.extend(self.execute(Ticks { jobs: Some(Arc::default()), by: "scenario".into() })?.next);
        Ok(times.into_iter().filter(|time| *time > self.now).min())
    }
}

impl Attempt {
    // Its own end goes before its timeout or death at the same instant.
    fn end(&self) -> Option<(Time, Outcome)> {
        let timeout = self.timeout.map(|at| (at, Outcome::Timeout));
        let death = self.death.map(|at| (at, Outcome::Cancelled));
        [self.own_end, death, timeout].into_iter().flatten().min_by_key(|(at, _)| *at)
    }
}
