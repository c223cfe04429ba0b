//! The naive model: plain tables and the rules as the design words them. It sees the same operations as the product, says
//! what must happen, and compares that with the facts and answers, operation by operation.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jobstile::core::decide::{Code, Decision};
use jobstile::core::outcome::Outcome;
use jobstile::core::run::State;
use jobstile::core::trigger::Source;
use jobstile::fact::Fact;
use jobstile::op::{Answer, Op};
use jobstile::store::PruneBefore;

use crate::clockwork::Plan;
use crate::spec::{ARGS, Spec};

/// A job that was ever in the store.
#[derive(Debug, Clone, Default)]
pub(crate) struct Job {
    /// None: taken out of the policy.
    pub(crate) spec: Option<Spec>,
    /// None: not paused; inside: until when.
    pub(crate) paused: Option<Option<i64>>,
    pub(crate) next: Option<i64>,
    pub(crate) last: Option<i64>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Run {
    pub(crate) id: i64,
    pub(crate) job: String,
    pub(crate) state: State,
    /// None: no rule gave it one.
    pub(crate) key: Option<String>,
    pub(crate) target: bool,
    /// Admitted while deduplication was on and the job had a rule.
    pub(crate) deduped: bool,
    /// Was under a rule `until = "start"`.
    pub(crate) under_start: bool,
    pub(crate) priority: usize,
    pub(crate) admitted: i64,
    pub(crate) first_due: i64,
    pub(crate) due: i64,
    pub(crate) args: usize,
    pub(crate) claims: u32,
    pub(crate) failures: u32,
    pub(crate) lost: u32,
    pub(crate) fence: i64,
    pub(crate) node: Option<String>,
    pub(crate) asked: bool,
    pub(crate) code: Option<Code>,
    pub(crate) by: Option<i64>,
    pub(crate) ended: Option<i64>,
    pub(crate) trigger_id: Option<String>,
}

pub(crate) const HEAD_START: [i64; 5] = [0, 30_000_000, 60_000_000, 300_000_000, 3_600_000_000];

impl Run {
    pub(crate) fn takes_place(&self) -> bool {
        matches!(self.state, State::Queued | State::Running | State::Retrying)
    }
    pub(crate) fn waits(&self) -> bool {
        matches!(self.state, State::Queued | State::Retrying)
    }
    pub(crate) fn live(&self) -> bool {
        self.takes_place() || self.state == State::Scheduled
    }
    pub(crate) fn age(&self) -> (i64, i64) {
        (self.first_due, self.id)
    }
    pub(crate) fn line(&self) -> (i64, i64) {
        (self.admitted.max(self.due) - HEAD_START[self.priority], self.id)
    }
}

/// The first answer to a trigger id.
#[derive(Debug, Clone)]
pub(crate) struct First {
    pub(crate) at: i64,
    pub(crate) args: usize,
    pub(crate) decision: Decision,
    pub(crate) code: Code,
    pub(crate) run: Option<i64>,
    pub(crate) by: Option<i64>,
}

/// A fact, as far as the model says it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Said {
    Decided {
        job: String,
        source: Source,
        decision: Decision,
        code: Code,
        run: Option<i64>,
        by: Option<i64>,
        count: Option<u64>,
        replayed: bool,
        aggressive: bool,
        later: bool,
        waiting: usize,
        running: usize,
    },
    Came {
        job: String,
        run: i64,
        state: State,
        attempt: Option<u32>,
        code: Option<Code>,
        by: Option<i64>,
        outcome: Option<Outcome>,
        due: Option<i64>,
    },
}

impl Said {
    pub(crate) fn of(fact: &Fact) -> Option<Self> {
        Some(match fact {
            Fact::Decided(d) => Self::Decided {
                job: d.job.to_string(),
                source: d.source,
                decision: d.decision,
                code: d.code,
                run: d.run.map(|r| r.0),
                by: d.by.map(|r| r.0),
                count: d.count,
                replayed: d.replayed,
                aggressive: d.aggressive,
                later: d.later,
                waiting: d.waiting as usize,
                running: d.running as usize,
            },
            Fact::Came(c) => Self::Came {
                job: c.job.to_string(),
                run: c.run.0,
                state: c.state,
                attempt: c.attempt,
                code: c.code,
                by: c.by.map(|r| r.0),
                outcome: c.ended.as_ref().map(|e| e.outcome),
                due: c.due.map(|t| t.0),
            },
            _ => return None,
        })
    }
}

#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) now: i64,
    pub(crate) switches: [bool; 3],
    pub(crate) jobs: BTreeMap<String, Job>,
    pub(crate) runs: BTreeMap<i64, Run>,
    /// By job.
    pub(crate) live: BTreeMap<String, BTreeSet<i64>>,
    pub(crate) ids: HashMap<(String, String), First>,
    /// Instants that were decided, by job.
    pub(crate) instants: BTreeMap<String, Vec<i64>>,
    pub(crate) next_run: i64,
    pub(crate) last_fence: i64,
    /// What the operation at hand says so far.
    pub(crate) said: Vec<Said>,
    /// What the product said to it: asked only for what is left to chance.
    pub(crate) heard: Vec<Said>,
    pub(crate) lifts: u64,
    /// Policies to come, as the operations that apply them do not say it in these words.
    pub(crate) plans: Vec<Plan>,
    /// Nodes that came and have not been buried.
    pub(crate) nodes: BTreeSet<String>,
    /// What a pruner was allowed to delete, until somebody looks what it did.
    pub(crate) pruned: Option<PruneBefore>,
}

impl Model {
    pub(crate) fn new() -> Self {
        Self { switches: [true; 3], next_run: 1, ..Self::default() }
    }

    /// Checks one operation; the sentence says what differs.
    pub(crate) fn one(&mut self, op: &Op, answer: &jobstile::Result<Answer>, facts: &[Fact]) -> Result<(), String> {
        self.heard = facts.iter().filter_map(Said::of).collect();
        self.said.clear();
        self.op(op, answer).map_err(|what| format!("{what}\n  operation {op:?}"))?;
        if self.said == self.heard { Ok(()) } else { Err(difference(op, &self.said, &self.heard)) }
    }

    fn op(&mut self, op: &Op, answer: &jobstile::Result<Answer>) -> Result<(), String> {
        let expected = match op {
            Op::Trigger(trigger) => self.trigger_op(trigger),
            Op::Due { max } => self.due_op(*max),
            Op::Ticks { jobs, .. } => {
                self.ticks(jobs.as_deref());
                return self.check_next(answer);
            }
            Op::Claim(claim) => return self.claim(claim, answer),
            Op::Settle(settle) => Expect::Settled(self.settle(settle)?),
            Op::Cancel { run, .. } => self.cancel(run.0),
            Op::Retry { run, source, .. } => self.retry(run.0, *source),
            Op::Pause { job, pause } => self.pause(job.as_deref(), Some(pause.until.map(|t| t.0))),
            Op::Resume { job } => self.pause(job.as_deref(), None),
            Op::Apply(_) if answer.is_err() => return Err(format!("a policy was refused: {answer:?}")),
            Op::Apply(_) => {
                let plan = self.plans.remove(0);
                self.apply(&plan);
                return Ok(());
            }
            Op::Prune(before) => {
                self.pruned = Some(*before);
                return Ok(());
            }
            Op::Forget { job } => self.forget(job),
            Op::Enter(node) => {
                self.nodes.insert(node.id.clone());
                return Ok(());
            }
            Op::Reap { node, .. } => self.reap(node)?,
            Op::Sweep => Expect::Rows(0),
            Op::Asked { node } => Expect::Runs(self.runs_of(node, |run| run.asked)),
            Op::Held { node } => Expect::Runs(self.runs_of(node, |_| true)),
            _ => return Ok(()),
        };
        let heard = Expect::of(answer);
        if expected == heard { Ok(()) } else { Err(format!("answered {heard:?}, expected {expected:?}")) }
    }

    // In the order of their claims.
    fn runs_of(&self, node: &str, which: impl Fn(&Run) -> bool) -> Vec<i64> {
        let mut runs: Vec<i64> =
            self.live().filter(|r| r.node.as_deref() == Some(node) && which(r)).map(|r| r.id).collect();
        runs.sort_unstable();
        runs
    }

    pub(crate) fn live(&self) -> impl Iterator<Item = &Run> {
        self.live.values().flatten().map(|id| &self.runs[id])
    }

    pub(crate) fn of_job(&self, job: &str) -> impl Iterator<Item = &Run> {
        self.live.get(job).into_iter().flatten().map(|id| &self.runs[id])
    }

    pub(crate) fn run(&self, id: i64) -> &Run {
        &self.runs[&id]
    }

    pub(crate) fn run_mut(&mut self, id: i64) -> &mut Run {
        self.runs.get_mut(&id).expect("a run that is known")
    }

    /// A run comes into a state; how its attempt ended, if one did.
    pub(crate) fn come(&mut self, id: i64, state: State, outcome: Option<Outcome>) {
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
            due: matches!(state, State::Retrying | State::Scheduled).then_some(run.due),
        };
        if !live && let Some(of_job) = self.live.get_mut(&self.runs[&id].job) {
            of_job.remove(&id);
        }
        self.said.push(said);
    }

    pub(crate) fn end(&mut self, id: i64, state: State, code: Code, by: Option<i64>, outcome: Option<Outcome>) {
        let run = self.run_mut(id);
        (run.code, run.by) = (Some(code), by);
        self.come(id, state, outcome);
    }

    /// What must never be, whatever happened: looked at after every batch.
    pub(crate) fn check(&self) -> Result<(), String> {
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

fn difference(op: &Op, said: &[Said], heard: &[Said]) -> String {
    let at = said.iter().zip(heard).take_while(|(a, b)| a == b).count();
    format!(
        "facts differ from the {at}. on\n  operation {op:?}\n  expected  {:?}\n  happened  {:?}\n  ({} expected, {} happened)",
        said.get(at),
        heard.get(at),
        said.len(),
        heard.len()
    )
}

/// An answer, as far as the model says it.
#[derive(Debug, PartialEq)]
pub(crate) enum Expect {
    Decided { decision: Decision, code: Code, run: Option<i64>, by: Option<i64>, replayed: bool },
    Settled(Option<State>),
    Changed { from: State, to: State, asked: bool },
    Moved(usize),
    Names(Vec<String>),
    Runs(Vec<i64>),
    Rows(u64),
    NotFound,
    Other(String),
}

impl Expect {
    fn of(answer: &jobstile::Result<Answer>) -> Self {
        match answer {
            Ok(Answer::Decided(d)) => Self::Decided {
                decision: d.decision,
                code: d.code,
                run: d.run.map(|r| r.0),
                by: d.by.map(|r| r.0),
                replayed: d.replayed,
            },
            Ok(Answer::Settled(state)) => Self::Settled(*state),
            Ok(Answer::Changed { from, to, asked }) => Self::Changed { from: *from, to: *to, asked: *asked },
            Ok(Answer::Moved { moved, .. }) => Self::Moved(*moved),
            Ok(Answer::Jobs(jobs)) => Self::Names(jobs.clone()),
            Ok(Answer::Runs(runs)) => Self::Runs(runs.iter().map(|r| r.0).collect()),
            Ok(Answer::Held(held)) => {
                let mut runs: Vec<i64> = held.iter().map(|(run, _)| run.0).collect();
                runs.sort_unstable();
                Self::Runs(runs)
            }
            Ok(Answer::Done(rows)) => Self::Rows(*rows),
            Err(error) if error.kind() == jobstile::Kind::NotFound => Self::NotFound,
            other => Self::Other(format!("{other:?}")),
        }
    }
}

/// Which of [`ARGS`] this is.
pub(crate) fn args_index(args: &Result<jobstile::args::Args, jobstile::args::BadArgs>) -> usize {
    let stored = args.as_ref().ok().map(|args| args.stored());
    let is = |a: &crate::spec::ArgsText| match &stored {
        None => a.text == ARGS[crate::spec::NOT_JSON].text,
        Some(stored) => a.stored == stored.as_deref() && a.text != ARGS[crate::spec::NOT_JSON].text,
    };
    ARGS.iter().position(is).expect("arguments that the world gave")
}
