//! When schedules tick, and what a change of policy does to them.

use serde_json::json;

use crate::model::policy;
use crate::model::world::World;

/// Where a job's schedule stands.
#[derive(Clone, Debug)]
pub(crate) struct Cursor {
    pub(crate) every: i64,
    pub(crate) on: bool,
    pub(crate) looked_at: i64,
    pub(crate) next: i64,
}

impl World {
    /// All pending instants of one job.
    pub(crate) fn tick_one(&mut self) -> bool {
        let pending = self.cursors.iter().find(|(_, c)| c.on && c.next <= self.now);
        let Some((job, cursor)) = pending else {
            return false;
        };
        let (job, every) = (job.clone(), cursor.every);
        let mut instants = Vec::new();
        let mut at = cursor.next;
        while at <= self.now {
            instants.push(at);
            at += every;
        }
        let last = instants[instants.len() - 1];
        let cursor = self.cursors.get_mut(&job).expect("found above");
        cursor.looked_at = last;
        cursor.next = at;

        let latest = self.policies[&job].catch_up_latest;
        let paused = self.paused.contains(&job);
        let bound = every.min(10_000_000);
        let mut missed = 0;
        let mut ticks = 0;
        for instant in instants {
            let age = self.now - instant;
            let in_time = age <= bound;
            let caught_up = latest && instant == last && age <= every && age <= 86_400_000_000;
            // What passed while the job was paused is not missed.
            if in_time || (caught_up && !paused) {
                ticks += 1;
            } else if !paused {
                missed += 1;
            }
        }
        if missed > 0 {
            self.fact(json!({
                "what": "decision", "job": job, "source": "schedule",
                "decision": "missed", "code": "missed", "count": missed,
            }));
            self.log_decision(&job, "missed", "missed");
        }
        for _ in 0..ticks {
            self.tick(&job);
        }
        true
    }

    /// Recomputes every policy, and moves the schedules that this changes.
    pub(crate) fn apply_policy(&mut self) -> Result<(), String> {
        policy::all_known(&self.env, self.tables.keys())?;
        self.switches = policy::switches(&self.env)?;
        for (job, table) in &self.tables {
            let new = policy::policy(job, &self.defaults, table, &self.env)?;
            if let Some(every) = new.every {
                match self.cursors.get_mut(job) {
                    None => {
                        let first = if new.first_after_interval { every } else { 0 };
                        let cursor = Cursor { every, on: new.ticks, looked_at: self.now, next: self.now + first };
                        self.cursors.insert(job.clone(), cursor);
                    }
                    Some(cursor) => {
                        if every != cursor.every {
                            cursor.every = every;
                            cursor.next = cursor.looked_at + every;
                            while cursor.next < self.now {
                                cursor.next += every;
                            }
                        }
                        if new.ticks && !cursor.on {
                            while cursor.next <= self.now {
                                cursor.looked_at = cursor.next;
                                cursor.next += every;
                            }
                        }
                        cursor.on = new.ticks;
                    }
                }
            } else if let Some(cursor) = self.cursors.get_mut(job) {
                cursor.on = false;
            }
            self.policies.insert(job.clone(), new);
        }
        self.no_started_target_where_until_is_start();
        Ok(())
    }
}
