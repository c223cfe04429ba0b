//! What befalls the nodes: they come, crash, stand still, are shut down; and the clock is set.

use jobstile::core::outcome::Outcome;
use jobstile::op::{Enter, Offer, Op};
use jobstile::store::NodeRow;
use jobstile_model::{HOUR, MIN, S};

use crate::client::node_id;
use crate::node::{Power, settle};
use crate::world::{Asker, Event, World};

/// The farthest that the clock is set back behind the latest time it ever showed: trigger ids are kept for longer.
const FARTHEST_BACK: i64 = 6 * HOUR;

impl World {
    /// Enters a new incarnation.
    pub(crate) fn restart(&mut self, nth: usize) -> Result<(), String> {
        match self.nodes[nth].power {
            Power::Up => return Ok(()),
            Power::Paused(_) => {
                self.nodes[nth].power = Power::Up;
                return Ok(());
            }
            Power::Down => {}
        }
        let store = self.disk.open()?;
        self.judge.opened(Some(nth));
        let node = &mut self.nodes[nth];
        node.store = Some(store);
        node.life += 1;
        (node.id, node.power, node.wake_at, node.lost) = (node_id(nth, node.life), Power::Up, None, false);
        let (life, id) = (node.life, node.id.clone());
        let offer = node.runnable.keys().map(|job| (job.clone(), None)).collect();
        let row = NodeRow {
            id: id.clone(),
            name: id.to_string(),
            kind: "daemon".to_owned(),
            host: "here".to_owned(),
            pid: 1,
            user: "somebody".to_owned(),
            program: "simulation".to_owned(),
            dir: String::new(),
            workers: node.workers.total as u32,
            boot_id: None,
            lock_uid: None,
        };
        self.ask(Op::Enter(Enter(row)), Asker::Nobody);
        self.ask(Op::Offer(Offer { node: id, jobs: offer }), Asker::Nobody);
        self.plan(self.t, Event::Poll(nth, life));
        Ok(())
    }

    /// The node is gone at once; its processes die a while after it.
    pub(crate) fn crash(&mut self, nth: usize) {
        self.counts.fault("crash");
        let dies = self.t + self.rng.spread(1, 10 * S);
        self.leave(nth, dies);
        let back = self.t + self.rng.spread(S / 10, 3 * MIN);
        self.plan(back, Event::Restart(nth));
    }

    fn leave(&mut self, nth: usize, dies: i64) {
        let node = &mut self.nodes[nth];
        let attempts = std::mem::take(&mut node.attempts);
        node.power = Power::Down;
        node.life += 1;
        node.store = None;
        if !node.lost {
            self.dead.push((node.id.clone(), dies));
        }
        for attempt in attempts {
            self.counts.fault_if("crash between end and settle", attempt.ends <= self.t);
            if self.rng.chance(self.faults.late) {
                // It had been sent, or comes from one who does not know that it is dead.
                let outcome = if attempt.ends <= self.t { attempt.outcome } else { Outcome::Lost };
                let settle = settle(&attempt, outcome, &mut self.rng, &mut self.counts);
                let t = dies + self.rng.spread(1, 2 * MIN);
                self.plan(t, Event::Late(settle));
            }
        }
    }

    pub(crate) fn fault(&mut self) {
        let nth = self.rng.below(self.nodes.len());
        let up = self.nodes[nth].power == Power::Up;
        if up && self.rng.chance(self.faults.crash) {
            self.crash(nth);
        } else if up && self.rng.chance(self.faults.shutdown) {
            self.shut_down(nth);
        } else if up && self.rng.chance(self.faults.pause) {
            self.pause(nth);
        }
        if self.rng.chance(self.faults.clock) {
            let forward = self.rng.chance(0.5);
            let by = self.rng.spread(S, FARTHEST_BACK);
            self.latest = self.latest.max(self.now());
            let by = if forward { by } else { -by.min(self.now() - (self.latest - FARTHEST_BACK)) };
            self.offset += by;
            self.counts.fault_if("clock forward", by > 0);
            self.counts.fault_if("clock back", by < 0);
        }
    }

    fn pause(&mut self, nth: usize) {
        self.counts.fault("node paused");
        let until = self.t + self.rng.spread(S, 5 * MIN);
        self.nodes[nth].power = Power::Paused(until);
        self.nodes[nth].wake_at = None;
        if self.rng.chance(self.faults.reap_paused) && until > self.t + 30 * S {
            // Its keeper has ended its processes; it finds that out when it wakes up, and tells what it believes.
            self.counts.fault("node reaped while paused");
            self.dead.push((self.nodes[nth].id.clone(), self.t + 30 * S));
            self.nodes[nth].lost = true;
            for attempt in std::mem::take(&mut self.nodes[nth].attempts) {
                let settle = settle(&attempt, attempt.outcome, &mut self.rng, &mut self.counts);
                self.plan(until, Event::Late(settle));
            }
            self.nodes[nth].power = Power::Down;
            self.nodes[nth].life += 1;
            self.nodes[nth].store = None;
            self.plan(until, Event::Restart(nth));
        } else {
            self.plan(until, Event::Restart(nth));
        }
    }

    /// A drain that ran out of time: what still runs is interrupted.
    fn shut_down(&mut self, nth: usize) {
        self.counts.fault("shutdown");
        for attempt in std::mem::take(&mut self.nodes[nth].attempts) {
            let settle = settle(&attempt, Outcome::Interrupted, &mut self.rng, &mut self.counts);
            self.ask(Op::Settle(settle), Asker::Nobody);
        }
        self.leave(nth, self.t);
        let back = self.t + self.rng.spread(S / 10, MIN);
        self.plan(back, Event::Restart(nth));
    }
}
