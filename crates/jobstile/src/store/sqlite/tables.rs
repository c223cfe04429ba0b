//! The statements that operations ask for, one `.sql` file each.

use std::sync::Arc;

use jobstile_core::decide::{Tally, Target};
use jobstile_core::id::{Fence, JobId, NodeId, RefusalId, RunId, TriggerId, Version};
use jobstile_core::identity::{Identity, Kin};
use jobstile_core::key::Key;
use jobstile_core::policy::Switches;
use jobstile_core::run::State;
use jobstile_core::time::{Time, micros};
use rusqlite::{CachedStatement, Connection, OptionalExtension, Params, Row, params};

use super::row::{self, failed, word};
use crate::bugs::planted;
use crate::error::{Error, Result};
use crate::op::Paused;
use crate::store::{
    AttemptRow, Counters, FirstAnswer, JobRow, NodeRow, Printed, PruneBefore, RefusalRow, Reload, RunRow, Tables,
    VersionRow,
};

macro_rules! sql {
    ($name:literal) => {
        include_str!(concat!("sql/", $name, ".sql"))
    };
}

/// The statements of a store inside a transaction of its connection.
pub(super) struct Tx<'c> {
    connection: &'c Connection,
    // By the text's address: to look a statement up by its text costs as much as to execute it, so once a batch is enough.
    prepared: Vec<(&'static str, CachedStatement<'c>)>,
}

impl<'c> Tx<'c> {
    pub(super) fn of(connection: &'c Connection) -> Self {
        Self { connection, prepared: Vec::new() }
    }

    fn statement(&mut self, sql: &'static str) -> rusqlite::Result<&mut CachedStatement<'c>> {
        let at = match self.prepared.iter().position(|(text, _)| std::ptr::eq(*text, sql)) {
            Some(at) => at,
            None => {
                self.prepared.push((sql, self.connection.prepare_cached(sql)?));
                self.prepared.len() - 1
            }
        };
        Ok(&mut self.prepared[at].1)
    }

    fn run_sql(&mut self, sql: &'static str, params: impl Params) -> Result<usize> {
        self.statement(sql).and_then(|s| s.execute(params)).map_err(failed)
    }

    fn one<T>(
        &mut self,
        sql: &'static str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<T> {
        self.statement(sql).and_then(|s| s.query_row(params, read)).map_err(failed)
    }

    fn maybe<T>(
        &mut self,
        sql: &'static str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>> {
        self.statement(sql).and_then(|s| s.query_row(params, read).optional()).map_err(failed)
    }

    fn all<T>(
        &mut self,
        sql: &'static str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        let rows = self.statement(sql).and_then(|s| s.query_map(params, read)?.collect());
        rows.map_err(failed)
    }

    // A run that is not as it was read: the promise of the fence, kept by the row count.
    fn exactly_one(&self, run: RunId, changed: usize) -> Result<()> {
        if changed == 1 {
            return Ok(());
        }
        Err(Error::invariant(format!("run {run} has another fence than the one it was read with")))
    }
}

impl Tables for Tx<'_> {
    fn data_version(&mut self) -> Result<i64> {
        self.one(sql!("data_version"), [], |r| r.get(0))
    }

    fn counters(&mut self) -> Result<Counters> {
        self.one(sql!("counters"), [], |r| {
            Ok(Counters {
                run: RunId(r.get(0)?),
                refusal: RefusalId(r.get(1)?),
                fence: Fence(r.get(2)?),
                version: Version(r.get(3)?),
            })
        })
    }

    fn set_counters(&mut self, c: Counters) -> Result<()> {
        self.run_sql(sql!("set_counters"), params![c.run.0, c.refusal.0, c.fence.0, c.version.0]).map(drop)
    }

    fn switches(&mut self) -> Result<Option<Switches>> {
        self.maybe(sql!("switches"), [], row::switches)
    }

    fn insert_version(&mut self, v: &VersionRow, now: Time) -> Result<()> {
        let (d, a, s) = match v.switches {
            Some(s) => (Some(s.deduplication), Some(s.aggressive), Some(s.stacking_prevention)),
            None => (None, None, None),
        };
        self.run_sql(sql!("insert_version"), params![v.id.0, v.owner, now.0, v.by, d, a, s, v.origins]).map(drop)
    }

    fn job_by_name(&mut self, name: &str) -> Result<Option<JobRow>> {
        self.maybe(sql!("job_by_name"), [name], row::job)
    }

    fn job_by_id(&mut self, id: JobId) -> Result<Option<JobRow>> {
        self.maybe(sql!("job_by_id"), [id.0], row::job)
    }

    fn jobs(&mut self) -> Result<Vec<JobRow>> {
        self.all(sql!("jobs"), [], row::job)
    }

    fn insert_job(&mut self, name: &str) -> Result<JobId> {
        self.run_sql(sql!("insert_job"), [name])?;
        let id = JobId(self.connection.last_insert_rowid());
        self.run_sql(sql!("insert_tally"), [id.0])?;
        Ok(id)
    }

    fn set_policy(&mut self, j: &JobRow) -> Result<()> {
        let params =
            params![j.id.0, j.policy, j.owner, j.version.0, j.origins, j.next_at.map(|t| t.0), j.last_at.map(|t| t.0)];
        self.run_sql(sql!("set_policy"), params).map(drop)
    }

    fn set_cursor(&mut self, job: JobId, next: Option<Time>, last: Option<Time>) -> Result<()> {
        self.run_sql(sql!("set_cursor"), params![job.0, next.map(|t| t.0), last.map(|t| t.0)]).map(drop)
    }

    fn set_pause(&mut self, job: JobId, pause: Option<&Paused>, now: Time) -> Result<()> {
        let params = params![
            job.0,
            pause.map(|_| now.0),
            pause.and_then(|p| p.until).map(|t| t.0),
            pause.map(|p| &p.by),
            pause.and_then(|p| p.why.as_ref())
        ];
        self.run_sql(sql!("set_pause"), params).map(drop)
    }

    fn jobs_due(&mut self, now: Time) -> Result<Vec<Arc<str>>> {
        self.all(sql!("jobs_due"), [now.0], |r| r.get(0))
    }

    fn next_instant(&mut self, now: Time) -> Result<Option<Time>> {
        self.one(sql!("next_instant"), [now.0], |r| Ok(r.get::<_, Option<i64>>(0)?.map(Time)))
    }

    fn tally(&mut self, job: JobId) -> Result<Tally> {
        self.one(sql!("tally"), [job.0], |r| {
            Ok(Tally { scheduled: r.get(0)?, queued: r.get(1)?, running: r.get(2)?, retrying: r.get(3)? })
        })
    }

    fn set_tally(&mut self, job: JobId, t: Tally) -> Result<()> {
        self.run_sql(sql!("set_tally"), params![job.0, t.scheduled, t.queued, t.running, t.retrying]).map(drop)
    }

    fn run(&mut self, id: RunId) -> Result<Option<RunRow>> {
        self.maybe(sql!("run"), [id.0], row::run)
    }

    fn insert_run(&mut self, r: &RunRow) -> Result<()> {
        let params = params![
            r.id.0,
            r.job.0,
            word(r.state),
            r.key.as_str(),
            r.identity.has_key(),
            matches!(r.identity, Identity::Later | Identity::Target),
            r.identity == Identity::Target,
            r.in_line,
            r.priority.as_str(),
            r.rank,
            r.admitted_at.0,
            r.first_due.0,
            r.due.0,
            r.args,
            r.source.as_str(),
            r.trigger_id.as_ref().map(TriggerId::as_str),
            r.nominal.map(|t| t.0),
            r.by_whom,
            r.rerun_of.map(|id| id.0),
            r.version.0,
            r.waits_on,
            r.delay.map(micros)
        ];
        self.run_sql(sql!("insert_run"), params).map(drop)
    }

    fn update_run(&mut self, r: &RunRow, fence: Fence) -> Result<()> {
        let params = params![
            r.id.0,
            fence.0,
            word(r.state),
            r.identity == Identity::Target,
            r.in_line,
            r.priority.as_str(),
            r.rank,
            r.due.0,
            r.waits_on,
            r.failures,
            r.lost,
            r.node.as_ref().map(NodeId::as_str),
            r.cancel_at.map(|t| t.0),
            r.cancel_by,
            r.ended_at.map(|t| t.0),
            r.code.map(|c| c.as_str()),
            r.by_run.map(|id| id.0),
            r.delay.map(micros)
        ];
        let changed = self.run_sql(sql!("update_run"), params)?;
        self.exactly_one(r.id, changed)
    }

    fn claim_run(&mut self, r: &RunRow, fence: Fence) -> Result<()> {
        let params = params![
            r.id.0,
            fence.0,
            r.claims,
            r.fence.0,
            r.node.as_ref().map(NodeId::as_str),
            r.claimed_at.map(|t| t.0)
        ];
        let changed = self.run_sql(sql!("claim_run"), params)?;
        self.exactly_one(r.id, changed)
    }

    fn clear_target(&mut self, run: RunId, fence: Fence) -> Result<()> {
        let changed = self.run_sql(sql!("clear_target"), params![run.0, fence.0])?;
        self.exactly_one(run, changed)
    }

    fn end_attempt(&mut self, r: &RunRow, fence: Fence) -> Result<()> {
        let params = params![
            r.id.0,
            fence.0,
            word(r.state),
            r.failures,
            r.lost,
            r.ended_at.map(|t| t.0),
            r.code.map(|c| c.as_str()),
            r.by_run.map(|id| id.0)
        ];
        let changed = self.run_sql(sql!("end_attempt"), params)?;
        self.exactly_one(r.id, changed)
    }

    fn target(&mut self, job: JobId, key: &Key) -> Result<Option<Target>> {
        self.maybe(sql!("target"), params![job.0, key.as_str()], row::target)
    }

    fn scheduled_target(&mut self, job: JobId, key: &Key, due: Time) -> Result<Option<Target>> {
        self.maybe(sql!("scheduled_target"), params![job.0, key.as_str(), due.0], row::target)
    }

    fn oldest_taking(&mut self, job: JobId) -> Result<Option<RunId>> {
        self.maybe(sql!("oldest_taking"), [job.0], row::run_id)
    }

    fn oldest_waiting(&mut self, job: JobId) -> Result<Option<RunId>> {
        self.maybe(sql!("oldest_waiting"), [job.0], row::run_id)
    }

    fn oldest_running(&mut self, job: JobId) -> Result<Option<RunId>> {
        self.maybe(sql!("oldest_running"), [job.0], row::run_id)
    }

    fn superseding(&mut self, job: JobId, key: &Key, first_due: Time, id: RunId) -> Result<Option<Kin>> {
        self.maybe(sql!("superseding"), params![job.0, key.as_str(), first_due.0, id.0], row::kin)
    }

    fn superseded(&mut self, job: JobId, key: &Key, first_due: Time, id: RunId) -> Result<Vec<RunId>> {
        self.all(sql!("superseded"), params![job.0, key.as_str(), first_due.0, id.0], row::run_id)
    }

    fn due_beyond_delay(&mut self, now: Time) -> Result<Vec<RunId>> {
        self.all(sql!("due_beyond_delay"), [now.0], row::run_id)
    }

    fn set_due(&mut self, r: &RunRow) -> Result<()> {
        let changed = self.run_sql(sql!("set_due"), params![r.id.0, r.fence.0, r.due.0, r.first_due.0, r.rank])?;
        self.exactly_one(r.id, changed)
    }

    fn next_due(&mut self) -> Result<Option<(Time, RunId)>> {
        self.maybe(sql!("next_due"), [], |r| Ok((Time(r.get(0)?), RunId(r.get(1)?))))
    }

    fn ready_jobs(&mut self) -> Result<Vec<JobId>> {
        self.all(sql!("ready_jobs"), [], row::job_id)
    }

    fn ready_line(&mut self, behind: (i64, RunId), limit: usize) -> Result<Vec<RunRow>> {
        self.all(sql!("ready_line"), params![behind.0, behind.1.0, limit], row::run)
    }

    fn ready_head(&mut self, job: JobId) -> Result<Option<RunRow>> {
        self.maybe(sql!("ready_head"), [job.0], row::run)
    }

    fn first_waiter(&mut self, waits_on: &str) -> Result<Option<RunId>> {
        self.maybe(sql!("first_waiter"), [waits_on], row::run_id)
    }

    fn set_waits_on(&mut self, run: RunId, fence: Fence, waits_on: Option<&str>) -> Result<()> {
        let changed = self.run_sql(sql!("set_waits_on"), params![run.0, fence.0, waits_on])?;
        self.exactly_one(run, changed)
    }

    fn make_all_ready(&mut self, waits_on: &str) -> Result<u64> {
        self.run_sql(sql!("make_all_ready"), [waits_on]).map(|n| n as u64)
    }

    fn clear_started_targets(&mut self, job: JobId) -> Result<()> {
        self.run_sql(sql!("clear_started_targets"), [job.0]).map(drop)
    }

    fn set_in_line(&mut self, job: JobId) -> Result<()> {
        self.run_sql(sql!("set_in_line"), [job.0]).map(drop)
    }

    fn running_of_job(&mut self, job: JobId) -> Result<Vec<RunRow>> {
        self.all(sql!("running_of_job"), [job.0], row::run)
    }

    fn running_of_node(&mut self, node: &NodeId) -> Result<Vec<RunId>> {
        self.all(sql!("running_of_node"), [node.as_str()], row::run_id)
    }

    fn insert_attempt(&mut self, a: &AttemptRow) -> Result<()> {
        let params = params![
            a.run.0,
            a.n,
            a.fence.0,
            a.node.as_str(),
            a.claimed_at.0,
            a.ended_at.0,
            a.outcome.as_str(),
            a.message,
            a.exit_code
        ];
        self.run_sql(sql!("insert_attempt"), params).map(drop)
    }

    fn insert_output(&mut self, run: RunId, n: u32, p: &Printed) -> Result<()> {
        self.run_sql(sql!("insert_output"), params![run.0, n, p.head, p.tail, p.dropped]).map(drop)
    }

    fn insert_result(&mut self, run: RunId, json: &str) -> Result<()> {
        self.run_sql(sql!("insert_result"), params![run.0, json]).map(drop)
    }

    fn take_slot(&mut self, job: JobId, run: RunId, fence: Fence) -> Result<bool> {
        self.run_sql(sql!("take_slot"), params![job.0, run.0, fence.0]).map(|n| n == 1)
    }

    fn release_slot(&mut self, job: JobId, run: RunId, fence: Fence) -> Result<Option<u32>> {
        let held = self.maybe(sql!("held_slot"), params![job.0, run.0, fence.0], |r| r.get(0))?;
        let Some(n) = held else { return Ok(None) };
        let changed = self.run_sql(sql!("release_slot"), params![job.0, run.0, fence.0, n])?;
        self.exactly_one(run, changed)?;
        Ok(Some(n))
    }

    fn has_free_slot(&mut self, job: JobId) -> Result<bool> {
        self.one(sql!("has_free_slot"), [job.0], |r| r.get(0))
    }

    fn last_slot(&mut self, job: JobId) -> Result<Option<u32>> {
        self.one(sql!("last_slot"), [job.0], |r| r.get(0))
    }

    fn slots(&mut self, job: JobId) -> Result<Vec<(u32, Option<RunId>)>> {
        self.all(sql!("slots"), [job.0], |r| Ok((r.get(0)?, r.get::<_, Option<i64>>(1)?.map(RunId))))
    }

    fn insert_slot(&mut self, job: JobId, n: u32, holder: Option<(RunId, Fence)>) -> Result<()> {
        let params = params![job.0, n, holder.map(|h| h.0.0), holder.map(|h| h.1.0)];
        self.run_sql(sql!("insert_slot"), params).map(drop)
    }

    fn move_slot(&mut self, job: JobId, from: u32, to: u32) -> Result<()> {
        self.run_sql(sql!("move_slot"), params![job.0, from, to]).map(drop)
    }

    fn delete_slot(&mut self, job: JobId, n: u32) -> Result<()> {
        self.run_sql(sql!("delete_slot"), params![job.0, n]).map(drop)
    }

    fn first_answer(&mut self, job: JobId, trigger_id: &TriggerId) -> Result<Option<FirstAnswer>> {
        self.maybe(sql!("first_answer"), params![job.0, trigger_id.as_str()], row::first_answer)
    }

    fn forget_trigger_id(&mut self, job: JobId, trigger_id: &TriggerId) -> Result<()> {
        self.run_sql(sql!("forget_run_trigger_id"), params![job.0, trigger_id.as_str()])?;
        self.run_sql(sql!("forget_refusal_trigger_id"), params![job.0, trigger_id.as_str()]).map(drop)
    }

    fn insert_refusal(&mut self, r: &RefusalRow) -> Result<()> {
        let params = params![
            r.id.0,
            r.job.map(|job| job.0),
            r.job_name,
            r.source.as_str(),
            r.decision.as_str(),
            r.code.as_str(),
            r.key.as_str(),
            r.by.map_or(0, |id| id.0),
            r.minute,
            r.trigger_id.as_ref().map(TriggerId::as_str),
            r.nominal.map(|t| t.0),
            r.args,
            r.priority.as_str(),
            r.by_whom,
            r.version.0,
            r.at.0,
            r.count
        ];
        self.run_sql(sql!("insert_refusal"), params).map(drop)
    }

    fn insert_node(&mut self, n: &NodeRow, now: Time) -> Result<()> {
        let born = (&n.boot_id, n.lock_uid);
        let params = params![
            n.id.as_str(),
            n.name,
            n.kind,
            n.host,
            n.pid,
            n.user,
            n.program,
            n.dir,
            n.workers,
            now.0,
            born.0,
            born.1
        ];
        self.run_sql(sql!("insert_node"), params).map(drop)
    }

    fn set_node_jobs(&mut self, node: &NodeId, jobs: &[(String, Option<String>)]) -> Result<()> {
        self.run_sql(sql!("clear_node_jobs"), [node.as_str()])?;
        for (job, reason) in jobs {
            self.run_sql(sql!("insert_node_job"), params![node.as_str(), job, reason])?;
        }
        Ok(())
    }

    fn node_reloaded(&mut self, node: &NodeId, reload: &Reload, now: Time) -> Result<()> {
        let (refused, changes) = match reload {
            Reload::Taken(changes) => (None, Some(changes)),
            Reload::Refused(why) => (Some(why), None),
        };
        self.run_sql(sql!("node_reloaded"), params![node.as_str(), now.0, refused, changes]).map(drop)
    }

    fn end_node(&mut self, node: &NodeId, now: Time, reason: &str) -> Result<()> {
        self.run_sql(sql!("end_node"), params![node.as_str(), now.0, reason]).map(drop)
    }

    fn numbers(&mut self, job: JobId, hour: i64) -> Result<Option<String>> {
        self.maybe(sql!("numbers"), params![job.0, hour], |r| r.get(0))
    }

    fn set_numbers(&mut self, job: JobId, hour: i64, numbers: &str) -> Result<()> {
        self.run_sql(sql!("set_numbers"), params![job.0, hour, numbers]).map(drop)
    }

    fn asked_to_end(&mut self, node: &NodeId) -> Result<Vec<RunId>> {
        self.all(sql!("asked_to_end"), [node.as_str()], row::run_id)
    }

    fn node_jobs(&mut self, node: &NodeId) -> Result<Vec<String>> {
        self.all(sql!("node_jobs"), [node.as_str()], |r| r.get(0))
    }

    fn node_lives(&mut self, node: &NodeId) -> Result<bool> {
        self.one(sql!("node_lives"), [node.as_str()], |row| row.get(0))
    }

    fn live_nodes(&mut self) -> Result<Vec<NodeRow>> {
        self.all(sql!("live_nodes"), [], row::node)
    }

    fn forgotten_waiters(&mut self) -> Result<Vec<JobId>> {
        self.all(sql!("forgotten_waiters"), [], row::job_id)
    }

    fn news(&mut self, from: Counters, to: Counters) -> Result<Vec<(crate::fact::Decided, String)>> {
        self.all(sql!("news"), params![from.run.0, to.run.0, from.refusal.0, to.refusal.0], row::news)
    }

    fn aged(&mut self) -> Result<(Time, Time)> {
        self.one(sql!("aged"), [], |row| Ok((Time(row.get(0)?), Time(row.get(1)?))))
    }

    fn set_aged(&mut self, to: Time, now: Time) -> Result<()> {
        self.run_sql(sql!("set_aged"), params![to.0, now.0]).map(drop)
    }

    fn prune(&mut self, before: PruneBefore) -> Result<u64> {
        if planted("prune_deletes_nothing") {
            return Ok(0);
        }
        let before = match planted("prune_forgets_ids_in_their_window") {
            true => PruneBefore { trigger_ids: Time::MAX, ..before },
            false => before,
        };
        let mut pruned = 0;
        for job in self.jobs()? {
            // The newest success that is one too many; of those that ended together the older runs go first.
            let surplus = self.maybe(sql!("newest_surplus_success"), params![job.id.0, before.keep], |r| {
                Ok((r.get::<_, i64>(0)?, r.get::<_, i64>(1)?.saturating_add(1)))
            })?;
            let (ended, run) = surplus.max(Some((before.successes.0, 0))).unwrap_or_default();
            let params = params![job.id.0, ended, before.trigger_ids.0, before.max, run, before.instants.0];
            pruned += self.run_sql(sql!("prune_successes"), params)?;
            for state in [State::Dead, State::Cancelled, State::Refused, State::Expired] {
                let params = params![
                    job.id.0,
                    before.others.0,
                    before.trigger_ids.0,
                    before.max,
                    word(state),
                    before.instants.0
                ];
                pruned += self.run_sql(sql!("prune_others"), params)?;
            }
        }
        let params = params![before.others.0, before.trigger_ids.0, before.max, before.instants.0];
        pruned += self.run_sql(sql!("prune_refusals"), params)?;
        pruned += self.run_sql(sql!("prune_nodes"), [before.others.0])?;
        pruned += self.run_sql(sql!("prune_stats"), [before.others.0.div_euclid(3_600_000_000)])?;
        Ok(pruned as u64)
    }
}
