//! The rules of the model: what becomes of a trigger, of a run that falls due, of a claim and of an ended attempt.

use jobstile::core::decide::{Code, Decision};
use jobstile::core::outcome::Outcome;
use jobstile::core::run::State;
use jobstile::core::trigger::{Source, When};
use jobstile::op::Trigger;

use crate::model::{Expect, First, Model, Run, Said, args_index};
use crate::spec::{ARGS, HOUR, NOT_JSON, Same, Spec, Value};

const REPLAY_WINDOW: i64 = 24 * HOUR;

/// What holds for a job now.
pub(crate) struct InForce {
    pub(crate) same: Option<Same>,
    /// Places, and whether waiting runs alone are counted.
    places: (u64, bool),
    no_waiting: bool,
    full_fails: bool,
    pub(crate) final_check: bool,
    pub(crate) aggressive: bool,
}

/// What rules 4 and 5 say against a run.
struct Against {
    code: Code,
    by: Option<i64>,
    fails: bool,
    /// The target may take over a higher priority.
    lifts: bool,
}

struct Asked<'a> {
    job: &'a str,
    source: Source,
    args: usize,
    priority: Option<usize>,
    at: i64,
    id: Option<String>,
}

impl Model {
    pub(crate) fn in_force(&self, job: &str) -> InForce {
        let [dedup, aggressive, stacking] = self.switches;
        let Some(spec) = self.jobs.get(job).and_then(|job| job.spec.as_ref()) else {
            return InForce {
                same: None,
                places: (100_000, true),
                no_waiting: false,
                full_fails: true,
                final_check: false,
                aggressive: false,
            };
        };
        let aggressive = spec.monitoring && aggressive;
        let final_check = aggressive && stacking;
        let none = spec.max_waiting == 0;
        let (same, places, no_waiting, full_fails) = if !dedup {
            (None, (u64::from(spec.max_waiting.max(10_000)), true), false, true)
        } else if aggressive {
            let itself = Same { fields: Some(vec![]), until_start: false, fails: false };
            (Some(itself), (1, false), true, spec.full_fails.unwrap_or(false))
        } else {
            let places = match spec.slots {
                Some(n) => (u64::from(n) + u64::from(spec.max_waiting), false),
                None => (u64::from(spec.max_waiting), true),
            };
            (spec.same.clone(), places, none, spec.full_fails.unwrap_or(!none))
        };
        InForce { same, places, no_waiting, full_fails, final_check, aggressive }
    }

    /// Does a run that starts now do the work of older ones of its key? The switch does not matter: a run that succeeds
    /// while deduplication is off has done its work all the same.
    pub(crate) fn replaces(&self, job: &str) -> bool {
        let spec = self.jobs.get(job).and_then(|job| job.spec.as_ref());
        spec.is_some_and(|spec| {
            !(spec.monitoring && self.switches[1]) && spec.same.as_ref().is_some_and(|same| same.until_start)
        })
    }

    /// The key that a run of this job gets, deduplication on or off; the error is the code.
    fn key(&self, spec: &Spec, args: usize) -> Result<Option<String>, Code> {
        let same = match &spec.same {
            _ if spec.monitoring && self.switches[1] => return Ok(Some(String::new())),
            None => return Ok(None),
            Some(same) => same,
        };
        let args = &ARGS[args];
        let Some(fields) = &same.fields else {
            return Ok(Some(args.stored.unwrap_or_default().to_owned()));
        };
        let mut key = Vec::new();
        for field in fields {
            match if *field == "wallet" { args.wallet } else { args.n } {
                Value::Absent => return Err(Code::MissingKeyField),
                Value::No => return Err(Code::BadArguments),
                Value::Text(text) => key.push(format!("\"{field}\":{text}")),
            }
        }
        // By name.
        key.sort();
        Ok(Some(if fields.is_empty() { String::new() } else { format!("{{{}}}", key.join(",")) }))
    }

    pub(crate) fn trigger_op(&mut self, trigger: &Trigger) -> Expect {
        let at = match trigger.when {
            When::Now => self.now,
            When::At(at) => at.0.max(self.now),
        };
        let asked = Asked {
            job: &trigger.job,
            source: trigger.source,
            args: args_index(&trigger.args),
            priority: trigger.priority.map(|p| p as usize),
            at,
            id: trigger.id.clone(),
        };
        self.trigger(&asked)
    }

    pub(crate) fn tick(&mut self, job: &str, nominal: i64) {
        let args = self.jobs[job].spec.as_ref().map_or(0, |spec| spec.tick_args);
        let id = Some(format!("@{nominal}"));
        let asked = Asked { job, source: Source::Schedule, args, priority: None, at: self.now, id };
        self.instants.entry(job.to_owned()).or_default().push(nominal);
        self.trigger(&asked);
    }

    fn trigger(&mut self, asked: &Asked<'_>) -> Expect {
        if !self.jobs.contains_key(asked.job) {
            return self.decide(asked, Decision::Rejected, Code::UnknownJob, None, None);
        }
        if let Some(id) = &asked.id {
            let at = (asked.job.to_owned(), id.clone());
            if let Some(first) = self.ids.get(&at).cloned() {
                if asked.source == Source::Schedule || self.now - first.at <= REPLAY_WINDOW {
                    return self.seen(asked, &first);
                }
                self.ids.remove(&at);
                self.runs.values_mut().filter(|r| r.job == asked.job && r.trigger_id.as_ref() == Some(id)).for_each(
                    |r| {
                        r.trigger_id = None;
                    },
                );
            }
        }
        let expected = self.rules(asked);
        if let (Some(id), Expect::Decided { decision, code, run, by, .. }) = (&asked.id, &expected) {
            let (decision, code, run, by) = (*decision, *code, *run, *by);
            let first = First { at: self.now, args: asked.args, decision, code, run, by };
            self.ids.insert((asked.job.to_owned(), id.clone()), first);
        }
        expected
    }

    fn seen(&mut self, asked: &Asked<'_>, first: &First) -> Expect {
        let same =
            ARGS[first.args].stored == ARGS[asked.args].stored && (first.args == NOT_JSON) == (asked.args == NOT_JSON);
        if !same {
            return self.decide(asked, Decision::Rejected, Code::TriggerIdReused, None, None);
        }
        let expected = self.decide(asked, first.decision, first.code, first.run, first.by);
        if let Some(Said::Decided { replayed, .. }) = self.said.last_mut() {
            *replayed = true;
        }
        match expected {
            Expect::Decided { decision, code, run, by, .. } => {
                Expect::Decided { decision, code, run, by, replayed: true }
            }
            other => other,
        }
    }

    fn decide(
        &mut self,
        asked: &Asked<'_>,
        decision: Decision,
        code: Code,
        run: Option<i64>,
        by: Option<i64>,
    ) -> Expect {
        let count = |which: fn(&Run) -> bool| self.of_job(asked.job).filter(|r| which(r)).count();
        let said = Said::Decided {
            job: asked.job.to_owned(),
            source: asked.source,
            decision,
            code,
            run,
            by,
            count: None,
            replayed: false,
            aggressive: self.in_force(asked.job).aggressive,
            later: false,
            waiting: count(Run::waits),
            running: count(|r| r.state == State::Running),
        };
        self.said.push(said);
        Expect::Decided { decision, code, run, by, replayed: false }
    }

    fn rules(&mut self, asked: &Asked<'_>) -> Expect {
        let Some(spec) = self.jobs[asked.job].spec.clone() else {
            return self.decide(asked, Decision::Rejected, Code::UnknownJob, None, None);
        };
        let key = match self.key(&spec, asked.args) {
            _ if asked.args == NOT_JSON => Err(Code::BadArguments),
            key => key,
        };
        let key = match key {
            Ok(key) => key,
            Err(code) => return self.decide(asked, Decision::Rejected, code, None, None),
        };
        if self.is_paused(asked.job) && asked.source == Source::Schedule {
            return self.decide(asked, Decision::Skipped, Code::Paused, None, None);
        }
        let priority = asked.priority.unwrap_or(spec.priority);
        let later = asked.at > self.now;
        let against = if later { self.against_later(asked, &key) } else { self.against(asked.job, &key, priority) };
        if let Some(against) = against {
            self.lift(&against, priority);
            let decision = if against.fails { Decision::Rejected } else { Decision::Skipped };
            return self.decide(asked, decision, against.code, None, against.by);
        }
        self.admit(asked, key, priority, later)
    }

    fn admit(&mut self, asked: &Asked<'_>, key: Option<String>, priority: usize, later: bool) -> Expect {
        let id = self.next_run;
        self.next_run += 1;
        let same = self.in_force(asked.job).same;
        let run = Run {
            id,
            job: asked.job.to_owned(),
            state: if later { State::Scheduled } else { State::Queued },
            target: same.is_some() && !later,
            deduped: same.is_some(),
            under_start: key.is_some() && self.replaces(asked.job),
            key,
            priority,
            admitted: self.now,
            first_due: asked.at,
            due: asked.at,
            args: asked.args,
            claims: 0,
            failures: 0,
            lost: 0,
            fence: 0,
            node: None,
            asked: false,
            code: None,
            by: None,
            ended: None,
            trigger_id: asked.id.clone(),
        };
        let state = run.state;
        self.runs.insert(id, run);
        self.live.entry(asked.job.to_owned()).or_default().insert(id);
        let expected = self.decide(asked, Decision::Admitted, Code::WithinLimits, Some(id), None);
        if let Some(Said::Decided { later: said, .. }) = self.said.last_mut() {
            *said = later;
        }
        self.come(id, state, None);
        if !later {
            self.older_give_way(id);
        }
        expected
    }

    fn against_later(&self, asked: &Asked<'_>, key: &Option<String>) -> Option<Against> {
        let same = self.in_force(asked.job).same?;
        let target = self
            .of_job(asked.job)
            .find(|r| r.state == State::Scheduled && r.deduped && r.key == *key && r.due == asked.at)?;
        Some(Against { code: Code::DuplicateWaiting, by: Some(target.id), fails: same.fails, lifts: !same.fails })
    }

    /// Rules 4 and 5.
    fn against(&self, job: &str, key: &Option<String>, _priority: usize) -> Option<Against> {
        let rules = self.in_force(job);
        if let Some(same) = &rules.same
            && let Some(target) = self.of_job(job).find(|r| r.target && r.key.is_some() && r.key == *key)
        {
            let running = target.state == State::Running;
            let code = if running { Code::DuplicateRunning } else { Code::DuplicateWaiting };
            return Some(Against { code, by: Some(target.id), fails: same.fails, lifts: !same.fails });
        }
        let (places, waiting_alone) = rules.places;
        let taking: Vec<&Run> =
            self.of_job(job).filter(|r| if waiting_alone { r.waits() } else { r.takes_place() }).collect();
        if (taking.len() as u64) < places {
            return None;
        }
        let by = taking.iter().min_by_key(|r| r.age()).map(|r| r.id);
        let code = if rules.no_waiting { Code::ConcurrencyLimit } else { Code::QueueFull };
        Some(Against { code, by, fails: rules.full_fails, lifts: false })
    }

    fn lift(&mut self, against: &Against, priority: usize) {
        let Some(id) = against.by.filter(|_| against.lifts) else { return };
        let run = self.run_mut(id);
        if run.claims == 0 && run.priority < priority {
            run.priority = priority;
            self.lifts += 1;
        }
    }

    pub(crate) fn due_op(&mut self, max: usize) -> Expect {
        let mut moved = 0;
        while moved < max {
            let next = self
                .live()
                .filter(|r| matches!(r.state, State::Scheduled | State::Retrying))
                .min_by_key(|r| (r.due, r.id))
                .filter(|r| r.due <= self.now)
                .map(|r| (r.id, r.state));
            match next {
                Some((id, State::Retrying)) => self.start_again(id, None),
                Some((id, _)) => self.scheduled_is_due(id),
                None => break,
            }
            moved += 1;
        }
        Expect::Moved(moved)
    }

    fn scheduled_is_due(&mut self, id: i64) {
        let run = self.run(id).clone();
        if let Some(against) = self.against(&run.job, &run.key, run.priority) {
            self.lift(&against, run.priority);
            return self.end(id, State::Refused, against.code, against.by, None);
        }
        let same = self.in_force(&run.job).same.filter(|_| run.key.is_some());
        let under_start = run.key.is_some() && self.replaces(&run.job);
        let run = self.run_mut(id);
        run.target = same.is_some();
        run.under_start = under_start;
        self.come(id, State::Queued, None);
        self.older_give_way(id);
    }

    /// The newest run that does the work of this one.
    pub(crate) fn newer(&self, id: i64) -> Option<i64> {
        let run = self.run(id);
        let same = self.in_force(&run.job).same?;
        if !same.until_start || !run.under_start {
            return None;
        }
        self.runs
            .values()
            .filter(|r| r.job == run.job && r.key == run.key && r.under_start && r.age() > run.age())
            .filter(|r| r.state == State::Succeeded || (r.takes_place() && !r.asked))
            .max_by_key(|r| r.age())
            .map(|r| r.id)
    }

    pub(crate) fn start_again(&mut self, id: i64, outcome: Option<Outcome>) {
        match self.newer(id) {
            Some(by) => self.end(id, State::Cancelled, Code::Superseded, Some(by), outcome),
            None => self.come(id, State::Queued, outcome),
        }
    }

    fn older_give_way(&mut self, newer: i64) {
        let new = self.run(newer).clone();
        let older: Vec<i64> = self
            .of_job(&new.job)
            .filter(|r| r.key == new.key && r.age() < new.age() && r.waits() && r.claims > 0)
            .map(|r| r.id)
            .collect();
        for id in older {
            if let Some(by) = self.newer(id) {
                self.end(id, State::Cancelled, Code::Superseded, Some(by), None);
            }
        }
    }

    pub(crate) fn cancel(&mut self, id: i64) -> Expect {
        let Some(run) = self.runs.get_mut(&id) else { return Expect::NotFound };
        let from = run.state;
        if !run.live() {
            return Expect::Changed { from, to: from, asked: false };
        }
        if from == State::Running {
            run.asked = true;
            return Expect::Changed { from, to: from, asked: true };
        }
        self.end(id, State::Cancelled, Code::CancelledByHand, None, None);
        Expect::Changed { from, to: State::Cancelled, asked: false }
    }

    pub(crate) fn retry(&mut self, id: i64, source: Source) -> Expect {
        let now = self.now;
        let Some(run) = self.runs.get_mut(&id) else { return Expect::NotFound };
        let from = run.state;
        if from == State::Retrying {
            run.due = now;
            self.start_again(id, None);
            return Expect::Changed { from, to: self.run(id).state, asked: false };
        }
        if run.live() {
            return Expect::Changed { from, to: from, asked: false };
        }
        let (job, args) = (run.job.clone(), run.args);
        self.trigger(&Asked { job: &job, source, args, priority: None, at: now, id: None })
    }
}
