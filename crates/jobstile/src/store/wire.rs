//! A policy as it stands in a store: JSON with durations in microseconds.

use std::time::Duration;

use jobstile_core::policy::{Backoff, Concurrency, Dedup, KeyRule, Policy};
use jobstile_core::schedule::Schedule;
use jobstile_core::time::micros;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};

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
pub(crate) fn read(job: &str, text: &str) -> Result<Policy> {
    let bad = || Error::new(Kind::Store, format!("the policy of job {job} in the store cannot be read"));
    let document: Document = serde_json::from_str(text).map_err(|e| bad().because(e))?;
    let word = |e: jobstile_core::words::UnknownWord| bad().because(e);
    let dedup = match document.dedup {
        None => None,
        Some(dedup) => Some(Dedup {
            key: dedup.key.map_or(KeyRule::AllArguments, KeyRule::Fields),
            until: dedup.until.parse().map_err(word)?,
            on_duplicate: dedup.on_duplicate.parse().map_err(word)?,
        }),
    };
    let schedule = match document.schedule {
        None => None,
        Some(schedule) => Some(Schedule {
            every: duration(schedule.every_us),
            first: schedule.first.parse().map_err(word)?,
            catch_up: schedule.catch_up.parse().map_err(word)?,
        }),
    };
    Ok(Policy {
        monitoring: document.monitoring,
        dedup,
        max_concurrent: document.max_concurrent.map_or(Concurrency::Unlimited, Concurrency::Limited),
        max_waiting: document.max_waiting,
        on_full: document.on_full.map(|text| text.parse().map_err(word)).transpose()?,
        priority: document.priority.parse().map_err(word)?,
        attempts: document.attempts,
        backoff: Backoff {
            delay: duration(document.backoff.0),
            factor: document.backoff.1,
            max: duration(document.backoff.2),
        },
        timeout: document.timeout_us.map(duration),
        schedule,
        enabled: document.enabled,
        args: document.args,
    })
}

fn duration(us: i64) -> Duration {
    Duration::from_micros(u64::try_from(us).unwrap_or(0))
}
