//! Replays a scenario file: a clock that jumps, one node, attempts that go as the script says. Gives its facts.

mod environment;
mod facts;
mod read;
mod written;

use std::collections::BTreeMap;

use serde_json::Value as Json;
use toml::Table;

use crate::{Asked, Claim, Free, Model, Outcome, Source, State, Weight};
use environment::Env;
use facts::Recorder;
use read::{Event, Take, What};

/// Which facts a replay gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Facts {
    /// Decisions and states.
    Plain,
    /// Also the log lines, without the thinning of identical skips.
    WithLog,
}

/// What is wrong with a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    pub what: String,
    /// What everybody has to name who finds the same wrong with it.
    pub names: Vec<String>,
}

impl Wrong {
    fn naming(what: &str, names: &[&str]) -> Self {
        Self { what: what.to_owned(), names: names.iter().map(|name| (*name).to_owned()).collect() }
    }
}

impl From<String> for Wrong {
    fn from(what: String) -> Self {
        Self { what, names: vec![] }
    }
}

impl std::fmt::Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.names.join(", "), self.what)
    }
}

/// The facts of a scenario.
///
/// # Errors
/// What is wrong with the file, at its beginning or with an event of its script.
pub fn replay(scenario: &str, facts: Facts) -> Result<Vec<Json>, Wrong> {
    let script = read::script(scenario)?;
    let mut world = World {
        model: Model::new(),
        recorder: Recorder::new(facts == Facts::WithLog),
        until: script.until,
        down_until: None,
        node: 0,
        defaults: script.defaults,
        tables: script.jobs,
        env: script.env,
        workers: script.workers,
        takes: script.takes,
        dies: script.dies,
        events: script.events,
        started: BTreeMap::new(),
        last_fence: 0,
        attempts: vec![],
    };
    world.apply()?;
    world.enter();
    world.play()?;
    Ok(world.recorder.facts)
}

/// An attempt that is under way.
struct Attempt {
    run: i64,
    fence: i64,
    /// How it ends by itself, and when.
    ends: Option<(i64, Outcome)>,
    times_out: Option<i64>,
    /// When it is dead, once it was asked to end.
    dies: Option<i64>,
}

impl Attempt {
    /// Its own end goes before the other two of the same instant.
    fn end(&self) -> Option<(i64, Outcome)> {
        let dies = self.dies.map(|at| (at, Outcome::Cancelled));
        let times_out = self.times_out.map(|at| (at, Outcome::Timeout));
        [self.ends, dies, times_out].into_iter().flatten().min_by_key(|(at, _)| *at)
    }
}

struct World {
    model: Model,
    recorder: Recorder,
    until: i64,
    down_until: Option<i64>,
    /// Which life of the only node it is.
    node: usize,
    defaults: Table,
    tables: BTreeMap<String, Table>,
    env: Env,
    workers: usize,
    takes: BTreeMap<String, Vec<Take>>,
    dies: BTreeMap<String, i64>,
    events: Vec<Event>,
    /// Attempts of each job so far.
    started: BTreeMap<String, usize>,
    last_fence: i64,
    attempts: Vec<Attempt>,
}

impl World {
    fn play(&mut self) -> Result<(), Wrong> {
        while let Some(at) = self.next_instant().filter(|at| *at <= self.until) {
            self.model.now = at.max(self.model.now);
            if self.down_until.is_some() {
                self.come_back();
            }
            while self.down_until.is_none() && self.one_thing()? {
                self.record();
            }
            self.record();
        }
        // What the script would have changed later is checked all the same.
        for event in std::mem::take(&mut self.events) {
            self.change(event.what)?;
        }
        Ok(())
    }

    fn record(&mut self) {
        let said = std::mem::take(&mut self.model.said);
        self.recorder.record(&self.model, said);
    }

    /// The earliest time at which anything can happen.
    fn next_instant(&self) -> Option<i64> {
        if let Some(back) = self.down_until {
            return Some(back);
        }
        let ends = self.attempts.iter().filter_map(|a| a.end().map(|(at, _)| at));
        let waits = |state| matches!(state, State::Scheduled | State::Retrying);
        let due = self.model.live().filter(|r| waits(r.state)).map(|r| r.due);
        let instants = self.model.jobs.values().filter_map(|job| job.next);
        let events = self.events.iter().map(|e| e.at);
        ends.chain(due).chain(instants).chain(events).min()
    }

    /// The first thing that this instant still holds, in the order of an instant.
    fn one_thing(&mut self) -> Result<bool, Wrong> {
        Ok(self.end_one() || self.model.due(1) > 0 || self.model.ticks(|_| true) || self.event_one()? || self.claim())
    }

    /// One attempt ends; of several the one that started first.
    fn end_one(&mut self) -> bool {
        let now = self.model.now;
        let Some(at) = self.attempts.iter().position(|a| a.end().is_some_and(|(at, _)| at <= now)) else {
            return false;
        };
        let attempt = self.attempts.remove(at);
        let (_, outcome) = attempt.end().expect("found above");
        self.model.settle(attempt.run, attempt.fence, outcome, 0);
        true
    }

    fn event_one(&mut self) -> Result<bool, Wrong> {
        if self.events.first().is_none_or(|e| e.at > self.model.now) {
            return Ok(false);
        }
        match self.events.remove(0).what {
            What::Trigger { job, args, priority, later, id } => {
                let at = self.model.now + later;
                self.model.trigger(&Asked {
                    job: &job,
                    source: Source::Script,
                    args,
                    priority,
                    at,
                    delay: (later > 0).then_some(later),
                    id,
                });
            }
            What::Pause(job) => {
                self.known_job(&job)?;
                self.model.pause(Some(&job), None);
            }
            What::Resume(job) => {
                self.known_job(&job)?;
                self.model.resume(Some(&job));
            }
            What::Cancel(run) => {
                self.known_run(run)?;
                self.model.cancel(run);
                let dies = self.model.now + self.dies.get(&self.model.run(run).job).copied().unwrap_or(0);
                for attempt in self.attempts.iter_mut().filter(|a| a.run == run && a.dies.is_none()) {
                    attempt.dies = Some(dies);
                }
            }
            What::Retry(run) => {
                self.known_run(run)?;
                self.model.retry(run, Source::Script);
            }
            change @ (What::Env(_) | What::Jobs(_)) => self.change(change)?,
            What::Crash(time) => {
                self.attempts.clear();
                self.down_until = Some(self.model.now + time);
                if time == 0 {
                    self.come_back();
                }
            }
        }
        Ok(true)
    }

    fn known_job(&self, job: &str) -> Result<(), Wrong> {
        match self.tables.contains_key(job) {
            true => Ok(()),
            false => Err(Wrong::naming("an unknown job", &[job])),
        }
    }

    fn known_run(&self, run: i64) -> Result<(), Wrong> {
        match self.model.runs.contains_key(&run) {
            true => Ok(()),
            false => Err(Wrong::naming("a run that there is not", &[&run.to_string()])),
        }
    }

    fn change(&mut self, what: What) -> Result<(), Wrong> {
        match what {
            What::Env(env) => self.env.extend(env),
            What::Jobs(jobs) => {
                for (job, keys) in jobs {
                    self.tables.entry(job).or_default().extend(keys);
                }
            }
            _ => return Ok(()),
        }
        self.apply()
    }

    fn apply(&mut self) -> Result<(), Wrong> {
        environment::all_known(&self.env, self.tables.keys())?;
        let mut jobs = Vec::new();
        for (name, table) in &self.tables {
            jobs.push((name.clone(), written::spec(name, &self.defaults, table, &self.env)?));
        }
        self.model.apply(environment::switches(&self.env)?, &jobs);
        Ok(())
    }

    /// One pass over what waits.
    fn claim(&mut self) -> bool {
        let total = self.workers.saturating_sub(self.attempts.len());
        let jobs = self.tables.keys().map(|name| (name.clone(), Weight::Light)).collect();
        let node = self.node.to_string();
        let starts = self.model.claim(&Claim { node: &node, jobs, free: Free { total, heavy: 0, light: total } });
        for start in &starts {
            self.last_fence += 1;
            self.model.learn_fence(start.run, self.last_fence);
            self.start(start.run, self.last_fence);
        }
        !self.model.said.is_empty()
    }

    fn start(&mut self, run: i64, fence: i64) {
        let (job, now) = (self.model.run(run).job.clone(), self.model.now);
        let nth = self.started.entry(job.clone()).or_default();
        let take = match self.takes.get(&job) {
            Some(list) if !list.is_empty() => list[(*nth).min(list.len() - 1)],
            _ => Take::Ok(0),
        };
        *nth += 1;
        let times_out = self.model.spec(&job).and_then(|spec| spec.timeout).map(|after| now + after);
        let ends = match take {
            Take::Ok(time) => Some((now + time, Outcome::Success)),
            Take::Fail(time) => Some((now + time, Outcome::Failure)),
            Take::Hang => None,
        };
        self.attempts.push(Attempt { run, fence, ends, times_out, dies: None });
    }

    fn enter(&mut self) {
        self.node += 1;
        self.model.enter(&self.node.to_string());
    }

    /// The node is back: what ran is lost.
    fn come_back(&mut self) {
        self.down_until = None;
        self.model.reap(&self.node.to_string());
        self.enter();
    }
}
