//! The promises, checked on facts and answers alone: what happened to each run, whatever the rules say should have.

use std::collections::{BTreeMap, HashMap};

use jobstile::core::decide::{Code, Decision};
use jobstile::core::outcome::Outcome;
use jobstile::core::run::State;
use jobstile::core::trigger::Source;
use jobstile::fact::{Came, Decided, Fact};
use jobstile::op::{Answer, Cancel, Changed, Op, Pause, Retried, Retry};
use jobstile_model::{HOUR, Model};

use crate::report::Counts;

#[derive(Debug, Clone)]
struct Life {
    job: String,
    state: State,
    claims: u32,
    failures: u32,
    lost: u32,
    fence: i64,
    due: i64,
    /// It waits so long, not for an instant.
    delay: Option<i64>,
    asked: bool,
}

impl Life {
    fn takes_place(&self) -> bool {
        matches!(self.state, State::Queued | State::Running | State::Retrying)
    }
}

type FirstAnswer = (i64, String, Decision, Code, Option<i64>);

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    lives: BTreeMap<i64, Life>,
    running: HashMap<String, u32>,
    taking: HashMap<String, u32>,
    answers: HashMap<(String, String), FirstAnswer>,
    last_fence: i64,
    admitted: Option<i64>,
    /// What the trigger that is decided said of how much later it wants its run.
    asked_delay: Option<i64>,
}

impl Ledger {
    /// One operation: what it was, what it answered, what happened. `policy` is the one in force before it.
    pub(crate) fn op(
        &mut self,
        now: i64,
        op: &Op,
        answer: &jobstile::Result<Answer>,
        facts: &[Fact],
        policy: &Model,
        counts: &mut Counts,
    ) -> Result<(), String> {
        let stale = self.is_stale(op);
        if let Op::Retry(Retry { run, .. }) = op
            && let Some(life) = self.lives.get_mut(&run.0).filter(|life| life.state == State::Retrying)
        {
            life.due = now;
        }
        if let Op::Due(_) = op {
            // After the clock was set back nobody waits longer than its delay.
            for life in self.lives.values_mut() {
                life.due = life.delay.map_or(life.due, |delay| life.due.min(now + delay));
            }
        }
        self.asked_delay = match op {
            Op::Trigger(trigger) => trigger.when.delay().map(|delay| delay.as_micros() as i64),
            _ => None,
        };
        for fact in facts {
            match fact {
                Fact::Decided(decided) => self.decided(op, decided, policy, counts)?,
                Fact::Came(came) => self.came(now, came, policy, counts)?,
            }
        }
        match (op, answer) {
            (Op::Trigger(_), Ok(Answer::Decided(decided))) => {
                let decisions = facts.iter().filter(|f| matches!(f, Fact::Decided(_))).count();
                if decisions != 1 {
                    return Err(format!("I2: a trigger has {decisions} decisions"));
                }
                self.first_answer(now, op, decided, policy, counts)?;
            }
            (Op::Settle(settle), Ok(Answer::Settled(state))) => {
                if stale != state.is_none() || stale && !facts.is_empty() {
                    return Err(format!("I5: a settle with fence {} answered {state:?}", settle.fence));
                }
                counts.fault_if("stale settle rejected", stale);
            }
            (Op::Claim(_), Ok(Answer::Claimed(claimed))) => {
                for claimed in claimed {
                    if claimed.fence.0 <= self.last_fence {
                        return Err(format!("I5: fence {} after {}", claimed.fence, self.last_fence));
                    }
                    self.last_fence = claimed.fence.0;
                    let life = self.lives.get_mut(&claimed.run.0).ok_or("I3: a run that nobody admitted")?;
                    life.fence = claimed.fence.0;
                }
            }
            (Op::Cancel(Cancel { run, .. }), Ok(Answer::Changed(Changed { asked, from, to }))) => {
                let life = self.lives.get_mut(&run.0).ok_or("I3: a run that nobody admitted")?;
                counts.fault_if("run cancelled", from != to || *asked && !life.asked);
                life.asked |= asked;
            }
            (Op::Retry(_), Ok(Answer::Retried(Retried::Changed(Changed { from, .. })))) => {
                counts.fault_if("run retried by hand", *from == State::Retrying);
            }
            (Op::Retry(_), Ok(Answer::Retried(Retried::Decided(decided)))) => {
                counts.fault_if("run retried by hand", decided.run.is_some());
            }
            (Op::Pause(Pause { job, .. }), Ok(Answer::Jobs(jobs))) if !jobs.is_empty() => {
                counts.fault(if job.is_none() { "all jobs paused" } else { "job paused" });
            }
            (Op::Resume(_), Ok(Answer::Jobs(jobs))) => counts.fault_if("job resumed", !jobs.is_empty()),
            (Op::Forget(_), Ok(_)) => counts.fault("job forgotten"),
            (Op::Sweep(_), Ok(Answer::Done(rows))) if *rows > 0 => {
                return Err(format!("{rows} limits had a free slot and a forgotten waiter"));
            }
            (_, Err(error)) if !matches!(error.kind(), jobstile::Kind::NotFound) => {
                return Err(format!("an operation failed: {error}\n  operation {op:?}"));
            }
            _ => {}
        }
        Ok(())
    }

    fn is_stale(&self, op: &Op) -> bool {
        match op {
            Op::Settle(settle) => self
                .lives
                .get(&settle.run.0)
                .is_none_or(|life| life.state != State::Running || life.fence != settle.fence.0),
            _ => false,
        }
    }

    fn first_answer(
        &mut self,
        now: i64,
        op: &Op,
        decided: &jobstile::op::Decided,
        policy: &Model,
        counts: &mut Counts,
    ) -> Result<(), String> {
        let Op::Trigger(trigger) = op else { return Ok(()) };
        // Nothing is kept for a job that never was.
        if !policy.jobs.contains_key(&*trigger.job) {
            return Ok(());
        }
        let Some(id) = &trigger.id else { return Ok(()) };
        let args = trigger.args.as_ref().map_or("unreadable".to_owned(), |args| args.canonical().to_string());
        let at = (trigger.job.to_string(), id.to_string());
        let run = decided.run.map(|r| r.0);
        match self.answers.get(&at).filter(|first| now - first.0 <= 24 * HOUR) {
            None => {
                self.answers.insert(at, (now, args, decided.decision, decided.code, run));
            }
            Some((_, first_args, ..)) if *first_args != args => {
                if decided.code != Code::TriggerIdReused {
                    return Err(format!("I2: id {id} came with other arguments and was answered {}", decided.code));
                }
            }
            Some((_, _, decision, code, first)) => {
                if (*decision, *code, *first) != (decided.decision, decided.code, run) || !decided.replayed {
                    return Err(format!(
                        "I2: id {id} was answered {decision} {code} {first:?}, then {} {} {run:?}",
                        decided.decision, decided.code
                    ));
                }
                counts.fault_if("trigger id repeated", true);
            }
        }
        Ok(())
    }

    /// Ids that were pruned, and so are answered anew.
    pub(crate) fn forget_id(&mut self, job: &str, id: &str) {
        self.answers.remove(&(job.to_owned(), id.to_owned()));
    }

    fn decided(&mut self, op: &Op, d: &Decided, policy: &Model, counts: &mut Counts) -> Result<(), String> {
        counts.code(d.code, d.decision);
        counts.fault_if("trigger for later", d.later);
        counts.fault_if("arguments unreadable", d.code == Code::BadArguments);
        if d.replayed {
            return Ok(());
        }
        let named = match d.by {
            None => None,
            Some(by) => match self.lives.get(&by.0) {
                Some(life) if life.job == *d.job => Some(life),
                _ => return Err(format!("P7: a decision names run {by}, which job {} never had", d.job)),
            },
        };
        let right = match (d.code, named) {
            (Code::DuplicateRunning, Some(by)) => by.state == State::Running,
            (Code::DuplicateWaiting, Some(by)) => match by.state {
                State::Scheduled => !matches!(op, Op::Ticks(_)),
                state => matches!(state, State::Queued | State::Retrying),
            },
            (Code::ConcurrencyLimit | Code::QueueFull, Some(by)) => by.takes_place(),
            (Code::DuplicateRunning | Code::DuplicateWaiting | Code::ConcurrencyLimit | Code::QueueFull, None) => false,
            (_, by) => by.is_none(),
        };
        if !right {
            return Err(format!("P7: {} names {:?} of job {}", d.code, named.map(|n| n.state), d.job));
        }
        if d.decision == Decision::Admitted {
            let run = d.run.ok_or("I2: admitted without a run")?.0;
            if self.lives.contains_key(&run) {
                return Err(format!("I2: run {run} was admitted twice"));
            }
            if !d.later && self.one_at_a_time(&d.job, policy) && self.taking.get(&*d.job).is_some_and(|n| *n > 0) {
                return Err(format!("I1: monitoring job {} got a second live run, {run}", d.job));
            }
            self.admitted = Some(run);
        }
        if d.code == Code::Paused && d.source != Source::Schedule {
            return Err("an explicit trigger was skipped for a pause".to_owned());
        }
        Ok(())
    }

    fn one_at_a_time(&self, job: &str, policy: &Model) -> bool {
        let spec = policy.jobs.get(job).and_then(|job| job.spec.as_ref());
        policy.switches.dedup && policy.switches.aggressive && spec.is_some_and(|spec| spec.monitoring)
    }

    fn came(&mut self, now: i64, c: &Came, policy: &Model, counts: &mut Counts) -> Result<(), String> {
        let id = c.run.0;
        let spec = policy.jobs.get(&*c.job).and_then(|job| job.spec.as_ref());
        if self.admitted.take_if(|admitted| *admitted == id).is_some() {
            counts.step("admitted", c.state);
            return self.enter(now, c);
        }
        let life = self.lives.get_mut(&id).ok_or_else(|| format!("I3: run {id} was never admitted"))?;
        let before = std::mem::replace(&mut life.state, c.state);
        counts.transition(before, c);
        if !may_follow(before, c.state) {
            return Err(format!("I3, I4: run {id} went from {before} to {}", c.state));
        }
        if (before == State::Running) != c.ended.is_some() {
            return Err(format!("I6: run {id} left {before}, its attempt {:?}", c.ended));
        }
        if let Some(ended) = &c.ended {
            counts.outcome(ended.outcome);
            let attempts = spec.map_or(u32::MAX, |spec| spec.attempts);
            match ended.outcome {
                Outcome::Failure | Outcome::Timeout => {
                    life.failures += 1;
                    let follows = match c.state {
                        State::Retrying => life.failures < attempts,
                        State::Dead => life.failures >= attempts && c.code == Some(Code::AttemptsUsedUp),
                        State::Cancelled => life.asked || c.code == Some(Code::Superseded) && life.failures < attempts,
                        _ => false,
                    };
                    if !follows {
                        return Err(format!("I7: run {id} failed {} of {attempts} and is {}", life.failures, c.state));
                    }
                }
                Outcome::Lost => life.lost += 1,
                Outcome::Success if c.state != State::Succeeded => {
                    return Err(format!("I7: run {id} did its work and is {}", c.state));
                }
                _ => {}
            }
            if life.lost > 3 {
                return Err(format!("I6: run {id} was lost {} times", life.lost));
            }
        }
        if let Some(due) = c.due {
            life.due = due.0;
            life.delay = (c.state == State::Retrying).then_some(due.0 - now);
        }
        if before != State::Running && c.state == State::Queued && now < life.due {
            return Err(format!("I6: run {id} was queued {} µs before it was due", life.due - now));
        }
        if c.state == State::Running {
            life.claims += 1;
            if c.attempt != Some(life.claims) {
                return Err(format!("I6: attempt {:?} of run {id} is its {}. claim", c.attempt, life.claims));
            }
        }
        let (took, takes) = (takes_place(before), takes_place(c.state));
        move_by(&mut self.taking, &c.job, i32::from(takes) - i32::from(took));
        let runs = i32::from(c.state == State::Running) - i32::from(before == State::Running);
        move_by(&mut self.running, &c.job, runs);
        let running = self.running.get(&*c.job).copied().unwrap_or(0);
        match spec.and_then(|spec| spec.slots) {
            Some(slots) if c.state == State::Running && running > slots => {
                Err(format!("I1: {running} running runs of job {}, which may have {slots}", c.job))
            }
            _ => Ok(()),
        }
    }

    fn enter(&mut self, now: i64, c: &Came) -> Result<(), String> {
        if !matches!(c.state, State::Queued | State::Scheduled) {
            return Err(format!("I3: run {} began as {}", c.run, c.state));
        }
        let due = c.due.map_or(now, |due| due.0);
        let job = c.job.to_string();
        move_by(&mut self.taking, &job, i32::from(takes_place(c.state)));
        let life = Life {
            job,
            state: c.state,
            claims: 0,
            failures: 0,
            lost: 0,
            fence: 0,
            due,
            delay: self.asked_delay,
            asked: false,
        };
        self.lives.insert(c.run.0, life);
        Ok(())
    }

    /// How many runs are in such a state.
    pub(crate) fn count(&self, state: State) -> usize {
        self.lives.values().filter(|life| life.state == state).count()
    }
}

fn takes_place(state: State) -> bool {
    matches!(state, State::Queued | State::Running | State::Retrying)
}

fn move_by(counts: &mut HashMap<String, u32>, job: &str, by: i32) {
    if by != 0 {
        let count = counts.entry(job.to_owned()).or_default();
        *count = count.checked_add_signed(by).expect("a run leaves where it came");
    }
}

fn may_follow(before: State, after: State) -> bool {
    use State::{Cancelled, Dead, Queued, Refused, Retrying, Running, Scheduled, Succeeded};
    matches!(
        (before, after),
        (Scheduled, Queued | Refused | Cancelled)
            | (Queued, Running | Refused | Cancelled)
            | (Running, Succeeded | Retrying | Dead | Queued | Cancelled)
            | (Retrying, Queued | Cancelled)
    )
}
