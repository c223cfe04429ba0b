//! The state of the modelled system and the order of what happens at one instant.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use toml::Table;

use crate::model::policy::{self, Policy, Switches};
use crate::model::read::{Event, Scenario, Take, What};
use crate::model::schedule::Cursor;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Scheduled,
    Queued,
    Running,
    Retrying,
    Succeeded,
    Dead,
    Cancelled,
    Refused,
}

impl State {
    pub(crate) fn name(self) -> &'static str {
        match self {
            State::Scheduled => "scheduled",
            State::Queued => "queued",
            State::Running => "running",
            State::Retrying => "retrying",
            State::Succeeded => "succeeded",
            State::Dead => "dead",
            State::Cancelled => "cancelled",
            State::Refused => "refused",
        }
    }
    pub(crate) fn waits(self) -> bool {
        matches!(self, State::Queued | State::Retrying)
    }
    pub(crate) fn takes_a_place(self) -> bool {
        self.waits() || self == State::Running
    }
    pub(crate) fn is_live(self) -> bool {
        self.takes_a_place() || self == State::Scheduled
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) id: usize,
    pub(crate) job: String,
    pub(crate) args: Json,
    pub(crate) key: Option<Json>,
    /// May make a later trigger of its key a duplicate.
    pub(crate) target: bool,
    pub(crate) priority: u8,
    pub(crate) admitted_at: i64,
    pub(crate) first_due: i64,
    pub(crate) due: i64,
    pub(crate) state: State,
    pub(crate) claims: u32,
    pub(crate) failures: u32,
    pub(crate) lost: u32,
    /// Asked to end.
    pub(crate) asked: bool,
    /// Of the attempt that runs: its number among all starts, and when what ends it comes.
    pub(crate) started: usize,
    pub(crate) ends: Option<(i64, bool)>,
    pub(crate) times_out: Option<i64>,
    pub(crate) dies: Option<i64>,
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) now: i64,
    until: i64,
    down_until: Option<i64>,
    pub(crate) defaults: Table,
    pub(crate) tables: BTreeMap<String, Table>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) switches: Switches,
    pub(crate) policies: BTreeMap<String, Policy>,
    pub(crate) cursors: BTreeMap<String, Cursor>,
    pub(crate) paused: Vec<String>,
    pub(crate) runs: Vec<Run>,
    /// Every trigger with an id: job, id, arguments, when, the first answer.
    pub(crate) answers: Vec<(String, String, Json, i64, Json)>,
    workers: usize,
    takes: BTreeMap<String, Vec<Take>>,
    dies: BTreeMap<String, i64>,
    events: Vec<Event>,
    starts: usize,
    pub(crate) facts: Vec<Json>,
    pub(crate) log: bool,
}

impl World {
    pub(crate) fn new(scenario: Scenario, log: bool) -> Result<World, String> {
        let mut world = World {
            now: 0,
            until: scenario.until,
            down_until: None,
            defaults: scenario.defaults,
            tables: scenario.jobs,
            switches: policy::switches(&scenario.env)?,
            env: scenario.env,
            policies: BTreeMap::new(),
            cursors: BTreeMap::new(),
            paused: Vec::new(),
            runs: Vec::new(),
            answers: Vec::new(),
            workers: scenario.workers,
            takes: scenario.takes,
            dies: scenario.dies,
            events: scenario.events,
            starts: 0,
            facts: Vec::new(),
            log,
        };
        world.apply_policy()?;
        Ok(world)
    }

    pub(crate) fn play(&mut self) -> Result<(), String> {
        while let Some(at) = self.next_instant() {
            if at > self.until {
                break;
            }
            self.now = at.max(self.now);
            if self.down_until.is_some() {
                self.come_back();
            }
            while self.one_thing()? {}
        }
        // What the script would have changed later is checked all the same.
        for event in std::mem::take(&mut self.events) {
            self.change(event.what)?;
        }
        Ok(())
    }

    /// The earliest time at which anything can happen.
    fn next_instant(&self) -> Option<i64> {
        if let Some(back) = self.down_until {
            return Some(back);
        }
        let mut times = Vec::new();
        for run in &self.runs {
            match run.state {
                State::Running => {
                    times.extend(run.ends.map(|(at, _)| at));
                    times.extend(run.times_out);
                    times.extend(run.dies);
                }
                State::Scheduled | State::Retrying => times.push(run.due),
                _ => {}
            }
        }
        times.extend(self.cursors.values().filter(|c| c.on).map(|c| c.next));
        times.extend(self.events.iter().map(|e| e.at));
        times.into_iter().min()
    }

    /// The first thing that this instant still holds, in the order of an instant.
    fn one_thing(&mut self) -> Result<bool, String> {
        if self.down_until.is_some() {
            return Ok(false);
        }
        Ok(self.end_one() || self.due_one() || self.tick_one() || self.event_one()? || self.claim_what_can_be())
    }

    /// One attempt ends; of several the one that started first.
    fn end_one(&mut self) -> bool {
        let past = |time: Option<i64>| time.is_some_and(|at| at <= self.now);
        let ending = self
            .runs
            .iter()
            .filter(|r| r.state == State::Running)
            .filter(|r| past(r.ends.map(|(at, _)| at)) || past(r.times_out) || past(r.dies))
            .min_by_key(|r| r.started);
        let Some(run) = ending else { return false };
        let id = run.id;
        match run.ends {
            Some((at, true)) if at <= self.now => self.set(id, State::Succeeded, None, None),
            _ if run.asked => self.set(id, State::Cancelled, Some("cancelled_by_hand"), None),
            _ => self.fail(id),
        }
        true
    }

    fn due_one(&mut self) -> bool {
        let due = self
            .runs
            .iter()
            .filter(|r| matches!(r.state, State::Scheduled | State::Retrying) && r.due <= self.now)
            .min_by_key(|r| (r.due, r.id));
        let Some(run) = due else { return false };
        if run.state == State::Scheduled {
            self.scheduled_run_is_due(run.id);
        } else {
            self.starts_again(run.id);
        }
        true
    }

    fn event_one(&mut self) -> Result<bool, String> {
        if self.events.first().is_none_or(|e| e.at > self.now) {
            return Ok(false);
        }
        match self.events.remove(0).what {
            What::Trigger { job, args, priority, later, id } => {
                let priority = priority.map(|p| policy::priority(&p)).transpose()?;
                self.trigger(&job, args, priority, later, id);
            }
            What::Pause(job) => {
                self.policies.get(&job).ok_or("pause of an unknown job")?;
                if !self.paused.contains(&job) {
                    self.paused.push(job);
                }
            }
            What::Resume(job) => {
                self.policies.get(&job).ok_or("resume of an unknown job")?;
                self.paused.retain(|p| *p != job);
            }
            What::Cancel(run) => self.cancel(run)?,
            What::Retry(run) => self.retry(run)?,
            change @ (What::Env(_) | What::Jobs(_)) => self.change(change)?,
            What::Crash(time) => {
                self.down_until = Some(self.now + time);
                if time == 0 {
                    self.come_back();
                }
            }
        }
        Ok(true)
    }

    fn change(&mut self, what: What) -> Result<(), String> {
        match what {
            What::Env(env) => self.env.extend(env),
            What::Jobs(jobs) => {
                for (job, keys) in jobs {
                    self.tables.entry(job).or_default().extend(keys);
                }
            }
            _ => return Ok(()),
        }
        self.apply_policy()
    }

    /// One pass over what waits, in the order of the line.
    fn claim_what_can_be(&mut self) -> bool {
        let mut line: Vec<(i64, usize)> = self
            .runs
            .iter()
            .filter(|r| r.state == State::Queued && !self.paused.contains(&r.job))
            .map(|r| {
                let place = r.admitted_at.max(r.due) - policy::head_start(r.priority);
                (place, r.id)
            })
            .collect();
        line.sort();
        let mut changed = false;
        for (_, id) in line {
            if self.runs.iter().filter(|r| r.state == State::Running).count() >= self.workers {
                break;
            }
            changed |= self.check_and_claim(id);
        }
        changed
    }

    /// Gives the run to a worker.
    pub(crate) fn start(&mut self, id: usize) {
        let job = self.run(id).job.clone();
        let nth = self.runs.iter().filter(|r| r.job == job).map(|r| r.claims as usize).sum::<usize>();
        let take = match self.takes.get(&job) {
            Some(list) if !list.is_empty() => list[nth.min(list.len() - 1)],
            _ => Take::Ok(0),
        };
        let now = self.now;
        let times_out = self.policies[&job].timeout.map(|t| now + t);
        self.starts += 1;
        let started = self.starts;
        let run = self.run_mut(id);
        run.claims += 1;
        run.started = started;
        run.times_out = times_out;
        run.dies = None;
        run.ends = match take {
            Take::Ok(time) => Some((now + time, true)),
            Take::Fail(time) => Some((now + time, false)),
            Take::Hang => None,
        };
        if self.until_start(&job) {
            self.run_mut(id).target = false;
        }
        self.set(id, State::Running, None, None);
    }

    /// The node is back: what ran is lost.
    fn come_back(&mut self) {
        self.down_until = None;
        let mut lost: Vec<(usize, usize)> =
            self.runs.iter().filter(|r| r.state == State::Running).map(|r| (r.started, r.id)).collect();
        lost.sort();
        for (_, id) in lost {
            self.lose(id);
        }
    }

    fn cancel(&mut self, id: usize) -> Result<(), String> {
        if id == 0 || id > self.runs.len() {
            return Err(format!("cancel of unknown run {id}"));
        }
        let run = self.run(id);
        if run.state == State::Running && !run.asked {
            let dies = self.now + self.dies.get(&run.job).copied().unwrap_or(0);
            let run = self.run_mut(id);
            run.asked = true;
            run.dies = Some(dies);
        } else if run.state.waits() || run.state == State::Scheduled {
            self.set(id, State::Cancelled, Some("cancelled_by_hand"), None);
        }
        Ok(())
    }

    fn retry(&mut self, id: usize) -> Result<(), String> {
        if id == 0 || id > self.runs.len() {
            return Err(format!("retry of unknown run {id}"));
        }
        let now = self.now;
        let run = self.run_mut(id);
        if run.state == State::Retrying {
            run.due = now;
        } else if !run.state.is_live() {
            let (job, args) = (run.job.clone(), run.args.clone());
            self.trigger(&job, args, None, 0, None);
        }
        Ok(())
    }

    /// Under a rule that is now `until = "start"` no started run is a target, nor again under a later rule.
    pub(crate) fn no_started_target_where_until_is_start(&mut self) {
        if !self.switches.dedup {
            return;
        }
        for id in 1..=self.runs.len() {
            if self.run(id).claims > 0 && self.until_start(&self.run(id).job) {
                self.run_mut(id).target = false;
            }
        }
    }

    fn until_start(&self, job: &str) -> bool {
        self.policies[job].rule.as_ref().is_some_and(|rule| rule.until_start)
    }

    pub(crate) fn run(&self, id: usize) -> &Run {
        &self.runs[id - 1]
    }

    pub(crate) fn run_mut(&mut self, id: usize) -> &mut Run {
        &mut self.runs[id - 1]
    }

    /// Puts a run into a state and tells so.
    pub(crate) fn set(&mut self, id: usize, state: State, code: Option<&str>, by: Option<usize>) {
        let run = self.run_mut(id);
        run.state = state;
        if !state.is_live() {
            run.target = false;
        }
        let mut fact = json!({
            "what": "state", "job": run.job, "run": id, "state": state.name(),
        });
        if state == State::Running {
            fact["attempt"] = json!(run.claims);
            if run.args.as_object().is_some_and(|args| !args.is_empty()) {
                fact["args"] = run.args.clone();
            }
        }
        if let Some(code) = code {
            fact["code"] = json!(code);
        }
        if let Some(by) = by {
            fact["by"] = json!(by);
        }
        self.fact(fact);
    }

    pub(crate) fn fact(&mut self, mut fact: Json) {
        fact["at"] = json!(self.now as f64 / 1e6);
        self.facts.push(fact);
    }
}
