//! Schedules, policies and pauses of the model. Instants are found by stepping, one interval after another.

use jobstile::core::decide::{Code, Decision};
use jobstile::core::run::State;
use jobstile::core::trigger::Source;
use jobstile::op::{Answer, Runnable};

use crate::model::{Expect, Job, Model, Said};
use crate::spec::{HOUR, S, Spec};

/// A policy, as the world puts it in force.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) switches: [bool; 3],
    pub(crate) jobs: Vec<(String, Spec)>,
    /// Jobs that are not named are taken out.
    pub(crate) replace: bool,
}

impl Model {
    pub(crate) fn is_paused(&self, job: &str) -> bool {
        self.jobs[job].paused.is_some_and(|until| until.is_none_or(|until| self.now < until))
    }

    pub(crate) fn pause(&mut self, name: Option<&str>, pause: Option<Option<i64>>) -> Expect {
        let known = |job: &Job| job.spec.is_some();
        if let Some(name) = name
            && !self.jobs.get(name).is_some_and(known)
        {
            return Expect::NotFound;
        }
        let (mut names, now) = (Vec::new(), self.now);
        for (at, job) in &mut self.jobs {
            let meant = job.spec.is_some() && name.is_none_or(|name| name == at);
            let is_paused = job.paused.is_some_and(|until| until.is_none_or(|until| now < until));
            if meant && (pause.is_some() || is_paused) {
                names.push(at.clone());
            }
            if meant {
                job.paused = pause;
            }
        }
        Expect::Names(names)
    }

    pub(crate) fn forget(&mut self, name: &str) -> Expect {
        match self.jobs.get_mut(name).filter(|job| job.spec.is_some()) {
            None => Expect::NotFound,
            Some(job) => {
                (job.spec, job.next) = (None, None);
                Expect::Rows(1)
            }
        }
    }

    pub(crate) fn apply(&mut self, plan: &Plan) {
        let now = self.now;
        self.switches = plan.switches;
        for (name, spec) in &plan.jobs {
            let job = self.jobs.entry(name.clone()).or_default();
            let before = job.spec.as_ref().and_then(|old| old.every);
            (job.next, job.last) = match spec.every {
                None => (None, job.last),
                Some(_) if !spec.enabled => (None, job.last.or(job.next).or(Some(now))),
                Some(every) => {
                    let (next, last) = put(job, before, every, spec.first_later, now);
                    (Some(next), last)
                }
            };
            job.spec = Some(spec.clone());
        }
        if plan.replace {
            for (name, job) in &mut self.jobs {
                if !plan.jobs.iter().any(|(named, _)| named == name) {
                    (job.spec, job.next) = (None, None);
                }
            }
        }
        for name in self.jobs.keys().cloned().collect::<Vec<_>>() {
            if !self.in_force(&name).same.is_some_and(|same| same.until_start) {
                continue;
            }
            for id in self.of_job(&name).map(|r| r.id).collect::<Vec<_>>() {
                let run = self.run_mut(id);
                run.under_start |= run.key.is_some();
                run.target &= run.claims == 0;
            }
        }
    }

    /// Looks at every schedule, by name.
    pub(crate) fn ticks(&mut self, mine: Option<&Runnable>) {
        self.clock_was_set_back();
        for name in self.jobs.keys().cloned().collect::<Vec<_>>() {
            if mine.is_none_or(|mine| mine.contains_key(&name)) {
                self.look(&name);
            }
        }
    }

    // Whoever looks returns every cursor that lies more than an interval ahead.
    fn clock_was_set_back(&mut self) {
        let now = self.now;
        for job in self.jobs.values_mut() {
            let (Some(mut next), Some(every)) = (job.next, job.spec.as_ref().and_then(|spec| spec.every)) else {
                continue;
            };
            if next - now > every {
                while next - now >= every {
                    next -= every;
                }
                job.next = Some(next);
                job.last = job.last.filter(|last| *last < next);
            }
        }
    }

    fn look(&mut self, name: &str) {
        let now = self.now;
        let job = self.jobs.get_mut(name).expect("a job that is known");
        let (Some(mut next), Some(spec)) = (job.next, job.spec.clone()) else { return };
        let Some(every) = spec.every else { return };
        let mut passed = Vec::new();
        while next <= now {
            passed.push(next);
            next += every;
        }
        let Some(last) = passed.last().copied() else { return };
        (job.next, job.last) = (Some(next), Some(last));
        let paused = self.is_paused(name);
        let mut fire: Vec<i64> = passed.iter().copied().filter(|at| now - at <= every.min(10 * S)).collect();
        if fire.is_empty() && spec.catches_up && !paused && now - last <= every.min(24 * HOUR) {
            fire.push(last);
        }
        let missed = passed.len() - fire.len();
        if missed > 0 && !paused {
            self.missed(name, missed);
        }
        for at in fire {
            if !self.ids.contains_key(&(name.to_owned(), format!("@{at}"))) {
                self.tick(name, at);
            }
        }
    }

    fn missed(&mut self, name: &str, count: usize) {
        let (waiting, running) = (
            self.of_job(name).filter(|r| r.waits()).count(),
            self.of_job(name).filter(|r| r.state == State::Running).count(),
        );
        self.said.push(Said::Decided {
            job: name.to_owned(),
            source: Source::Schedule,
            decision: Decision::Missed,
            code: Code::Missed,
            run: None,
            by: None,
            count: Some(count as u64),
            replayed: false,
            aggressive: self.in_force(name).aggressive,
            later: false,
            waiting,
            running,
        });
    }

    /// When a scheduler is told to look again.
    pub(crate) fn check_next(&self, answer: &jobstile::Result<Answer>) -> Result<(), String> {
        let instants = self.jobs.values().filter_map(|job| job.next);
        let pauses = self.jobs.values().filter_map(|job| job.paused.flatten());
        let next = instants.chain(pauses).filter(|at| *at > self.now).min();
        match answer {
            Ok(Answer::Moved { next: heard, .. }) if heard.map(|t| t.0) == next => Ok(()),
            other => Err(format!("the schedules answered {other:?}, expected to be looked at {next:?}")),
        }
    }
}

/// Where a schedule stands that is put in force: as it was, changed, switched on again, or new.
fn put(job: &Job, before: Option<i64>, every: i64, first_later: bool, now: i64) -> (i64, Option<i64>) {
    match (job.next, job.last) {
        (Some(next), last) if before == Some(every) => (next, last),
        (Some(next), last) => (step(last.map_or(next, |last| last + every), every, now - 1), last),
        (None, Some(last)) => {
            let next = step(last + every, every, now);
            (next, Some(if next == last + every { last } else { next - every }))
        }
        (None, None) if first_later => (now + every, Some(now)),
        (None, None) => (now, None),
    }
}

/// The first instant that is later.
fn step(mut next: i64, every: i64, than: i64) -> i64 {
    while next <= than {
        next += every;
    }
    next
}
