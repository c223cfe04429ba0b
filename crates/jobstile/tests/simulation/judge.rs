//! Shows the model every operation and compares what it says with the facts and answers of the product.

use std::collections::HashMap;

use jobstile::fact::Fact;
use jobstile::op::{Answer, Changed, Claim, Moved, Op, Retried, Settle, Weight};
use jobstile::store::PruneBefore;
use jobstile_model::{self as model, Args, Decided, Due, Model, Said};

use crate::spec::{Plan, text_of};

/// The model, and what its operations do not say in its words.
#[derive(Debug)]
pub(crate) struct Judge {
    pub(crate) model: Model,
    /// Policies to come.
    pub(crate) plans: Vec<Plan>,
    /// What a pruner was allowed to delete, until somebody looks what it did.
    pub(crate) pruned: Option<PruneBefore>,
    last_fence: i64,
    /// The connection that executes what is judged; `None`: that of short-lived clients.
    pub(crate) connection: Option<usize>,
    /// When each connection last looked at the schedules. One that never did knows of no time before.
    looked: HashMap<Option<usize>, i64>,
    /// And at what is due.
    looked_at_due: HashMap<Option<usize>, i64>,
}

impl Judge {
    pub(crate) fn new() -> Self {
        Self {
            model: Model::new(),
            plans: vec![],
            pruned: None,
            last_fence: 0,
            connection: None,
            looked: HashMap::new(),
            looked_at_due: HashMap::new(),
        }
    }

    /// A connection was opened, and remembers nothing.
    pub(crate) fn opened(&mut self, connection: Option<usize>) {
        self.looked.remove(&connection);
        self.looked_at_due.remove(&connection);
    }

    /// Checks one operation; the sentence says what differs.
    pub(crate) fn one(&mut self, op: &Op, answer: &jobstile::Result<Answer>, facts: &[Fact]) -> Result<(), String> {
        self.model.said.clear();
        self.op(op, answer).map_err(|what| format!("{what}\n  operation {op:?}"))?;
        let heard: Vec<Said> = facts.iter().filter_map(heard).collect();
        let said = std::mem::take(&mut self.model.said);
        if said.len() != heard.len() || !said.iter().zip(&heard).all(|(said, heard)| agree(said, heard)) {
            return Err(difference(op, &said, &heard));
        }
        for heard in &heard {
            if let Said::Came { run, state: model::State::Retrying, due: Some(due), .. } = heard {
                self.model.learn_due(*run, due.from);
            }
        }
        Ok(())
    }

    fn op(&mut self, op: &Op, answer: &jobstile::Result<Answer>) -> Result<(), String> {
        let model = &mut self.model;
        // What was remembered may be of another policy: forgotten, and the time of the last look with it.
        if matches!(
            op,
            Op::Apply(_)
                | Op::Forget(jobstile::op::Forget { .. })
                | Op::Pause(jobstile::op::Pause { .. })
                | Op::Resume(jobstile::op::Resume { .. })
        ) && answer.is_ok()
        {
            self.looked.remove(&self.connection);
            self.looked_at_due.remove(&self.connection);
        }
        let expected = match op {
            Op::Trigger(trigger) => model::Answer::Decided(model.trigger(&asked(trigger, model.now))),
            Op::Due(jobstile::op::Due { max }) => {
                if self.looked_at_due.insert(self.connection, model.now).is_none_or(|before| model.now < before) {
                    model.bring_forward();
                }
                model::Answer::Moved(model.due(*max))
            }
            Op::Ticks(jobstile::op::Ticks { jobs, .. }) => {
                if self.looked.insert(self.connection, model.now).is_none_or(|before| model.now < before) {
                    model.clock_was_set_back();
                }
                model.ticks(|name| jobs.as_deref().is_none_or(|jobs| jobs.contains_key(name)));
                return self.check_next(answer);
            }
            Op::Claim(claim) => return self.claim(claim, answer),
            Op::Settle(settle) => model::Answer::Settled(settled(model, settle)),
            Op::Cancel(jobstile::op::Cancel { run, .. }) => model.cancel(run.0),
            Op::Retry(jobstile::op::Retry { run, source, .. }) => {
                model.retry(run.0, word(source.as_str(), model::Source::named))
            }
            Op::Pause(jobstile::op::Pause { job, pause }) => model.pause(job.as_deref(), pause.until.map(|at| at.0)),
            Op::Resume(jobstile::op::Resume { job }) => model.resume(job.as_deref()),
            Op::Apply(_) if answer.is_err() => return Err(format!("a policy was refused: {answer:?}")),
            Op::Apply(_) => {
                let plan = self.plans.remove(0);
                model.apply(plan.switches, &plan.jobs);
                return Ok(());
            }
            Op::Prune(jobstile::op::Prune(before)) => {
                self.pruned = Some(*before);
                return Ok(());
            }
            Op::Forget(jobstile::op::Forget { job }) => model.forget(job),
            Op::Enter(jobstile::op::Enter(node)) => {
                model.enter(&node.id);
                return Ok(());
            }
            Op::Reap(jobstile::op::Reap { node, .. }) => model::Answer::Rows(model.reap(node)),
            Op::Sweep(jobstile::op::Sweep) => model::Answer::Rows(0),
            Op::Offer(_) | Op::Reloaded(_) | Op::Age(_) => return Ok(()),
        };
        let heard = answered(answer);
        if expected == heard { Ok(()) } else { Err(format!("answered {heard:?}, expected {expected:?}")) }
    }

    /// When a scheduler is told to look again.
    fn check_next(&self, answer: &jobstile::Result<Answer>) -> Result<(), String> {
        let next = self.model.next_look();
        match answer {
            Ok(Answer::Moved(Moved { next: heard, .. })) if heard.map(|at| at.0) == next => Ok(()),
            other => Err(format!("the schedules answered {other:?}, expected to be looked at {next:?}")),
        }
    }

    /// Everything that could be claimed is, in the order of the line; nothing else.
    fn claim(&mut self, claim: &Claim, answer: &jobstile::Result<Answer>) -> Result<(), String> {
        let Ok(Answer::Claimed(claimed)) = answer else { return Err(format!("a claim answered {answer:?}")) };
        let weight = |weight: &Weight| match weight {
            Weight::Heavy => model::Weight::Heavy,
            Weight::Light => model::Weight::Light,
        };
        let starts = self.model.claim(&model::Claim {
            node: &claim.node,
            jobs: claim.jobs.iter().map(|(job, heavy)| (job.clone(), weight(heavy))).collect(),
            free: model::Free { total: claim.free.total, heavy: claim.free.heavy, light: claim.free.light },
        });
        let heard: Vec<model::Start> =
            (claimed.iter()).map(|c| model::Start { run: c.run.0, attempt: c.attempt, attempts: c.attempts }).collect();
        if starts != heard {
            return Err(format!("I1, I13: claimed {heard:?}, expected {starts:?}"));
        }
        for claimed in claimed {
            if claimed.fence.0 <= self.last_fence {
                return Err(format!("I5: fence {} after {}", claimed.fence, self.last_fence));
            }
            self.last_fence = claimed.fence.0;
            self.model.learn_fence(claimed.run.0, claimed.fence.0);
        }
        Ok(())
    }
}

fn asked(trigger: &jobstile::op::Trigger, now: i64) -> model::Asked<'_> {
    model::Asked {
        job: &trigger.job,
        source: word(trigger.source.as_str(), model::Source::named),
        args: Args::parse(text_of(&trigger.args)),
        priority: trigger.priority.map(|priority| priority as usize),
        at: trigger.when.instant(jobstile::core::time::Time(now)).0,
        delay: trigger.when.delay().map(|delay| delay.as_micros() as i64),
        id: trigger.id.as_ref().map(ToString::to_string),
    }
}

fn settled(model: &mut Model, settle: &Settle) -> Option<model::State> {
    let asked_to_wait = settle.retry_after.map_or(0, |after| after.as_micros() as i64);
    model.settle(settle.run.0, settle.fence.0, word(settle.outcome.as_str(), model::Outcome::named), asked_to_wait)
}

/// A word of the product, which the model must know too.
fn word<T>(text: &str, named: impl Fn(&str) -> Option<T>) -> T {
    named(text).unwrap_or_else(|| panic!("the model does not know the word {text}"))
}

fn state(state: jobstile::core::run::State) -> model::State {
    word(state.as_str(), model::State::named)
}

fn code(code: jobstile::core::decide::Code) -> model::Code {
    word(code.as_str(), model::Code::named)
}

/// A fact of the product in the model's words, if the model says such facts.
fn heard(fact: &Fact) -> Option<Said> {
    Some(match fact {
        Fact::Decided(d) => Said::Decided {
            job: d.job.to_string(),
            source: word(d.source.as_str(), model::Source::named),
            answer: Decided {
                decision: word(d.decision.as_str(), model::Decision::named),
                code: code(d.code),
                run: d.run.map(|run| run.0),
                by: d.by.map(|run| run.0),
                replayed: d.replayed,
            },
            count: d.count,
            aggressive: d.aggressive,
            later: d.later,
            waiting: d.waiting as usize,
            running: d.running as usize,
        },
        Fact::Came(c) => Said::Came {
            job: c.job.to_string(),
            run: c.run.0,
            state: state(c.state),
            attempt: c.attempt,
            code: c.code.map(code),
            by: c.by.map(|run| run.0),
            outcome: c.ended.as_ref().map(|ended| word(ended.outcome.as_str(), model::Outcome::named)),
            due: c.due.map(|at| Due::at(at.0)),
        },
    })
}

/// Whether two facts are the same, but for what is left to chance.
fn agree(said: &Said, heard: &Said) -> bool {
    match (said, heard) {
        (Said::Came { due: Some(said_due), .. }, Said::Came { due: Some(due), .. }) if said_due.from < said_due.to => {
            let mut same = said.clone();
            if let Said::Came { due: of, .. } = &mut same {
                *of = Some(*due);
            }
            // Whole microseconds are rounded.
            same == *heard && due.from >= said_due.from - 1 && due.from <= said_due.to + 1
        }
        _ => said == heard,
    }
}

fn difference(op: &Op, said: &[Said], heard: &[Said]) -> String {
    let at = said.iter().zip(heard).take_while(|(said, heard)| agree(said, heard)).count();
    format!(
        "facts differ from the {at}. on\n  operation {op:?}\n  expected  {:?}\n  happened  {:?}\n  ({} expected, {} happened)",
        said.get(at),
        heard.get(at),
        said.len(),
        heard.len()
    )
}

/// An answer in the model's words.
fn answered(answer: &jobstile::Result<Answer>) -> model::Answer {
    match answer {
        Ok(Answer::Decided(d) | Answer::Retried(Retried::Decided(d))) => model::Answer::Decided(Decided {
            decision: word(d.decision.as_str(), model::Decision::named),
            code: code(d.code),
            run: d.run.map(|run| run.0),
            by: d.by.map(|run| run.0),
            replayed: d.replayed,
        }),
        Ok(Answer::Settled(then)) => model::Answer::Settled(then.map(state)),
        Ok(Answer::Changed(changed) | Answer::Retried(Retried::Changed(changed))) => {
            let Changed { from, to, asked } = *changed;
            model::Answer::Changed { from: state(from), to: state(to), asked }
        }
        Ok(Answer::Moved(moved)) => model::Answer::Moved(moved.moved),
        Ok(Answer::Jobs(jobs)) => model::Answer::Names(jobs.clone()),
        Ok(Answer::Done(rows)) => model::Answer::Rows(*rows),
        Err(error) if error.kind() == jobstile::Kind::NotFound => model::Answer::NotFound,
        other => model::Answer::Other(format!("{other:?}")),
    }
}
