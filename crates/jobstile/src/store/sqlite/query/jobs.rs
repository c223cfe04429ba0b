//! Jobs, versions, switches, numbers.

use std::sync::Arc;

use jobstile_core::id::{Fence, JobId, RefusalId, RunId, Version};
use jobstile_core::policy::Switches;
use jobstile_core::time::Time;
use rusqlite::{Row, params};

use super::{Reader, ask};
use crate::error::Result;
use crate::store::numbers::Numbers;
use crate::store::read::{JobInfo, MAX_PAGE, PauseInfo, SlotInfo, StoreInfo, VersionInfo};
use crate::store::sqlite::row::{self, run_id_at};
use crate::store::wire;

impl Reader {
    pub(crate) fn store(&self) -> Result<StoreInfo> {
        self.one(ask!("store"), [], |row| {
            Ok(StoreInfo {
                created_at: Time(row.get(0)?),
                next_run: run_id_at(row, 1)?,
                next_refusal: RefusalId(row.get(2)?),
                version: Version(row.get(3)?),
            })
        })
    }

    pub(crate) fn jobs(&self) -> Result<Vec<JobInfo>> {
        Ok(self.all(ask!("jobs"), [], job)?.into_iter().map(with_policy).collect())
    }

    pub(crate) fn job(&self, name: &str) -> Result<Option<JobInfo>> {
        Ok(self.maybe(ask!("job"), [name], job)?.map(with_policy))
    }

    pub(crate) fn names(&self) -> Result<Vec<Arc<str>>> {
        self.all(ask!("names"), [], |row| row.get(0))
    }

    pub(crate) fn versions(&self, before: Option<Version>, limit: usize) -> Result<Vec<VersionInfo>> {
        self.all(ask!("versions"), params![before.map_or(i64::MAX, |version| version.0), limit.min(MAX_PAGE)], version)
    }

    pub(crate) fn switches(&self) -> Result<Option<VersionInfo>> {
        self.maybe(ask!("switches"), [], version)
    }

    pub(crate) fn numbers(&self, job: JobId, since_hour: i64) -> Result<Vec<(i64, Numbers)>> {
        let rows = self.all(ask!("numbers"), [job.0, since_hour], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))?;
        // An hour with damaged numbers counts nothing; `verify` names it.
        Ok(rows.into_iter().filter_map(|(hour, text)| Some((hour, Numbers::read(&text).ok()?))).collect())
    }

    pub(crate) fn slots(&self, job: JobId) -> Result<Vec<SlotInfo>> {
        self.all(ask!("slots"), [job.0], |row| {
            let run: Option<i64> = row.get(2)?;
            let fence: Option<i64> = row.get(3)?;
            let holder = run.zip(fence).map(|(run, fence)| (RunId(run), Fence(fence)));
            Ok(SlotInfo { job: row.get(0)?, n: row.get(1)?, holder })
        })
    }
}

fn job(row: &Row<'_>) -> rusqlite::Result<(JobInfo, Option<String>)> {
    let paused_at: Option<Time> = row::maybe_time(row, 8)?;
    let pause = match paused_at {
        None => None,
        Some(at) => Some(PauseInfo {
            at,
            until: row::maybe_time(row, 9)?,
            by: row.get::<_, Option<String>>(10)?.unwrap_or_default(),
            why: row.get(11)?,
        }),
    };
    let info = JobInfo {
        id: row::job_id(row)?,
        name: row.get(1)?,
        policy: None,
        damage: None,
        owner: row.get(3)?,
        version: Version(row.get(4)?),
        origins: row.get(5)?,
        next_at: row::maybe_time(row, 6)?,
        last_at: row::maybe_time(row, 7)?,
        pause,
        tally: row::tally(row, 12)?,
    };
    Ok((info, row.get(2)?))
}

fn with_policy((mut job, text): (JobInfo, Option<String>)) -> JobInfo {
    match text.map(|text| wire::read(&job.name, &text)).transpose() {
        Ok(policy) => job.policy = policy,
        Err(error) => job.damage = Some(error.to_string()),
    }
    job
}

fn version(row: &Row<'_>) -> rusqlite::Result<VersionInfo> {
    let deduplication: Option<bool> = row.get(4)?;
    let switches = match deduplication {
        None => None,
        Some(deduplication) => {
            Some(Switches { deduplication, aggressive: row.get(5)?, stacking_prevention: row.get(6)? })
        }
    };
    Ok(VersionInfo {
        id: Version(row.get(0)?),
        owner: row.get(1)?,
        at: Time(row.get(2)?),
        by: row.get(3)?,
        switches,
        origins: row.get(7)?,
    })
}
