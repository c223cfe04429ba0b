//! Attempts: which are started, and what follows when they end.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Code, Due, HOUR, Model, Outcome, S, Spec, State};

/// The lost attempt that ends a run for good.
const CRASH_BUDGET: u32 = 3;

/// What kind of worker a job needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    Heavy,
    Light,
}

/// Free workers, in all and by kind.
#[derive(Debug, Clone, Copy)]
pub struct Free {
    pub total: usize,
    pub heavy: usize,
    pub light: usize,
}

/// A node that takes what it can run.
#[derive(Debug)]
pub struct Claim<'a> {
    pub node: &'a str,
    pub jobs: BTreeMap<String, Weight>,
    pub free: Free,
}

/// An attempt that starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    pub run: i64,
    /// Which of its attempts it is, and of how many.
    pub attempt: u32,
    pub attempts: u32,
}

impl Model {
    /// Everything that can be claimed is, in the order of the line; nothing else.
    pub fn claim(&mut self, claim: &Claim<'_>) -> Vec<Start> {
        let Free { mut total, mut heavy, mut light } = claim.free;
        if !self.nodes.contains(claim.node) {
            return vec![];
        }
        let mut line: Vec<((i64, i64), i64, String)> = self
            .live()
            .filter(|r| r.state == State::Queued && claim.jobs.contains_key(&r.job))
            .map(|r| (r.line(), r.id, r.job.clone()))
            .collect();
        line.sort_unstable();
        let mut running: BTreeMap<String, BTreeSet<(i64, i64)>> = BTreeMap::new();
        for run in self.live().filter(|r| r.state == State::Running) {
            running.entry(run.job.clone()).or_default().insert(run.age());
        }
        let mut starts = Vec::new();
        for (_, id, job) in line {
            let Some((slots, attempts)) = self.spec(&job).map(|spec| (spec.slots, spec.attempts)) else { continue };
            let room = match claim.jobs[&job] {
                Weight::Heavy => &mut heavy,
                Weight::Light => &mut light,
            };
            if self.is_paused(&job) || *room == 0 || total == 0 {
                continue;
            }
            let first = self.run(id).claims == 0;
            let (rules, replaces) = (self.in_force(&job), self.replaces(&job));
            let running = running.entry(job).or_default();
            if rules.final_check && first && !running.is_empty() {
                let by = running.first().map(|(_, id)| *id);
                self.end(id, State::Refused, Code::ConcurrentExecutionDetected, by, None);
                continue;
            }
            if slots.is_some_and(|slots| running.len() >= slots as usize) {
                continue;
            }
            (total, *room) = (total - 1, *room - 1);
            let run = self.run_mut(id);
            run.claims += 1;
            run.node = Some(claim.node.to_owned());
            if first && replaces {
                run.target = false;
            }
            running.insert(run.age());
            starts.push(Start { run: id, attempt: run.claims, attempts });
            self.come(id, State::Running, None);
        }
        starts
    }

    /// An attempt ended. `None`: it is not the current one of a running run, and nothing happens.
    pub fn settle(&mut self, id: i64, fence: i64, outcome: Outcome, asked_to_wait: i64) -> Option<State> {
        let run = self.runs.get(&id)?;
        if run.state != State::Running || run.fence != fence {
            return None;
        }
        self.end_attempt(id, outcome, asked_to_wait);
        Some(self.run(id).state)
    }

    /// A node is gone, and with it what it executed. How many attempts.
    pub fn reap(&mut self, node: &str) -> u64 {
        self.nodes.remove(node);
        let mut lost: Vec<(i64, i64)> =
            self.live().filter(|r| r.node.as_deref() == Some(node)).map(|r| (r.fence, r.id)).collect();
        lost.sort_unstable();
        for (_, id) in &lost {
            self.end_attempt(*id, Outcome::Lost, 0);
        }
        lost.len() as u64
    }

    fn end_attempt(&mut self, id: i64, outcome: Outcome, asked_to_wait: i64) {
        let spec = self.spec(&self.run(id).job).cloned();
        // A job that was taken out may come back.
        let attempts = spec.as_ref().map_or(u32::MAX, |spec| spec.attempts);
        let run = self.run_mut(id);
        match outcome {
            Outcome::Failure | Outcome::Timeout => run.failures += 1,
            Outcome::Lost => run.lost += 1,
            Outcome::Success | Outcome::Cancelled | Outcome::Interrupted | Outcome::NotStarted => {}
        }
        let (failures, lost, asked) = (run.failures, run.lost, run.asked);
        let by_hand = Code::CancelledByHand;
        match outcome {
            Outcome::Success => self.come(id, State::Succeeded, Some(outcome)),
            Outcome::Cancelled => self.end(id, State::Cancelled, by_hand, None, Some(outcome)),
            _ if asked => self.end(id, State::Cancelled, by_hand, None, Some(outcome)),
            Outcome::Failure | Outcome::Timeout if failures >= attempts => {
                self.end(id, State::Dead, Code::AttemptsUsedUp, None, Some(outcome));
            }
            Outcome::Failure | Outcome::Timeout => match self.newer(id) {
                Some(by) => self.end(id, State::Cancelled, Code::Superseded, Some(by), Some(outcome)),
                None => self.retry_later(id, spec.as_ref(), failures, asked_to_wait, outcome),
            },
            Outcome::Lost if lost >= CRASH_BUDGET => {
                self.end(id, State::Dead, Code::CrashBudget, None, Some(outcome));
            }
            Outcome::Lost | Outcome::Interrupted | Outcome::NotStarted => self.start_again(id, Some(outcome)),
        }
    }

    /// Up to a tenth of the delay is chance.
    fn retry_later(&mut self, id: i64, spec: Option<&Spec>, failures: u32, least: i64, outcome: Outcome) {
        let (delay, factor, longest) =
            spec.map_or((30 * S, 2.0, HOUR), |spec| (spec.delay, spec.factor, spec.longest_delay));
        let mut wait = delay as f64;
        for _ in 1..failures {
            wait = (wait * factor).min(longest as f64);
        }
        let wait = (wait.round() as i64).min(longest);
        let due = Due { from: self.now + wait.max(least), to: self.now + (wait + wait / 10).max(least) };
        let delay = due.from - self.now;
        let run = self.run_mut(id);
        (run.due, run.delay) = (due.from, Some(delay));
        self.come(id, State::Retrying, Some(outcome));
        if let Some(crate::Said::Came { due: said, .. }) = self.said.last_mut() {
            *said = Some(due);
        }
    }
}
