//! Attempts of the model: which are started, and what follows when they end.

use std::collections::{BTreeMap, BTreeSet};

use jobstile::core::decide::Code;
use jobstile::core::outcome::Outcome;
use jobstile::core::run::State;
use jobstile::op::{Answer, Claim, Settle, Weight};

use crate::model::{Expect, Model, Said};
use crate::spec::{HOUR, Spec};

impl Model {
    /// None: nothing is to happen.
    pub(crate) fn settle(&mut self, settle: &Settle) -> Result<Option<State>, String> {
        let id = settle.run.0;
        match self.runs.get(&id) {
            Some(run) if run.state == State::Running && run.fence == settle.fence => {}
            _ => return Ok(None),
        }
        self.end_attempt(id, settle.outcome, settle.retry_after.map_or(0, |d| d.as_micros() as i64))?;
        Ok(Some(self.run(id).state))
    }

    pub(crate) fn end_attempt(&mut self, id: i64, outcome: Outcome, retry_after: i64) -> Result<(), String> {
        let run = self.run(id);
        let spec = self.jobs[&run.job].spec.clone();
        // A job that was taken out may come back.
        let attempts = spec.as_ref().map_or(u32::MAX, |spec| spec.attempts);
        let run = self.run_mut(id);
        match outcome {
            Outcome::Failure | Outcome::Timeout => run.failures += 1,
            Outcome::Lost => run.lost += 1,
            _ => {}
        }
        let (failures, lost, asked) = (run.failures, run.lost, run.asked);
        match outcome {
            Outcome::Success => self.come(id, State::Succeeded, Some(outcome)),
            _ if asked => self.end(id, State::Cancelled, Code::CancelledByHand, None, Some(outcome)),
            Outcome::Cancelled => self.end(id, State::Cancelled, Code::CancelledByHand, None, Some(outcome)),
            Outcome::Failure | Outcome::Timeout if failures >= attempts => {
                self.end(id, State::Dead, Code::AttemptsUsedUp, None, Some(outcome));
            }
            Outcome::Failure | Outcome::Timeout => match self.newer(id) {
                Some(by) => self.end(id, State::Cancelled, Code::Superseded, Some(by), Some(outcome)),
                None => {
                    self.run_mut(id).due = self.retry_due(id, spec.as_ref(), failures, retry_after)?;
                    self.come(id, State::Retrying, Some(outcome));
                }
            },
            Outcome::Lost if lost >= 3 => self.end(id, State::Dead, Code::CrashBudget, None, Some(outcome)),
            _ => self.start_again(id, Some(outcome)),
        }
        Ok(())
    }

    // Up to a tenth of the delay is chance: that much is taken from what the product said.
    fn retry_due(&self, id: i64, spec: Option<&Spec>, failures: u32, least: i64) -> Result<i64, String> {
        let (delay, factor, longest) =
            spec.map_or((30_000_000, 2, HOUR), |spec| (spec.delay, spec.factor, spec.longest_delay));
        let delay = (delay as f64 * f64::from(factor).powi(failures as i32 - 1)).min(longest as f64) as i64;
        let (low, high) = (delay.max(least), (delay + delay / 10).max(least));
        let heard = self.heard.iter().find_map(|said| match said {
            Said::Came { run, state: State::Retrying, due: Some(due), .. } if *run == id => Some(*due),
            _ => None,
        });
        let due = heard.ok_or_else(|| format!("I7: run {id} failed with attempts left and is not retrying"))?;
        if due < self.now + low - 1 || due > self.now + high + 1 {
            return Err(format!("I6: run {id} is due {} µs from now, not {low} to {high}", due - self.now));
        }
        Ok(due)
    }

    pub(crate) fn reap(&mut self, node: &str) -> Result<Expect, String> {
        self.nodes.remove(node);
        let mut lost: Vec<(i64, i64)> =
            self.live().filter(|r| r.node.as_deref() == Some(node)).map(|r| (r.fence, r.id)).collect();
        lost.sort_unstable();
        for (_, id) in &lost {
            self.end_attempt(*id, Outcome::Lost, 0)?;
        }
        Ok(Expect::Rows(lost.len() as u64))
    }

    /// Everything that could be claimed is, in the order of the line; nothing else.
    pub(crate) fn claim(&mut self, claim: &Claim, answer: &jobstile::Result<Answer>) -> Result<(), String> {
        let Ok(Answer::Claimed(claimed)) = answer else { return Err(format!("a claim answered {answer:?}")) };
        let mut claimed = claimed.iter();
        let (mut total, mut heavy, mut light) = (claim.free.total, claim.free.heavy, claim.free.light);
        let mut line: Vec<((i64, i64), i64, String)> = self
            .live()
            .filter(|r| r.state == State::Queued && claim.jobs.contains_key(&r.job))
            .map(|r| (r.line(), r.id, r.job.clone()))
            .collect();
        line.sort_unstable();
        if !self.nodes.contains(&*claim.node) {
            line.clear();
        }
        let mut running: BTreeMap<String, BTreeSet<(i64, i64)>> = BTreeMap::new();
        for run in self.live().filter(|r| r.state == State::Running) {
            running.entry(run.job.clone()).or_default().insert(run.age());
        }
        for (_, id, job) in line {
            let Some(spec) = self.jobs[&job].spec.clone() else { continue };
            let room = match claim.jobs[&job] {
                Weight::Heavy => &mut heavy,
                Weight::Light => &mut light,
            };
            if self.is_paused(&job) || *room == 0 || total == 0 {
                continue;
            }
            let first = self.run(id).claims == 0;
            let rules = self.in_force(&job);
            let running = running.entry(job.clone()).or_default();
            if rules.final_check && first && !running.is_empty() {
                let by = running.first().map(|(_, id)| *id);
                self.end(id, State::Refused, Code::ConcurrentExecutionDetected, by, None);
                continue;
            }
            if spec.slots.is_some_and(|slots| running.len() >= slots as usize) {
                continue;
            }
            (total, *room) = (total - 1, *room - 1);
            let got = claimed.next().ok_or_else(|| format!("I13: run {id} could be claimed and was not"))?;
            if got.run.0 != id {
                return Err(format!("I13: run {} was claimed, run {id} stands before it in line", got.run));
            }
            if got.fence <= self.last_fence {
                return Err(format!("I5: fence {} after {}", got.fence, self.last_fence));
            }
            self.last_fence = got.fence;
            let run = self.run_mut(id);
            run.claims += 1;
            run.fence = got.fence;
            run.node = Some(claim.node.to_string());
            if first && run.under_start && rules.same.is_none_or(|same| same.until_start) {
                run.target = false;
            }
            if (got.attempt, got.attempts) != (run.claims, spec.attempts) {
                return Err(format!("I6: run {id} was claimed as attempt {} of {}", got.attempt, got.attempts));
            }
            running.insert(run.age());
            self.come(id, State::Running, None);
        }
        match claimed.next() {
            Some(more) => Err(format!("I1: run {} was claimed and could not be", more.run)),
            None => Ok(()),
        }
    }
}
