//! What becomes of a trigger, and of a run that falls due.

use crate::{Answer, Args, Code, Decided, Decision, First, HOUR, Model, Outcome, Run, Said, Source, Spec, State};

const REPLAY_WINDOW: i64 = 24 * HOUR;
const SCHEDULED_AT_MOST: usize = 10_000;

/// A trigger.
#[derive(Debug)]
pub struct Asked<'a> {
    pub job: &'a str,
    pub source: Source,
    pub args: Args,
    /// `None`: the job's own.
    pub priority: Option<usize>,
    /// When it wants its run; a time that has come is now.
    pub at: i64,
    /// It said how much later, not when.
    pub delay: Option<i64>,
    pub id: Option<String>,
}

/// What rules 4 and 5 say against a run.
struct Against {
    code: Code,
    by: Option<i64>,
    fails: bool,
}

impl Model {
    /// Decides one trigger, by the rules in their order.
    pub fn trigger(&mut self, asked: &Asked<'_>) -> Decided {
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
                self.runs
                    .values_mut()
                    .filter(|r| r.job == asked.job && r.trigger_id.as_ref() == Some(id))
                    .for_each(|r| r.trigger_id = None);
            }
        }
        let answer = self.rules(asked);
        if let Some(id) = &asked.id {
            let first = First { at: self.now, args: asked.args.clone(), answer: answer.clone() };
            self.ids.insert((asked.job.to_owned(), id.clone()), first);
        }
        answer
    }

    fn seen(&mut self, asked: &Asked<'_>, first: &First) -> Decided {
        if first.args != asked.args {
            return self.decide(asked, Decision::Rejected, Code::TriggerIdReused, None, None);
        }
        let Decided { decision, code, run, by, .. } = first.answer;
        let mut again = self.decide(asked, decision, code, run, by);
        again.replayed = true;
        if let Some(Said::Decided { answer, .. }) = self.said.last_mut() {
            answer.replayed = true;
        }
        again
    }

    fn decide(
        &mut self,
        asked: &Asked<'_>,
        decision: Decision,
        code: Code,
        run: Option<i64>,
        by: Option<i64>,
    ) -> Decided {
        let count = |which: fn(&Run) -> bool| self.of_job(asked.job).filter(|r| which(r)).count();
        let answer = Decided { decision, code, run, by, replayed: false };
        let said = Said::Decided {
            job: asked.job.to_owned(),
            source: asked.source,
            answer: answer.clone(),
            count: None,
            aggressive: self.in_force(asked.job).aggressive,
            later: false,
            waiting: count(Run::waits),
            running: count(|r| r.state == State::Running),
        };
        self.said.push(said);
        answer
    }

    fn rules(&mut self, asked: &Asked<'_>) -> Decided {
        let Some(spec) = self.spec(asked.job).cloned() else {
            return self.decide(asked, Decision::Rejected, Code::UnknownJob, None, None);
        };
        let key = match self.key(&spec, &asked.args) {
            Ok(key) => key,
            Err(code) => return self.decide(asked, Decision::Rejected, code, None, None),
        };
        if self.is_paused(asked.job) && asked.source == Source::Schedule {
            return self.decide(asked, Decision::Skipped, Code::Paused, None, None);
        }
        let priority = asked.priority.unwrap_or(spec.priority);
        let later = asked.at > self.now;
        let against = if later { self.against_later(asked, &key) } else { self.against(asked.job, &key) };
        if let Some(against) = against {
            self.lift(&against, priority);
            let decision = if against.fails { Decision::Rejected } else { Decision::Skipped };
            return self.decide(asked, decision, against.code, None, against.by);
        }
        self.admit(asked, key, priority, later)
    }

    /// The key of a run, whether deduplication is on or off.
    fn key(&self, spec: &Spec, args: &Args) -> Result<Option<String>, Code> {
        match &spec.same {
            _ if *args == Args::Unreadable => Err(Code::BadArguments),
            _ if spec.monitoring && self.switches.aggressive => Ok(Some(String::new())),
            None => Ok(None),
            Some(same) => {
                same.key(args).map(Some).or_else(|code| if self.switches.dedup { Err(code) } else { Ok(None) })
            }
        }
    }

    fn admit(&mut self, asked: &Asked<'_>, key: Option<String>, priority: usize, later: bool) -> Decided {
        self.last_run += 1;
        let id = self.last_run;
        let same = self.in_force(asked.job).same;
        let state = if later { State::Scheduled } else { State::Queued };
        let at = asked.at.max(self.now);
        let run = Run {
            id,
            job: asked.job.to_owned(),
            state,
            target: same.is_some() && !later,
            deduped: same.is_some(),
            key,
            priority,
            admitted: self.now,
            first_due: at,
            due: at,
            delay: asked.delay.filter(|_| later),
            args: asked.args.clone(),
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
        self.runs.insert(id, run);
        self.live.entry(asked.job.to_owned()).or_default().insert(id);
        let answer = self.decide(asked, Decision::Admitted, Code::WithinLimits, Some(id), None);
        if let Some(Said::Decided { later: said, .. }) = self.said.last_mut() {
            *said = later;
        }
        self.come(id, state, None);
        if !later {
            self.older_give_way(id);
        }
        answer
    }

    /// A trigger for later has as target only a scheduled run of its key due at the same time.
    fn against_later(&self, asked: &Asked<'_>, key: &Option<String>) -> Option<Against> {
        let is_target = |r: &&Run| r.state == State::Scheduled && r.deduped && r.key == *key && r.due == asked.at;
        if let Some(same) = self.in_force(asked.job).same
            && let Some(target) = self.of_job(asked.job).find(is_target)
        {
            return Some(Against { code: Code::DuplicateWaiting, by: Some(target.id), fails: same.fails });
        }
        let scheduled = self.of_job(asked.job).filter(|r| r.state == State::Scheduled).count();
        (scheduled >= SCHEDULED_AT_MOST).then_some(Against { code: Code::QueueFull, by: None, fails: true })
    }

    /// Rules 4 and 5.
    fn against(&self, job: &str, key: &Option<String>) -> Option<Against> {
        let rules = self.in_force(job);
        if let Some(same) = &rules.same
            && let Some(target) = self.of_job(job).find(|r| r.target && r.key.is_some() && r.key == *key)
        {
            let running = target.state == State::Running;
            let code = if running { Code::DuplicateRunning } else { Code::DuplicateWaiting };
            return Some(Against { code, by: Some(target.id), fails: same.fails });
        }
        let taking: Vec<&Run> =
            self.of_job(job).filter(|r| if rules.waiting_alone { r.waits() } else { r.takes_place() }).collect();
        if (taking.len() as u64) < rules.places {
            return None;
        }
        let by = taking.iter().min_by_key(|r| r.age()).map(|r| r.id);
        let code = if rules.no_waiting { Code::ConcurrencyLimit } else { Code::QueueFull };
        Some(Against { code, by, fails: rules.full_fails })
    }

    /// A skipped duplicate that outranks a target which has not started lifts it.
    fn lift(&mut self, against: &Against, priority: usize) {
        let Some(id) = against.by.filter(|_| against.code.is_duplicate() && !against.fails) else { return };
        let run = self.run_mut(id);
        if run.claims == 0 && run.priority < priority {
            run.priority = priority;
            self.lifts += 1;
        }
    }

    /// A node that sees that the clock was set back: nobody waits longer than its delay.
    pub fn bring_forward(&mut self) {
        let now = self.now;
        let waiting: Vec<i64> =
            self.live().filter(|r| matches!(r.state, State::Scheduled | State::Retrying)).map(|r| r.id).collect();
        for id in waiting {
            let run = self.run_mut(id);
            let Some(latest) = run.delay.map(|delay| now + delay).filter(|latest| run.due > *latest) else { continue };
            run.due = latest;
            if run.state == State::Scheduled {
                run.first_due = latest;
            }
        }
    }

    /// Moves what has fallen due, by time; how many.
    pub fn due(&mut self, max: usize) -> usize {
        let mut moved = 0;
        while moved < max {
            let next = self
                .live()
                .filter(|r| matches!(r.state, State::Scheduled | State::Retrying) && r.due <= self.now)
                .min_by_key(|r| (r.due, r.id))
                .map(|r| (r.id, r.state));
            match next {
                Some((id, State::Retrying)) => self.start_again(id, None),
                Some((id, _)) => self.scheduled_is_due(id),
                None => break,
            }
            moved += 1;
        }
        moved
    }

    fn scheduled_is_due(&mut self, id: i64) {
        let run = self.run(id).clone();
        if let Some(against) = self.against(&run.job, &run.key) {
            self.lift(&against, run.priority);
            return self.end(id, State::Refused, against.code, against.by, None);
        }
        let same = self.in_force(&run.job).same.filter(|_| run.key.is_some());
        let run = self.run_mut(id);
        run.target = same.is_some();
        self.come(id, State::Queued, None);
        self.older_give_way(id);
    }

    /// Does a run that starts now do the work of older ones of its key? The switch does not matter: a run that succeeds
    /// while deduplication is off has done its work all the same.
    pub(crate) fn replaces(&self, job: &str) -> bool {
        self.spec(job).is_some_and(|spec| {
            !(spec.monitoring && self.switches.aggressive) && spec.same.as_ref().is_some_and(|same| same.until_start)
        })
    }

    /// The newest run that does the work of this one.
    pub(crate) fn newer(&self, id: i64) -> Option<i64> {
        let run = self.run(id);
        let same = self.in_force(&run.job).same?;
        if !same.until_start || run.key.is_none() {
            return None;
        }
        self.runs
            .values()
            .filter(|r| r.job == run.job && r.key == run.key && r.age() > run.age())
            .filter(|r| r.state == State::Succeeded || (r.takes_place() && !r.asked))
            .max_by_key(|r| r.age())
            .map(|r| r.id)
    }

    /// A run that had started would start again.
    pub(crate) fn start_again(&mut self, id: i64, outcome: Option<Outcome>) {
        match self.newer(id) {
            Some(by) => self.end(id, State::Cancelled, Code::Superseded, Some(by), outcome),
            None => self.come(id, State::Queued, outcome),
        }
    }

    fn older_give_way(&mut self, newer: i64) {
        let new = self.run(newer);
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

    /// Somebody wants a run to end.
    pub fn cancel(&mut self, id: i64) -> Answer {
        let Some(run) = self.runs.get_mut(&id) else { return Answer::NotFound };
        let from = run.state;
        if !run.live() {
            return Answer::Changed { from, to: from, asked: false };
        }
        if from == State::Running {
            run.asked = true;
            return Answer::Changed { from, to: from, asked: true };
        }
        self.end(id, State::Cancelled, Code::CancelledByHand, None, None);
        Answer::Changed { from, to: State::Cancelled, asked: false }
    }

    /// Somebody wants a run to be tried again.
    pub fn retry(&mut self, id: i64, source: Source) -> Answer {
        let now = self.now;
        let Some(run) = self.runs.get_mut(&id) else { return Answer::NotFound };
        let from = run.state;
        if from == State::Retrying {
            run.due = now;
            self.start_again(id, None);
            return Answer::Changed { from, to: self.run(id).state, asked: false };
        }
        if run.live() {
            return Answer::Changed { from, to: from, asked: false };
        }
        let (job, args) = (run.job.clone(), run.args.clone());
        Answer::Decided(self.trigger(&Asked {
            job: &job,
            source,
            args,
            priority: None,
            at: now,
            delay: None,
            id: None,
        }))
    }
}
