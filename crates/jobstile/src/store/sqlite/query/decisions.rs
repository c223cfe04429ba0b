//! Decisions: admitted triggers are runs, all others have rows of their own; a page is merged from both.

use jobstile_core::decide::{Code, Decision};
use jobstile_core::id::{JobId, RunId, TriggerId, Version};
use jobstile_core::time::Time;
use rusqlite::{Row, params};

use super::merge::greatest;
use super::{Reader, ask};
use crate::error::Result;
use crate::store::read::{DecisionFilter, DecisionInfo, DecisionPlace, MAX_PAGE, TurnedAway};
use crate::store::sqlite::row::{self, parsed};

enum Stream {
    Refused,
    RefusedOf(JobId),
    Admitted(JobId),
}

impl Reader {
    pub(crate) fn decisions(&self, filter: &DecisionFilter) -> Result<Vec<DecisionInfo>> {
        let jobs = match &filter.job {
            None if filter.refused_only => vec![],
            None => self.jobs()?,
            Some(name) => self.job(name)?.into_iter().collect(),
        };
        let mut streams = vec![match (&filter.job, jobs.first()) {
            (None, _) => Stream::Refused,
            (Some(_), Some(job)) => Stream::RefusedOf(job.id),
            (Some(_), None) => return Ok(vec![]),
        }];
        if !filter.refused_only {
            streams.extend(jobs.iter().map(|job| Stream::Admitted(job.id)));
        }
        let newest = DecisionPlace { at: filter.until.unwrap_or(Time::MAX), refusal: true, id: i64::MAX };
        let after = filter.after.map_or(newest, |after| after.min(newest));
        let since = filter.since.map_or(i64::MIN, |since| since.0);
        greatest(
            &streams,
            filter.limit.min(MAX_PAGE),
            |one: &DecisionInfo| one.place,
            |stream, last, piece| self.below(stream, last.unwrap_or(after), since, piece),
        )
    }

    // At one instant refusals are the greater ones.
    fn below(&self, of: &Stream, after: DecisionPlace, since: i64, piece: usize) -> Result<Vec<DecisionInfo>> {
        let at = after.at.0;
        let refusal = if after.refusal { after.id } else { i64::MIN };
        let admission = if after.refusal { i64::MAX } else { after.id };
        match of {
            Stream::Refused => self.all(ask!("refused"), params![at, refusal, since, piece], refused),
            Stream::RefusedOf(job) => {
                self.all(ask!("refused_of_job"), params![job.0, at, refusal, since, piece], refused)
            }
            Stream::Admitted(job) => self.all(ask!("admitted"), params![job.0, at, admission, since, piece], admitted),
        }
    }

    pub(crate) fn decision_of_trigger(&self, job: JobId, trigger_id: &TriggerId) -> Result<Option<DecisionInfo>> {
        match self.maybe(ask!("refusal_of_trigger"), params![job.0, trigger_id.as_str()], refused)? {
            Some(decision) => Ok(Some(decision)),
            None => self.maybe(ask!("admitted_trigger"), params![job.0, trigger_id.as_str()], admitted),
        }
    }

    pub(crate) fn turned_away(&self, run: RunId) -> Result<TurnedAway> {
        self.one(ask!("turned_away"), [run.0], |row| {
            Ok(TurnedAway { count: row.get(0)?, first_at: row::maybe_time(row, 1)?, last_at: row::maybe_time(row, 2)? })
        })
    }
}

fn refused(row: &Row<'_>) -> rusqlite::Result<DecisionInfo> {
    let (id, last_at) = (row.get(0)?, Time(row.get(12)?));
    Ok(DecisionInfo {
        place: DecisionPlace { at: last_at, refusal: true, id },
        job: row.get(1)?,
        source: parsed(row, 2)?,
        decision: parsed(row, 3)?,
        code: parsed(row, 4)?,
        run: None,
        by: row.get::<_, i64>(5).map(|run| (run > 0).then_some(RunId(run)))?,
        trigger_id: row::maybe_text(row, 6)?,
        nominal: row::maybe_time(row, 7)?,
        key: row::text(row, 8)?,
        by_whom: row.get(9)?,
        version: Version(row.get(10)?),
        first_at: Time(row.get(11)?),
        last_at,
        count: row.get(13)?,
    })
}

fn admitted(row: &Row<'_>) -> rusqlite::Result<DecisionInfo> {
    let (id, at) = (row.get(0)?, Time(row.get(8)?));
    Ok(DecisionInfo {
        place: DecisionPlace { at, refusal: false, id },
        job: row.get(1)?,
        source: parsed(row, 2)?,
        decision: Decision::Admitted,
        code: Code::WithinLimits,
        run: Some(RunId(id)),
        by: None,
        trigger_id: row::maybe_text(row, 3)?,
        nominal: row::maybe_time(row, 4)?,
        key: row::text(row, 5)?,
        by_whom: row.get(6)?,
        version: Version(row.get(7)?),
        first_at: at,
        last_at: at,
        count: 1,
    })
}
