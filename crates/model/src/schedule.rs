//! Schedules, policies and pauses. Instants are found by stepping, one interval after another.

use crate::{Answer, Asked, Code, Decided, Decision, HOUR, Job, Model, Run, S, Said, Source, Spec, State, Switches};

impl Model {
    /// Whether nothing of the job may be claimed.
    #[must_use]
    pub fn is_paused(&self, job: &str) -> bool {
        self.jobs.get(job).is_some_and(|job| job.is_paused(self.now))
    }

    /// Pauses one job or all, until then (`None`: until somebody says otherwise).
    pub fn pause(&mut self, name: Option<&str>, until: Option<i64>) -> Answer {
        self.set_paused(name, Some(until))
    }

    /// Ends the pause of one job or of all.
    pub fn resume(&mut self, name: Option<&str>) -> Answer {
        self.set_paused(name, None)
    }

    fn set_paused(&mut self, name: Option<&str>, pause: Option<Option<i64>>) -> Answer {
        if let Some(name) = name
            && self.spec(name).is_none()
        {
            return Answer::NotFound;
        }
        let (mut names, now) = (Vec::new(), self.now);
        for (at, job) in &mut self.jobs {
            let meant = job.spec.is_some() && name.is_none_or(|name| name == at);
            if meant && (pause.is_some() || job.is_paused(now)) {
                names.push(at.clone());
            }
            if meant {
                job.paused = pause;
            }
        }
        Answer::Names(names)
    }

    /// Takes a job out of the policy.
    pub fn forget(&mut self, name: &str) -> Answer {
        match self.jobs.get_mut(name).filter(|job| job.spec.is_some()) {
            None => Answer::NotFound,
            Some(job) => {
                (job.spec, job.next) = (None, None);
                Answer::Rows(1)
            }
        }
    }

    /// A policy comes into force; jobs that it does not name are taken out.
    pub fn apply(&mut self, switches: Switches, jobs: &[(String, Spec)]) {
        let now = self.now;
        self.switches = switches;
        for (name, spec) in jobs {
            let job = self.jobs.entry(name.clone()).or_default();
            let before = job.spec.as_ref().and_then(|old| old.every);
            (job.next, job.last) = match spec.every {
                None => (None, job.last),
                Some(_) if !spec.enabled => (None, job.last.or(job.next).or(Some(now))),
                Some(every) => {
                    let (next, last) = job.put(before, every, spec.first_later, now);
                    (Some(next), last)
                }
            };
            job.spec = Some(spec.clone());
        }
        for (name, job) in &mut self.jobs {
            if !jobs.iter().any(|(named, _)| named == name) {
                (job.spec, job.next) = (None, None);
            }
        }
        for name in self.jobs.keys().cloned().collect::<Vec<_>>() {
            if !self.in_force(&name).same.is_some_and(|same| same.until_start) {
                continue;
            }
            for id in self.of_job(&name).map(|r| r.id).collect::<Vec<_>>() {
                let run = self.run_mut(id);
                run.target &= run.claims == 0;
            }
        }
    }

    /// Looks at the schedules of these jobs, by name. Whether there was anything to do.
    pub fn ticks(&mut self, mine: impl Fn(&str) -> bool) -> bool {
        let mut any = false;
        for name in self.jobs.keys().cloned().collect::<Vec<_>>() {
            if mine(&name) {
                any |= self.look(&name);
            }
        }
        any
    }

    /// The next instant of a schedule or end of a pause.
    #[must_use]
    pub fn next_look(&self) -> Option<i64> {
        let instants = self.jobs.values().filter_map(|job| job.next);
        let pauses = self.jobs.values().filter_map(|job| job.paused.flatten());
        instants.chain(pauses).filter(|at| *at > self.now).min()
    }

    /// A node that sees that the clock was set back returns every cursor that lies more than an interval ahead.
    pub fn clock_was_set_back(&mut self) {
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
                self.returned += 1;
            }
        }
    }

    fn look(&mut self, name: &str) -> bool {
        let now = self.now;
        let job = self.jobs.get_mut(name).expect("a job that is known");
        let (Some(mut next), Some(spec)) = (job.next, job.spec.clone()) else { return false };
        let Some(every) = spec.every else { return false };
        let mut passed = Vec::new();
        while next <= now {
            passed.push(next);
            next += every;
        }
        let Some(last) = passed.last().copied() else { return false };
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
                let args = spec.tick_args.clone();
                let id = Some(format!("@{at}"));
                self.trigger(&Asked {
                    job: name,
                    source: Source::Schedule,
                    args,
                    priority: None,
                    at: now,
                    delay: None,
                    id,
                });
            }
        }
        true
    }

    fn missed(&mut self, name: &str, count: usize) {
        let of = |which: fn(&Run) -> bool| self.of_job(name).filter(|r| which(r)).count();
        let (waiting, running) = (of(Run::waits), of(|r| r.state == State::Running));
        self.said.push(Said::Decided {
            job: name.to_owned(),
            source: Source::Schedule,
            answer: Decided { decision: Decision::Missed, code: Code::Missed, run: None, by: None, replayed: false },
            count: Some(count as u64),
            aggressive: self.in_force(name).aggressive,
            later: false,
            waiting,
            running,
        });
    }
}

impl Job {
    fn is_paused(&self, now: i64) -> bool {
        self.paused.is_some_and(|until| until.is_none_or(|until| now < until))
    }

    /// Where its schedule stands when it is put in force: as it was, changed, switched on again, or new.
    fn put(&self, before: Option<i64>, every: i64, first_later: bool, now: i64) -> (i64, Option<i64>) {
        match (self.next, self.last) {
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
}

/// The first instant that is later.
fn step(mut next: i64, every: i64, than: i64) -> i64 {
    while next <= than {
        next += every;
    }
    next
}
