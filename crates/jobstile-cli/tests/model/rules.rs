//! The rules: what becomes of a trigger, of a run that falls due, and of an attempt that ended.

use serde_json::{Value as Json, json};

use crate::model::policy::{Policy, Rule, key_of};
use crate::model::world::{Run, State, World};

const REPLAY_WINDOW: i64 = 24 * 3_600_000_000;
const SCHEDULED_AT_MOST: usize = 10_000;
const WAITING_AT_MOST_WHILE_OFF: usize = 10_000;

/// What the fourth and fifth rule say against a trigger.
struct Against {
    code: &'static str,
    by: usize,
    duplicate: bool,
    fails: bool,
}

impl World {
    pub(crate) fn tick(&mut self, job: &str) {
        let args = self.policies[job].tick_args.clone();
        if self.paused.contains(&job.to_owned()) {
            self.decided(job, "schedule", "skipped", "paused", None);
            self.log_decision(job, "skipped", "paused");
            return;
        }
        self.decide(job, "schedule", args, None, 0);
    }

    pub(crate) fn trigger(&mut self, job: &str, args: Json, priority: Option<u8>, later: i64, id: Option<String>) {
        if let Some(id) = &id {
            let seen =
                self.answers.iter().find(|(j, i, _, at, _)| j == job && i == id && self.now - at <= REPLAY_WINDOW);
            if let Some((_, _, first_args, _, answer)) = seen {
                if *first_args == args {
                    let answer = answer.clone();
                    self.fact(answer);
                } else {
                    self.decided(job, "script", "rejected", "trigger_id_reused", None);
                    self.log_decision(job, "rejected", "trigger_id_reused");
                }
                return;
            }
        }
        if !self.policies.contains_key(job) {
            self.decided(job, "script", "rejected", "unknown_job", None);
            self.log_decision(job, "rejected", "unknown_job");
            return;
        }
        let answer = self.decide(job, "script", args.clone(), priority, later);
        if let Some(id) = id {
            let seen = (job.to_owned(), id, args, self.now, answer);
            self.answers.push(seen);
        }
    }

    /// From the second rule on; gives the answer.
    fn decide(&mut self, job: &str, source: &str, args: Json, priority: Option<u8>, later: i64) -> Json {
        let policy = self.policies[job].clone();
        if !args.is_object() {
            self.log_decision(job, "rejected", "bad_arguments");
            return self.decided(job, source, "rejected", "bad_arguments", None);
        }
        let key = match &policy.rule {
            None => None,
            Some(rule) => match key_of(rule, &args) {
                Some(key) => Some(key),
                None => {
                    self.log_decision(job, "rejected", "missing_key_field");
                    return self.decided(job, source, "rejected", "missing_key_field", None);
                }
            },
        };
        let due = self.now + later;
        let priority = priority.unwrap_or(policy.priority);
        let against = if later > 0 {
            self.against_a_later_one(job, &policy, &key, due)
        } else {
            self.against(job, &policy, &key)
        };
        if let Some(against) = against {
            let decision = if against.fails { "rejected" } else { "skipped" };
            if against.duplicate && !against.fails {
                self.lift(against.by, priority);
            }
            self.log_refusal(job, source, &policy, decision, &against);
            return self.decided(job, source, decision, against.code, Some(against.by));
        }
        if later > 0 && self.count(job, |s| s == State::Scheduled) >= SCHEDULED_AT_MOST {
            return self.decided(job, source, "rejected", "queue_full", None);
        }

        let id = self.runs.len() + 1;
        let target = self.switches.dedup && policy.rule.is_some();
        self.runs.push(Run {
            id,
            job: job.to_owned(),
            args,
            key,
            target,
            priority,
            admitted_at: self.now,
            first_due: due,
            due,
            state: State::Scheduled,
            claims: 0,
            failures: 0,
            lost: 0,
            asked: false,
            started: 0,
            ends: None,
            times_out: None,
            dies: None,
        });
        let answer = json!({
            "what": "decision", "job": job, "source": source,
            "decision": "admitted", "code": "within_limits", "run": id,
        });
        self.fact(answer.clone());
        if later > 0 {
            self.set(id, State::Scheduled, None, None);
            self.log_admission(job);
        } else {
            self.set(id, State::Queued, None, None);
            self.log_admission(job);
            self.older_ones_give_way(id);
        }
        answer
    }

    /// Rules four and five for a trigger of this moment.
    fn against(&self, job: &str, policy: &Policy, key: &Option<Json>) -> Option<Against> {
        let waiting = self.count(job, State::waits);
        if !self.switches.dedup {
            let most = WAITING_AT_MOST_WHILE_OFF.max(policy.place_waiting);
            return (waiting >= most).then(|| Against {
                code: "queue_full",
                by: self.oldest(job, State::waits),
                duplicate: false,
                fails: true,
            });
        }
        if let Some(rule) = &policy.rule
            && let Some(target) = self.target(job, key)
        {
            let waits = self.run(target).state.waits();
            return Some(Against {
                code: if waits { "duplicate_waiting" } else { "duplicate_running" },
                by: target,
                duplicate: true,
                fails: rule.fail,
            });
        }
        let (full, by) = match policy.place_concurrent {
            Some(max) => (
                self.count(job, State::takes_a_place) >= max + policy.place_waiting,
                self.oldest(job, State::takes_a_place),
            ),
            None => (waiting >= policy.place_waiting, self.oldest(job, State::waits)),
        };
        full.then_some(Against {
            code: if policy.place_waiting == 0 { "concurrency_limit" } else { "queue_full" },
            by,
            duplicate: false,
            fails: policy.full_fails,
        })
    }

    /// A trigger for later has as target only a scheduled run of its key due at the same time.
    fn against_a_later_one(&self, job: &str, policy: &Policy, key: &Option<Json>, due: i64) -> Option<Against> {
        let rule = policy.rule.as_ref().filter(|_| self.switches.dedup)?;
        let target = self
            .runs
            .iter()
            .find(|r| r.job == job && r.state == State::Scheduled && r.target && r.key == *key && r.due == due)?;
        Some(Against { code: "duplicate_waiting", by: target.id, duplicate: true, fails: rule.fail })
    }

    fn target(&self, job: &str, key: &Option<Json>) -> Option<usize> {
        key.as_ref()?;
        let target = self.runs.iter().find(|r| r.job == job && r.state.takes_a_place() && r.target && r.key == *key)?;
        Some(target.id)
    }

    pub(crate) fn scheduled_run_is_due(&mut self, id: usize) {
        let run = self.run(id).clone();
        let policy = self.policies[&run.job].clone();
        if let Some(against) = self.against(&run.job, &policy, &run.key) {
            if against.duplicate && !against.fails {
                self.lift(against.by, run.priority);
            }
            self.set(id, State::Refused, Some(against.code), Some(against.by));
            return;
        }
        self.run_mut(id).target = self.switches.dedup && policy.rule.is_some();
        self.set(id, State::Queued, None, None);
        self.older_ones_give_way(id);
    }

    /// A retry is due, or an attempt was lost.
    pub(crate) fn starts_again(&mut self, id: usize) {
        match self.newest_newer(id) {
            Some(by) => self.set(id, State::Cancelled, Some("superseded"), Some(by)),
            None => self.set(id, State::Queued, None, None),
        }
    }

    pub(crate) fn fail(&mut self, id: usize) {
        let policy = self.policies[&self.run(id).job].clone();
        let now = self.now;
        let run = self.run_mut(id);
        run.failures += 1;
        let failures = run.failures;
        if failures >= policy.attempts {
            self.set(id, State::Dead, Some("attempts_used_up"), None);
        } else if let Some(by) = self.newest_newer(id) {
            self.set(id, State::Cancelled, Some("superseded"), Some(by));
        } else {
            self.run_mut(id).due = now + policy.backoff(failures);
            self.set(id, State::Retrying, None, None);
        }
    }

    pub(crate) fn lose(&mut self, id: usize) {
        let run = self.run_mut(id);
        run.lost += 1;
        if run.asked {
            self.set(id, State::Cancelled, Some("cancelled_by_hand"), None);
        } else if run.lost >= 3 {
            self.set(id, State::Dead, Some("crash_budget"), None);
        } else {
            self.starts_again(id);
        }
    }

    /// The final execution check, then the slots of the job.
    pub(crate) fn check_and_claim(&mut self, id: usize) -> bool {
        let run = self.run(id);
        let (job, started) = (run.job.clone(), run.claims > 0);
        let policy = &self.policies[&job];
        let running = self.count(&job, |s| s == State::Running);
        if policy.monitoring && self.switches.stacking && !started && running > 0 {
            let by = self.oldest(&job, |s| s == State::Running);
            let code = "concurrent_execution_detected";
            self.set(id, State::Refused, Some(code), Some(by));
            self.log_line(format!("INFO | Final execution check - skipping duplicate monitoring job | reason={code}"));
            return true;
        }
        if policy.max_concurrent.is_some_and(|max| running >= max) {
            return false;
        }
        self.start(id);
        true
    }

    /// The newest run that makes a started run give way, under the rules of this moment.
    fn newest_newer(&self, id: usize) -> Option<usize> {
        let run = self.run(id);
        if !self.switches.dedup || run.claims == 0 || run.key.is_none() {
            return None;
        }
        let rule: &Rule = self.policies[&run.job].rule.as_ref()?;
        if !rule.until_start {
            return None;
        }
        let newer = self
            .runs
            .iter()
            .filter(|r| r.job == run.job && r.key == run.key)
            .filter(|r| (r.first_due, r.id) > (run.first_due, run.id))
            .filter(|r| r.state == State::Succeeded || (r.state.takes_a_place() && !r.asked))
            .max_by_key(|r| (r.first_due, r.id))?;
        Some(newer.id)
    }

    /// A run was admitted or came due: older ones of its key that wait to start again end.
    fn older_ones_give_way(&mut self, newer: usize) {
        for id in 1..=self.runs.len() {
            if id == newer || !self.run(id).state.waits() {
                continue;
            }
            let (run, new) = (self.run(id), self.run(newer));
            if run.job == new.job
                && run.key == new.key
                && (run.first_due, run.id) < (new.first_due, new.id)
                && let Some(by) = self.newest_newer(id)
            {
                self.set(id, State::Cancelled, Some("superseded"), Some(by));
            }
        }
    }

    /// A skipped duplicate that outranks a run which has not started lifts it.
    fn lift(&mut self, id: usize, priority: u8) {
        let run = self.run_mut(id);
        if run.claims == 0 && run.priority < priority {
            run.priority = priority;
        }
    }

    fn count(&self, job: &str, which: impl Fn(State) -> bool) -> usize {
        self.runs.iter().filter(|r| r.job == job && which(r.state)).count()
    }

    /// The oldest run of the job in such a state; 0 if there is none.
    fn oldest(&self, job: &str, which: impl Fn(State) -> bool) -> usize {
        self.runs
            .iter()
            .filter(|r| r.job == job && which(r.state))
            .min_by_key(|r| (r.first_due, r.id))
            .map_or(0, |r| r.id)
    }

    fn decided(&mut self, job: &str, source: &str, decision: &str, code: &str, by: Option<usize>) -> Json {
        let mut fact = json!({
            "what": "decision", "job": job, "source": source, "decision": decision, "code": code,
        });
        if let Some(by) = by {
            fact["by"] = json!(by);
        }
        self.fact(fact.clone());
        fact
    }

    pub(crate) fn log_line(&mut self, line: String) {
        if self.log {
            self.fact(json!({ "what": "log", "line": line }));
        }
    }

    pub(crate) fn log_decision(&mut self, job: &str, decision: &str, code: &str) {
        self.log_line(format!("INFO | Trigger decided | job_type={job} action={decision} reason={code}"));
    }

    fn log_refusal(&mut self, job: &str, source: &str, policy: &Policy, decision: &str, against: &Against) {
        let duplicate_of_monitoring = against.duplicate && policy.monitoring;
        if decision == "skipped" && (!against.duplicate || (duplicate_of_monitoring && source == "schedule")) {
            self.log_line(format!(
                "INFO | Skipping job execution - concurrency limit reached | job_type={job} \
                 action=skipped reason=concurrency_limit"
            ));
        } else if duplicate_of_monitoring {
            self.log_line(format!(
                "INFO | Deduplicating monitoring job in executor | job_type={job} \
                 aggressive_deduplication=True"
            ));
        } else {
            self.log_decision(job, decision, against.code);
        }
    }

    fn log_admission(&mut self, job: &str) {
        let pending = self.count(job, State::waits);
        self.log_line(format!("DEBUG | Job execution allowed | job_type={job} action=scheduled reason=within_limits"));
        self.log_line(format!("INFO | Scheduled job enqueued successfully | job_type={job} pending_count={pending}"));
    }
}
