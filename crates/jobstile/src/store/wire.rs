//! A policy as it stands in a store, and where its values came from: JSON with durations in microseconds.

mod origins;

use std::time::Duration;

use jobstile_core::policy::{Backoff, Concurrency, Dedup, KeyRule, Policy};
use jobstile_core::schedule::Schedule;
use jobstile_core::time::micros;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};

pub(crate) use origins::{read as read_origins, write as write_origins};

#[derive(Debug, Serialize, Deserialize)]
struct Document {
    monitoring: bool,
    dedup: Option<DedupDoc>,
    /// `None` means unlimited.
    max_concurrent: Option<u32>,
    max_waiting: u32,
    on_full: Option<String>,
    priority: String,
    attempts: u32,
    backoff: (i64, f64, i64),
    timeout_us: Option<i64>,
    schedule: Option<ScheduleDoc>,
    enabled: bool,
    args: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct DedupDoc {
    /// `None` means all arguments.
    key: Option<Vec<String>>,
    until: String,
    on_duplicate: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct ScheduleDoc {
    every_us: i64,
    first: String,
    catch_up: String,
}

/// The text of a policy.
pub(crate) fn write(policy: &Policy) -> String {
    let document = Document {
        monitoring: policy.monitoring,
        dedup: policy.dedup.as_ref().map(|dedup| DedupDoc {
            key: match &dedup.key {
                KeyRule::AllArguments => None,
                KeyRule::Fields(names) => Some(names.clone()),
            },
            until: dedup.until.to_string(),
            on_duplicate: dedup.on_duplicate.to_string(),
        }),
        max_concurrent: policy.slots(),
        max_waiting: policy.max_waiting,
        on_full: policy.on_full.map(|word| word.to_string()),
        priority: policy.priority.to_string(),
        attempts: policy.attempts,
        backoff: (micros(policy.backoff.delay), policy.backoff.factor, micros(policy.backoff.max)),
        timeout_us: policy.timeout.map(micros),
        schedule: policy.schedule.map(|schedule| ScheduleDoc {
            every_us: micros(schedule.every),
            first: schedule.first.to_string(),
            catch_up: schedule.catch_up.to_string(),
        }),
        enabled: policy.enabled,
        args: policy.args.clone(),
    };
    serde_json::to_string(&document).unwrap_or_default()
}

/// The policy of a text.
///
/// # Errors
/// If it cannot be read, or says what no policy can say.
pub(crate) fn read(job: &str, text: &str) -> Result<Policy> {
    let bad = || Error::new(Kind::Store, format!("the policy of job {job} in the store cannot be read"));
    let document: Document = serde_json::from_str(text).map_err(|e| bad().because(e))?;
    document.policy().map_err(|why| bad().because(why))
}

impl Document {
    fn policy(self) -> std::result::Result<Policy, Box<dyn std::error::Error + Send + Sync>> {
        let dedup = match self.dedup {
            None => None,
            Some(dedup) => Some(Dedup {
                key: dedup.key.map_or(KeyRule::AllArguments, KeyRule::Fields),
                until: dedup.until.parse()?,
                on_duplicate: dedup.on_duplicate.parse()?,
            }),
        };
        let schedule = match self.schedule {
            None => None,
            Some(schedule) => Some(Schedule {
                every: duration("every", schedule.every_us, 1)?,
                first: schedule.first.parse()?,
                catch_up: schedule.catch_up.parse()?,
            }),
        };
        let (delay, factor, max) = self.backoff;
        if self.max_concurrent == Some(0) || self.attempts == 0 || !(factor.is_finite() && factor >= 0.0) {
            return Err("it has a limit, a number of attempts or a factor that no policy has".into());
        }
        Ok(Policy {
            monitoring: self.monitoring,
            dedup,
            max_concurrent: self.max_concurrent.map_or(Concurrency::Unlimited, Concurrency::Limited),
            max_waiting: self.max_waiting,
            on_full: self.on_full.map(|text| text.parse()).transpose()?,
            priority: self.priority.parse()?,
            attempts: self.attempts,
            backoff: Backoff { delay: duration("delay", delay, 0)?, factor, max: duration("max", max, 0)? },
            timeout: self.timeout_us.map(|us| duration("timeout", us, 0)).transpose()?,
            schedule,
            enabled: self.enabled,
            args: self.args,
        })
    }
}

fn duration(what: &str, us: i64, least: u64) -> std::result::Result<Duration, String> {
    match u64::try_from(us) {
        Ok(us) if us >= least => Ok(Duration::from_micros(us)),
        _ => Err(format!("`{what}` is {us} µs")),
    }
}
