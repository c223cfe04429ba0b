//! The world: one real store, several nodes, clients, and a clock that jumps from one happening to the next.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap};
use std::sync::Arc;

use jobstile::core::id::NodeId;
use jobstile::core::time::Time;
use jobstile::op::{Answer, Claim, Done, Due, Free, Moved, Op, Reap, Runnable, Settle, Ticks, Weight};
use jobstile::store::question::Asked;
use jobstile::store::sqlite::Store;
use jobstile_model::{MIN, Run, S, Spec, State};

use crate::client::{Clients, node_id};
use crate::disk::Disk;
use crate::faults::Faults;
use crate::judge::Judge;
use crate::ledger::Ledger;
use crate::node::{Behaviour, Node, Power, settle};
use crate::report::Counts;
use crate::rng::Rng;
use crate::spec::Plan;
use crate::sql;

/// Noon of some day.
const START: i64 = 1_790_856_000 * S;
const SQL_EVERY: u64 = 50;
/// Clients ask for no more while so many runs are live.
const MOST_LIVE: usize = 200;
/// Happenings within so much time may come together in one batch.
const TOGETHER: i64 = S / 50;

#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// A node looks, as it does every so often.
    Poll(usize, u64),
    /// A node looks because it was told to.
    Wake(usize, u64),
    /// An attempt is settled.
    End(usize, u64, i64),
    /// A settle on its way arrives, whatever became of its node.
    Late(Settle),
    Restart(usize),
    Trigger,
    Operate,
    Change,
    Fault,
}

/// Who waits for the answer to an operation.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Asker {
    Nobody,
    /// A node, and which of its lives.
    Claim(usize, u64),
    Look(usize),
    Prune,
}

pub(crate) struct World {
    pub(crate) t: i64,
    pub(crate) offset: i64,
    pub(crate) latest: i64,
    pub(crate) rng: Rng,
    pub(crate) disk: Disk,
    /// The connection of short-lived clients.
    outside: Store,
    /// Whose connection executes the operations at hand. `None`: that of short-lived clients.
    turn: Option<usize>,
    pub(crate) judge: Judge,
    pub(crate) ledger: Ledger,
    pub(crate) counts: Counts,
    events: BinaryHeap<Reverse<(i64, u64, usize)>>,
    /// The events by number.
    what: HashMap<usize, Event>,
    number: usize,
    pub(crate) nodes: Vec<Node>,
    /// Dead nodes, and since when none of their processes lives.
    pub(crate) dead: Vec<(NodeId, i64)>,
    pub(crate) clients: Clients,
    pub(crate) faults: Faults,
    pub(crate) behaviour: Behaviour,
    pub(crate) poll: i64,
    pace: i64,
    pub(crate) calm: bool,
    pub(crate) ops: Vec<(Op, Asker)>,
    pub(crate) plans: Vec<Plan>,
    /// Nodes that look for requests to end after the next batch, and in which of their lives.
    requests: Vec<(usize, u64)>,
    trace: Option<Vec<String>>,
    pub(crate) history: Option<u64>,
}

impl World {
    pub(crate) fn new(seed: u64, trace: bool, history: bool) -> Result<Self, String> {
        let mut rng = Rng::new(seed);
        let disk = Disk::new()?;
        let faults = Faults::swarm(&mut rng);
        let clients = Clients::new(&mut rng);
        let poison = if rng.chance(faults.poison * 4.0) { rng.between(5, 40) } else { 0 };
        let behaviour = Behaviour { faults: faults.clone(), poison, longest: rng.spread(S, 2 * MIN) };
        let mut world = Self {
            t: 0,
            offset: START,
            latest: START,
            outside: disk.open()?,
            disk,
            turn: None,
            judge: Judge::new(),
            ledger: Ledger::default(),
            counts: Counts::default(),
            events: BinaryHeap::new(),
            what: HashMap::new(),
            number: 0,
            nodes: vec![],
            dead: vec![],
            clients,
            faults,
            behaviour,
            poll: *rng.pick(&[S, 2 * S, 5 * S, 15 * S]),
            pace: rng.spread(S / 10, 20 * S),
            calm: false,
            ops: vec![],
            plans: vec![],
            requests: vec![],
            trace: trace.then(Vec::new),
            history: history.then_some(0xcbf2_9ce4_8422_2325),
            rng,
        };
        world.begin()?;
        Ok(world)
    }

    fn begin(&mut self) -> Result<(), String> {
        let (op, plan) = self.clients.apply(&mut self.counts);
        self.ask(op, Asker::Nobody);
        self.plans.extend(plan);
        self.batch()?;
        let weights: Vec<(String, Weight)> = (self.clients.jobs.iter())
            .map(|job| (job.0.clone(), if self.rng.chance(0.5) { Weight::Heavy } else { Weight::Light }))
            .collect();
        for nth in 0..2 + self.rng.below(3) {
            let mut runnable: HashMap<String, Weight> = weights.iter().cloned().collect();
            if self.rng.chance(0.2) && runnable.len() > 1 {
                runnable.remove(&weights[self.rng.below(weights.len())].0);
                self.counts.fault("node cannot run a job");
            }
            let total = 1 + self.rng.below(5);
            let workers = Free { total, heavy: 1 + self.rng.below(total), light: 1 + self.rng.below(total) };
            self.nodes.push(Node {
                life: 0,
                id: node_id(nth, 0),
                power: Power::Down,
                workers,
                runnable: Arc::new(runnable),
                attempts: vec![],
                wake_at: None,
                lost: false,
                store: None,
            });
            let start = self.rng.between(0, S);
            self.plan(start, Event::Restart(nth));
        }
        for event in [Event::Trigger, Event::Operate, Event::Change, Event::Fault] {
            self.plan(self.t, event);
        }
        Ok(())
    }

    pub(crate) fn plan(&mut self, t: i64, event: Event) {
        self.number += 1;
        // At one instant in any order.
        let lot = self.rng.next();
        self.what.insert(self.number, event);
        self.events.push(Reverse((t.max(self.t), lot, self.number)));
    }

    pub(crate) fn now(&self) -> i64 {
        self.t + self.offset
    }

    pub(crate) fn ask(&mut self, op: Op, asker: Asker) {
        self.ops.push((op, asker));
    }

    /// One batch: the next happening, sometimes with others of the same moment.
    pub(crate) fn step(&mut self) -> Result<(), String> {
        self.turn = None;
        self.happen()?;
        while !self.ops.is_empty() && self.rng.chance(self.faults.shared_batch) {
            match self.events.peek() {
                _ if matches!(self.ops[..], [(Op::Prune(_), _)]) => break,
                Some(Reverse((t, ..))) if *t - self.t <= TOGETHER && self.ops.len() < 30 => {
                    let before = self.ops.len();
                    self.happen()?;
                    if self.ops.len() > before {
                        self.counts.fault("shared batch");
                        self.mix(before);
                    }
                }
                _ => break,
            }
        }
        if self.ops.is_empty() { Ok(()) } else { self.batch() }
    }

    // Operations of several actors come in any order, those of one in their own.
    fn mix(&mut self, at: usize) {
        let new = self.ops.split_off(at);
        let (mut old, mut new) = (std::mem::take(&mut self.ops).into_iter(), new.into_iter());
        loop {
            let (left, right) = (old.len(), new.len());
            if left + right == 0 {
                return;
            }
            let first = left > 0 && (right == 0 || self.rng.below(left + right) < left);
            let next = if first { old.next() } else { new.next() };
            if let Some(next) = next {
                self.ops.push(next);
            }
        }
    }

    // The connection of the first actor executes the batch: a program that embeds the library asks on that of its node.
    fn take_turn(&mut self, event: &Event) {
        if self.turn.is_none() && self.ops.is_empty() {
            self.turn = match event {
                Event::Poll(nth, _) | Event::Wake(nth, _) | Event::End(nth, ..) | Event::Restart(nth) => Some(*nth),
                Event::Late(_) | Event::Trigger | Event::Operate | Event::Change | Event::Fault => {
                    let nth = self.rng.below(self.nodes.len() * 2);
                    (nth < self.nodes.len()).then_some(nth)
                }
            };
        }
    }

    fn happen(&mut self) -> Result<(), String> {
        let Some(Reverse((t, _, number))) = self.events.pop() else { return Ok(()) };
        self.t = self.t.max(t);
        let event = self.what.remove(&number);
        if let Some(event) = &event {
            self.take_turn(event);
        }
        match event {
            Some(Event::Poll(nth, life)) => self.poll(nth, life),
            Some(Event::Wake(nth, life)) => self.wake(nth, life),
            Some(Event::End(nth, life, fence)) => self.end(nth, life, fence),
            Some(Event::Late(settle)) => {
                self.counts.fault("late settle of a dead node");
                self.ask(Op::Settle(settle), Asker::Nobody);
            }
            Some(Event::Restart(nth)) => self.restart(nth)?,
            Some(Event::Trigger) if !self.calm => {
                // A backlog of a few hundred shows what there is to see.
                let asked = if self.judge.model.live().count() < MOST_LIVE { self.rng.spread(1, 6) } else { 0 };
                for _ in 0..asked {
                    let op = self.clients.trigger(self.now(), &mut self.rng);
                    self.ask(op, Asker::Nobody);
                }
                self.again(self.pace, Event::Trigger);
            }
            Some(Event::Operate) if !self.calm => {
                let newest = self.judge.model.last_run;
                match self.clients.operate(self.now(), newest, &mut self.rng) {
                    // What was pruned is looked at afterwards: nothing else may happen in between.
                    op @ Op::Prune(_) if self.ops.is_empty() => self.ask(op, Asker::Prune),
                    Op::Prune(_) => {}
                    op => self.ask(op, Asker::Nobody),
                }
                self.again(self.pace * 4, Event::Operate);
            }
            Some(Event::Change) if !self.calm => {
                if self.plans.is_empty() && self.rng.chance(self.faults.policy) {
                    let (op, plan) = self.clients.change(&mut self.rng, &mut self.counts);
                    self.plans.extend(plan);
                    self.ask(op, Asker::Nobody);
                }
                self.again(self.pace * 5, Event::Change);
            }
            Some(Event::Fault) if !self.calm => {
                self.fault();
                self.again(self.pace * 2, Event::Fault);
            }
            _ => {}
        }
        Ok(())
    }

    fn again(&mut self, pace: i64, event: Event) {
        let t = self.t + self.rng.spread(pace / 10 + 1, pace * 2);
        self.plan(t, event);
    }

    fn is_up(&self, nth: usize, life: u64) -> bool {
        self.nodes[nth].life == life && self.nodes[nth].power == Power::Up
    }

    // A paused node does later what it would have done now.
    fn later(&mut self, nth: usize, life: u64, event: Event) -> bool {
        match self.nodes[nth].power {
            Power::Paused(until) if self.nodes[nth].life == life => {
                let t = until + self.rng.between(0, S / 10);
                self.plan(t, event);
                true
            }
            _ => false,
        }
    }

    fn poll(&mut self, nth: usize, life: u64) {
        if self.later(nth, life, Event::Poll(nth, life)) || !self.is_up(nth, life) {
            return;
        }
        self.plan(self.t + self.poll, Event::Poll(nth, life));
        let (gone, left) = std::mem::take(&mut self.dead).into_iter().partition(|(_, at)| *at <= self.t);
        self.dead = left;
        let gone: Vec<(NodeId, i64)> = gone;
        for (node, _) in gone {
            let reason = "its node is gone".to_owned();
            self.ask(Op::Reap(Reap { node, reason, printed: HashMap::new() }), Asker::Nobody);
        }
        self.look(nth);
        self.ask(Op::Sweep(jobstile::op::Sweep), Asker::Nobody);
    }

    fn wake(&mut self, nth: usize, life: u64) {
        if self.is_up(nth, life) {
            self.nodes[nth].wake_at = None;
            self.look(nth);
        }
    }

    fn look(&mut self, nth: usize) {
        let node = &self.nodes[nth];
        let (id, jobs, free) = (node.id.clone(), Arc::clone(&node.runnable), node.free());
        let busy = !node.attempts.is_empty();
        let max = if self.rng.chance(0.1) { 2 } else { 500 };
        self.ask(Op::Due(Due { max }), Asker::Nobody);
        let mine = (!self.rng.chance(0.1)).then(|| Arc::clone(&jobs));
        self.ask(Op::Ticks(Ticks { jobs: mine, by: id.as_str().into() }), Asker::Look(nth));
        if busy {
            self.requests.push((nth, self.nodes[nth].life));
        }
        if self.ops.iter().any(|(op, _)| matches!(op, Op::Claim(claim) if claim.node == id)) {
            return;
        }
        if free.total > 0 && self.rng.chance(self.faults.delayed_claim) {
            let could = self.judge.model.live().any(|run| self.could_start(run, &jobs));
            self.counts.fault_if("claim delayed", could);
        } else if free.total > 0 {
            let asker = Asker::Claim(nth, self.nodes[nth].life);
            self.ask(Op::Claim(Claim { node: id, jobs, free }), asker);
        }
    }

    /// Whether a node with a free worker would take this run.
    fn could_start(&self, run: &Run, jobs: &Runnable) -> bool {
        let model = &self.judge.model;
        let running = model.of_job(&run.job).filter(|r| r.state == State::Running).count();
        let room = |spec: &Spec| spec.slots.is_none_or(|slots| running < slots as usize);
        run.state == State::Queued
            && jobs.contains_key(&run.job)
            && !model.is_paused(&run.job)
            && model.spec(&run.job).is_some_and(room)
    }

    fn end(&mut self, nth: usize, life: u64, fence: i64) {
        if self.later(nth, life, Event::End(nth, life, fence)) || !self.is_up(nth, life) {
            return;
        }
        let Some(at) = self.nodes[nth].attempts.iter().position(|a| a.fence == fence && a.settled_at <= self.t) else {
            return;
        };
        let attempt = self.nodes[nth].attempts.remove(at);
        if attempt.poison && !self.calm {
            self.counts.fault("poison run");
            self.nodes[nth].attempts.push(attempt);
            return self.crash(nth);
        }
        let settle = settle(&attempt, attempt.outcome, &mut self.rng, &mut self.counts);
        if self.rng.chance(self.faults.twice) {
            self.counts.fault("settle sent twice");
            let t = self.t + self.rng.spread(1, MIN);
            self.plan(t, Event::Late(settle.clone()));
        }
        self.ask(Op::Settle(settle), Asker::Nobody);
        self.tell(nth, 0);
    }

    /// A hint: the node looks after this time, unless it gets lost.
    fn tell(&mut self, nth: usize, wait: i64) {
        if self.nodes[nth].power != Power::Up {
            return;
        }
        if self.rng.chance(self.faults.lost_hint) {
            self.counts.fault("hint lost");
            return;
        }
        let t = self.t + wait + self.rng.between(0, S / 100);
        if self.nodes[nth].wake_at.is_none_or(|at| at > t) {
            self.nodes[nth].wake_at = Some(t);
            let life = self.nodes[nth].life;
            self.plan(t, Event::Wake(nth, life));
        }
    }

    pub(crate) fn batch(&mut self) -> Result<(), String> {
        let (ops, askers): (Vec<Op>, Vec<Asker>) = std::mem::take(&mut self.ops).into_iter().unzip();
        let mut now = self.now();
        if self.rng.chance(self.faults.old_time) {
            // Read before it waited for its turn.
            now -= self.rng.between(1, S / 3);
            self.counts.fault_if("old time", now < self.judge.model.now);
        }
        let done = self.execute(now, &ops)?;
        self.counts.steps += 1;
        self.counts.operations += ops.len() as u64;
        self.note(now, &ops, &done);
        self.judge(now, &ops, &done)?;
        self.react(&askers, &done)?;
        self.pass_on_requests()?;
        if self.counts.steps.is_multiple_of(SQL_EVERY) {
            self.check_by_sql()?;
        }
        Ok(())
    }

    fn execute(&mut self, now: i64, ops: &[Op]) -> Result<Done, String> {
        let own = self.turn.and_then(|nth| self.nodes[nth].store.as_mut());
        self.judge.connection = self.turn.filter(|_| own.is_some());
        self.counts.fault_if("batch on a node's own connection", own.is_some());
        if own.is_none() && self.rng.chance(0.2) {
            // A command opens the store, asks and goes.
            self.outside = self.disk.open()?;
            self.judge.opened(None);
            self.counts.fault("store opened again");
        }
        let own = self.turn.and_then(|nth| self.nodes[nth].store.as_mut());
        Ok(own.unwrap_or(&mut self.outside).execute(Time(now), ops))
    }

    fn judge(&mut self, now: i64, ops: &[Op], done: &Done) -> Result<(), String> {
        let mut from = 0;
        self.judge.model.now = now;
        self.judge.plans.append(&mut self.plans);
        for (i, op) in ops.iter().enumerate() {
            let (to, answer) = match (done.marks.get(i), done.answers.get(i)) {
                (Some(to), Some(answer)) => (*to, answer),
                _ => return Err("an operation was not answered".to_owned()),
            };
            let facts = &done.facts[from..to];
            from = to;
            self.ledger.op(now, op, answer, facts, &self.judge.model, &mut self.counts)?;
            self.judge.one(op, answer, facts)?;
        }
        self.judge.model.check()
    }

    fn react(&mut self, askers: &[Asker], done: &Done) -> Result<(), String> {
        for (asker, answer) in askers.iter().zip(&done.answers) {
            match (asker, answer) {
                // It went away while the batch was under way: nobody hears the answer.
                (Asker::Claim(nth, life), Ok(Answer::Claimed(_))) if self.nodes[*nth].life != *life => {}
                (Asker::Claim(nth, life), Ok(Answer::Claimed(claimed))) if !claimed.is_empty() => {
                    if self.rng.chance(self.faults.crash_after_claim) {
                        self.counts.fault("crash after claim");
                        self.crash(*nth);
                        continue;
                    }
                    let life = *life;
                    for claimed in claimed {
                        let fence = claimed.fence.0;
                        let (rng, counts) = (&mut self.rng, &mut self.counts);
                        self.nodes[*nth].start(self.t, claimed, &self.behaviour, rng, counts);
                        let at = self.nodes[*nth].attempts.last().map_or(self.t, |a| a.settled_at);
                        self.plan(at, Event::End(*nth, life, fence));
                    }
                }
                (Asker::Look(nth), Ok(Answer::Moved(Moved { next: Some(next), .. }))) => {
                    let wait = (next.0 - self.now()).clamp(0, self.poll);
                    self.tell(*nth, wait);
                }
                (Asker::Prune, Ok(_)) => {
                    let (judge, ledger) = (&mut self.judge, &mut self.ledger);
                    let pruned = sql::learn_what_was_pruned(&self.outside, judge, ledger)?;
                    self.counts.fault_if("history pruned", pruned);
                }
                _ => {}
            }
        }
        if done.ready || done.asked_to_end || done.timed {
            (0..self.nodes.len()).for_each(|nth| self.tell(nth, 0));
        }
        Ok(())
    }

    /// A question sees what is committed, whoever wrote it.
    fn pass_on_requests(&mut self) -> Result<(), String> {
        for (nth, life) in std::mem::take(&mut self.requests) {
            if !self.is_up(nth, life) {
                continue;
            }
            let node = &self.nodes[nth];
            let store = node.store.as_ref().unwrap_or(&self.outside);
            let asked = store.ask(&Asked(node.id.clone())).map_err(|error| error.to_string())?;
            let runs: BTreeSet<i64> = asked.iter().map(|run| run.0).collect();
            let expected: BTreeSet<i64> = self.judge.model.runs_of(&node.id, |run| run.asked).into_iter().collect();
            if runs != expected {
                return Err(format!("asked to end are {runs:?}, expected {expected:?}"));
            }
            self.nodes[nth].stop(self.t, &runs, &mut self.rng, &mut self.counts);
            let ends: Vec<(i64, i64)> = (self.nodes[nth].attempts.iter())
                .filter(|a| runs.contains(&a.run))
                .map(|a| (a.settled_at, a.fence))
                .collect();
            ends.into_iter().for_each(|(at, fence)| self.plan(at, Event::End(nth, life, fence)));
        }
        Ok(())
    }

    pub(crate) fn check_by_sql(&mut self) -> Result<(), String> {
        self.counts.sql_checks += 1;
        sql::check(&self.outside)?;
        sql::compare(&self.outside, &self.judge.model)
    }

    fn note(&mut self, now: i64, ops: &[Op], done: &Done) {
        if self.trace.is_none() && self.history.is_none() {
            return;
        }
        let text = format!("{now} {ops:?}\n    answers {:?}\n    facts {:?}", done.answers, done.facts);
        if let Some(history) = &mut self.history {
            // A set in an operation has no order of its own: what happened is what counts.
            let happened = format!("{now} {:?} {:?}", done.answers, done.facts);
            for byte in happened.bytes() {
                *history = (*history ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        if let Some(trace) = &mut self.trace {
            trace.push(text);
        }
    }

    /// The last happenings, where they are kept.
    pub(crate) fn last(&self, n: usize) -> &[String] {
        let trace = self.trace.as_deref().unwrap_or(&[]);
        &trace[trace.len().saturating_sub(n)..]
    }
}
