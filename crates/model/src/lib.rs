//! The naive model: the rules as the design words them, with plain tables, full scans and one thing at a time.
//!
//! It judges the product and shares no code with it, not even its words. It has two front ends: [`scenario`] replays a
//! scenario file and gives its facts, and the simulation of `crates/jobstile` shows it every operation of the real store.

mod args;
mod attempts;
mod facts;
pub mod scenario;
mod schedule;
mod spec;
mod trigger;
mod words;

use std::collections::{BTreeMap, BTreeSet, HashMap};

pub use args::Args;
pub use attempts::{Claim, Free, Start, Weight};
pub use facts::{Answer, Decided, Due, Said};
pub use spec::{HOUR, InForce, MIN, S, Same, Spec, Switches, head_start};
pub use trigger::Asked;
pub use words::{Code, Decision, Outcome, Source, State};

/// A job that was ever in the store.
#[derive(Debug, Clone, Default)]
pub struct Job {
    /// `None`: taken out of the policy.
    pub spec: Option<Spec>,
    /// `None`: not paused. Inside: until when.
    pub paused: Option<Option<i64>>,
    /// The next instant of its schedule. `None`: it has none, or it is switched off.
    pub next: Option<i64>,
    /// The last instant that was looked at.
    pub last: Option<i64>,
}

/// A run.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    pub id: i64,
    pub job: String,
    pub state: State,
    /// `None`: no rule gave it one.
    pub key: Option<String>,
    /// Makes a trigger of its key a duplicate.
    pub target: bool,
    /// Admitted while a rule was in force.
    pub deduped: bool,
    pub priority: usize,
    pub admitted: i64,
    pub first_due: i64,
    pub due: i64,
    /// Never due later than this from now. `None`: at an instant.
    pub delay: Option<i64>,
    pub args: Args,
    pub claims: u32,
    pub failures: u32,
    pub lost: u32,
    pub fence: i64,
    pub node: Option<String>,
    /// Somebody asked it to end.
    pub asked: bool,
    pub code: Option<Code>,
    pub by: Option<i64>,
    pub ended: Option<i64>,
    pub trigger_id: Option<String>,
}

impl Run {
    #[must_use]
    pub fn takes_place(&self) -> bool {
        self.waits() || self.state == State::Running
    }

    #[must_use]
    pub fn waits(&self) -> bool {
        matches!(self.state, State::Queued | State::Retrying)
    }

    #[must_use]
    pub fn live(&self) -> bool {
        self.takes_place() || self.state == State::Scheduled
    }

    /// The older of two runs has the lower age.
    #[must_use]
    pub fn age(&self) -> (i64, i64) {
        (self.first_due, self.id)
    }

    /// Its place in line.
    #[must_use]
    pub fn line(&self) -> (i64, i64) {
        (self.admitted.max(self.due) - head_start(self.priority), self.id)
    }
}

/// The first answer to a trigger id.
#[derive(Debug, Clone)]
pub struct First {
    pub at: i64,
    pub args: Args,
    pub answer: Decided,
}

/// Everything that the model knows.
#[derive(Debug, Default)]
pub struct Model {
    pub now: i64,
    pub switches: Switches,
    pub jobs: BTreeMap<String, Job>,
    pub runs: BTreeMap<i64, Run>,
    /// Live runs by job.
    live: BTreeMap<String, BTreeSet<i64>>,
    pub ids: HashMap<(String, String), First>,
    /// The number of the last run.
    pub last_run: i64,
    /// What happened since somebody took it.
    pub said: Vec<Said>,
    /// How often a trigger lifted its target.
    pub lifts: u64,
    /// How often a schedule's next instant was brought back to a clock that had been set back.
    pub returned: u64,
    /// Nodes that came and have not been buried.
    pub nodes: BTreeSet<String>,
}

impl Model {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A node comes.
    pub fn enter(&mut self, node: &str) {
        self.nodes.insert(node.to_owned());
    }

    /// Runs that have not ended.
    pub fn live(&self) -> impl Iterator<Item = &Run> {
        self.live.values().flatten().map(|id| &self.runs[id])
    }

    /// Those of one job.
    pub fn of_job(&self, job: &str) -> impl Iterator<Item = &Run> {
        self.live.get(job).into_iter().flatten().map(|id| &self.runs[id])
    }

    /// The runs that a node executes.
    #[must_use]
    pub fn runs_of(&self, node: &str, which: impl Fn(&Run) -> bool) -> Vec<i64> {
        let mut runs: Vec<i64> =
            self.live().filter(|r| r.node.as_deref() == Some(node) && which(r)).map(|r| r.id).collect();
        runs.sort_unstable();
        runs
    }

    /// A run that is known.
    #[must_use]
    pub fn run(&self, id: i64) -> &Run {
        &self.runs[&id]
    }

    fn run_mut(&mut self, id: i64) -> &mut Run {
        self.runs.get_mut(&id).expect("a run that is known")
    }

    /// The fence of a run that was claimed, which is not the model's to give.
    pub fn learn_fence(&mut self, run: i64, fence: i64) {
        self.run_mut(run).fence = fence;
    }

    /// When exactly a retry is due, which is left to chance.
    pub fn learn_due(&mut self, run: i64, due: i64) {
        let delay = due - self.now;
        let run = self.run_mut(run);
        (run.due, run.delay) = (due, Some(delay));
    }

    /// Forgets a run that was pruned.
    pub fn prune(&mut self, run: i64) {
        self.runs.remove(&run);
    }

    /// A run comes into a state. `outcome`: how its attempt ended, if one did.
    fn come(&mut self, id: i64, state: State, outcome: Option<Outcome>) {
        let now = self.now;
        let run = self.run_mut(id);
        run.state = state;
        if state != State::Running {
            run.node = None;
        }
        if !run.takes_place() {
            run.target = false;
        }
        let live = run.live();
        if !live {
            run.ended = Some(now);
        }
        let said = Said::Came {
            job: run.job.clone(),
            run: id,
            state,
            attempt: (run.claims > 0).then_some(run.claims),
            code: run.code.filter(|_| !live),
            by: run.by.filter(|_| !live),
            outcome,
            due: matches!(state, State::Retrying | State::Scheduled).then(|| Due::at(run.due)),
        };
        if !live && let Some(of_job) = self.live.get_mut(&self.runs[&id].job) {
            of_job.remove(&id);
        }
        self.said.push(said);
    }

    fn end(&mut self, id: i64, state: State, code: Code, by: Option<i64>, outcome: Option<Outcome>) {
        let run = self.run_mut(id);
        (run.code, run.by) = (Some(code), by);
        self.come(id, state, outcome);
    }

    /// What must never be, whatever happened.
    ///
    /// # Errors
    /// A sentence that says what is.
    pub fn check(&self) -> Result<(), String> {
        let mut targets = BTreeSet::new();
        for run in self.live() {
            if run.target && !targets.insert((&run.job, &run.key)) {
                return Err(format!("two targets of job {} with key {:?}", run.job, run.key));
            }
            if run.asked && run.state != State::Running {
                return Err(format!("run {} was asked to end and still waits", run.id));
            }
        }
        Ok(())
    }
}
