//! A seed has two halves: faults, then none. In the second everything that was admitted must come to its end, or wait for
//! something that can be named, within a time that follows from what there is to do.

use jobstile::op::{Op, Resume};
use jobstile_model::{MIN, Run, S, State};

use crate::faults::Faults;
use crate::node::Power;
use crate::world::{Asker, World};

impl World {
    /// Plays the seed: the sentence says what was broken.
    pub(crate) fn run(&mut self) -> Result<(), String> {
        let steps = self.rng.spread(200, 1500) as u64;
        while self.counts.steps < steps {
            self.step()?;
        }
        self.heal()?;
        let deadline = self.t + self.bound();
        while self.unfinished().next().is_some() {
            if self.t > deadline {
                let left: Vec<String> =
                    self.unfinished().take(5).map(|r| format!("{} {} of {}", r.id, r.state, r.job)).collect();
                return Err(format!("I3: still not ended: {}", left.join(", ")));
            }
            self.step()?;
        }
        self.counts.micros = self.t;
        self.counts.fault_if("target lifted", self.judge.model.lifts > 0);
        self.counts.fault_if("cursor returned", self.judge.model.returned > 0);
        if self.ledger.count(jobstile::core::run::State::Running) > self.judge.model.live().count() {
            return Err("I3: runs that are running and not live".to_owned());
        }
        self.check_by_sql()
    }

    // Nobody asks for anything any more, nothing goes wrong, and all nodes come back. Pauses end, most of them.
    fn heal(&mut self) -> Result<(), String> {
        self.calm = true;
        self.faults = Faults::default();
        self.calm_down()?;
        // The clock is put right: nobody has to wait for hours that it had been set back.
        let last_due = self.judge.model.live().map(|run| run.due).max().unwrap_or(0);
        self.offset += (last_due - self.now()).max(0);
        while !self.all_up() {
            self.step()?;
        }
        Ok(())
    }

    // Runs that are not yet ended and for which nothing explains it.
    fn unfinished(&self) -> impl Iterator<Item = &Run> {
        self.judge.model.live().filter(|run| {
            let waits = run.state == State::Queued;
            let forgotten = self.judge.model.jobs[&run.job].spec.is_none();
            let nobody = !self.nodes.iter().any(|node| node.runnable.contains_key(&run.job));
            !(waits && (forgotten || nobody || self.judge.model.is_paused(&run.job)))
        })
    }

    // One after the other at worst, each with all its attempts and waits, after the last of them is due.
    fn bound(&self) -> i64 {
        let last_due = self.judge.model.live().map(|run| run.due - self.now()).max().unwrap_or(0).max(0);
        let each = |run: &Run| {
            let spec = self.judge.model.jobs[&run.job].spec.as_ref();
            let (attempts, delay) = spec.map_or((1, MIN), |spec| (i64::from(spec.attempts), spec.longest_delay));
            (attempts + 3) * (self.longest_attempt() + delay * 11 / 10 + 2 * self.longest_wait())
        };
        last_due + self.judge.model.live().map(each).sum::<i64>() + 10 * S
    }

    /// Schedules are switched off, pauses end but for one in five, nothing fails to start or hangs.
    pub(crate) fn calm_down(&mut self) -> Result<(), String> {
        let keep_failing = self.behaviour.faults.fails;
        self.behaviour.faults = Faults { fails: keep_failing, ..Faults::default() };
        self.behaviour.poison = 0;
        if !self.ops.is_empty() {
            self.batch()?;
        }
        for (_, spec, _) in &mut self.clients.jobs {
            spec.enabled = false;
        }
        let (op, plan) = self.clients.apply(&mut self.counts);
        self.plans.extend(plan);
        self.ask(op, Asker::Nobody);
        if !self.rng.chance(0.2) {
            self.ask(Op::Resume(Resume { job: None }), Asker::Nobody);
        }
        self.batch()
    }

    pub(crate) fn all_up(&self) -> bool {
        self.dead.is_empty() && self.nodes.iter().all(|node| node.power == Power::Up)
    }

    /// The longest that an attempt takes now, and what may run from before.
    pub(crate) fn longest_attempt(&self) -> i64 {
        let running = self.nodes.iter().flat_map(|node| &node.attempts).map(|a| a.settled_at - self.t);
        running.max().unwrap_or(0).max(self.behaviour.longest + S)
    }

    /// The longest from one look of a node to the next.
    pub(crate) fn longest_wait(&self) -> i64 {
        self.poll
    }
}
