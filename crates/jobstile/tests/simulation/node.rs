//! A node of the world and the attempts that it executes; how an attempt goes is drawn when it starts.

use std::collections::BTreeSet;
use std::sync::Arc;

use jobstile::core::id::{Fence, NodeId, RunId};
use jobstile::core::outcome::Outcome;
use jobstile::op::{Claimed, Free, Runnable, Settle, Weight};
use jobstile::store::sqlite::Store;
use jobstile_model::{MIN, S};

use crate::faults::Faults;
use crate::report::Counts;
use crate::rng::Rng;

/// One execution.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub(crate) run: i64,
    pub(crate) fence: i64,
    pub(crate) job: String,
    /// When it ends, and how; it is settled then or a while after.
    pub(crate) ends: i64,
    pub(crate) outcome: Outcome,
    pub(crate) settled_at: i64,
    pub(crate) asked: bool,
    pub(crate) ignores_cancel: bool,
    /// It takes its node with it.
    pub(crate) poison: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Power {
    Up,
    /// It does nothing until then.
    Paused(i64),
    Down,
}

#[derive(Debug)]
pub(crate) struct Node {
    /// Which incarnation; events of older ones are void.
    pub(crate) life: u64,
    pub(crate) id: NodeId,
    pub(crate) power: Power,
    pub(crate) workers: Free,
    pub(crate) runnable: Arc<Runnable>,
    pub(crate) attempts: Vec<Attempt>,
    /// The next look that is planned; others are not needed before it.
    pub(crate) wake_at: Option<i64>,
    /// Its own connection and what that remembers; `None`: it is down.
    pub(crate) store: Option<Store>,
    /// The keeper has ended its attempts and somebody may bury it, while it is paused.
    pub(crate) lost: bool,
}

impl Node {
    pub(crate) fn free(&self) -> Free {
        let heavy = self.attempts.iter().filter(|a| self.runnable.get(&a.job) == Some(&Weight::Heavy)).count();
        let light = self.attempts.len() - heavy;
        Free {
            total: self.workers.total.saturating_sub(heavy + light),
            heavy: self.workers.heavy.saturating_sub(heavy),
            light: self.workers.light.saturating_sub(light),
        }
    }

    /// Starts what was claimed; when it will end.
    pub(crate) fn start(
        &mut self,
        t: i64,
        claimed: &Claimed,
        how: &Behaviour,
        rng: &mut Rng,
        counts: &mut Counts,
    ) -> i64 {
        let timeout = claimed.timeout.map(|d| t + d.as_micros() as i64);
        let attempt = how.attempt(t, claimed, timeout, rng, counts);
        let ends = attempt.ends;
        self.attempts.push(attempt);
        ends
    }

    /// Those attempts are ended; when.
    pub(crate) fn stop(&mut self, t: i64, runs: &BTreeSet<i64>, rng: &mut Rng, counts: &mut Counts) -> Vec<i64> {
        let mut ends = Vec::new();
        for attempt in self.attempts.iter_mut().filter(|a| runs.contains(&a.run) && !a.asked) {
            attempt.asked = true;
            counts.fault_if("cancel ignored", attempt.ignores_cancel);
            let dies = t + if attempt.ignores_cancel { 10 * S } else { rng.between(0, S) };
            if dies < attempt.ends {
                (attempt.ends, attempt.settled_at, attempt.outcome) = (dies, dies, Outcome::Cancelled);
            }
            ends.push(attempt.settled_at);
        }
        ends
    }
}

/// How attempts go in a seed.
#[derive(Debug, Clone)]
pub(crate) struct Behaviour {
    pub(crate) faults: Faults,
    /// Runs that crash their node each time: those whose number this divides; 0: none.
    pub(crate) poison: i64,
    pub(crate) longest: i64,
}

impl Behaviour {
    fn attempt(&self, t: i64, claimed: &Claimed, timeout: Option<i64>, rng: &mut Rng, counts: &mut Counts) -> Attempt {
        let faults = &self.faults;
        let starts = t + if rng.chance(0.2) { rng.between(0, S) } else { 0 };
        let mut ends = starts + rng.spread(S / 100, self.longest);
        let mut outcome = Outcome::Success;
        let poison = self.poison > 0 && claimed.run.0 % self.poison == 0;
        if rng.chance(faults.not_started) {
            (ends, outcome) = (starts, Outcome::NotStarted);
            counts.fault("attempt not started");
        } else if rng.chance(faults.hangs) {
            ends = starts + 30 * MIN;
            counts.fault("attempt hangs");
        } else if rng.chance(faults.fails) {
            outcome = Outcome::Failure;
            counts.fault("attempt fails");
        }
        if let Some(at) = timeout.filter(|at| *at < ends && outcome != Outcome::NotStarted) {
            (ends, outcome) = (at, Outcome::Timeout);
            counts.fault("attempt times out");
        }
        let slow = if rng.chance(faults.slow_settle) { rng.spread(S / 10, 20 * S) } else { 0 };
        Attempt {
            run: claimed.run.0,
            fence: claimed.fence.0,
            job: claimed.job.to_string(),
            ends,
            outcome,
            settled_at: ends + slow,
            asked: false,
            ignores_cancel: rng.chance(faults.ignores_cancel),
            poison,
        }
    }
}

/// The end of an attempt, as its node reports it.
pub(crate) fn settle(attempt: &Attempt, outcome: Outcome, rng: &mut Rng, counts: &mut Counts) -> Settle {
    let retry_after = (outcome == Outcome::Failure && rng.chance(0.1)).then(|| {
        counts.fault("asked to wait before a retry");
        std::time::Duration::from_millis(rng.spread(100, 60_000) as u64)
    });
    Settle {
        run: RunId(attempt.run),
        fence: Fence(attempt.fence),
        outcome,
        took: None,
        exit_code: None,
        message: rng.chance(0.3).then(|| "as it was told to".to_owned()),
        printed: None,
        retry_after,
        jitter: rng.share(),
        result: None,
        wish: None,
    }
}
