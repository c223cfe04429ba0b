//! The claim: the only way to `running`. The final execution check first, then slots, then a fence.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use jobstile_core::claim::is_refused;
use jobstile_core::decide::Code;
use jobstile_core::id::{Fence, JobId, NodeId, RunId};
use jobstile_core::identity::{Change, Identity};
use jobstile_core::run::Event;

use super::view::{More, View};
use super::{Claim, Claimed, Free, Weight};
use crate::bugs::planted;
use crate::error::Result;
use crate::store::RunRow;

/// The most runs that one claim looks at; the rest waits for the next one.
const MAX_LOOKED_AT: usize = 10_000;

/// The most runs that are read from the line at once.
const MAX_READ: usize = 512;
/// Runs in a row that cannot be taken here, before the line is looked at job by job.
const MAX_PASSED: usize = 512;

/// Before everybody in line.
const FRONT: (i64, RunId) = (i64::MIN, RunId(0));

/// Takes the runs that stand first in line among the jobs that this node can run.
pub(super) fn claim(view: &mut View<'_>, claim: &Claim) -> Result<Vec<Claimed>> {
    let mut taking = Taking { claim, free: claim.free, taken: Vec::new(), looked_at: 0, made_way: false };
    let (mut behind, mut passed) = (FRONT, 0);
    while !taking.is_done() {
        let most = taking.free.total.min(MAX_READ);
        let line = view.tables().ready_line(behind, most)?;
        let whole = line.len() < most;
        // What a node asked for before it was buried comes too late: its runs would be nobody's.
        if !line.is_empty() && behind == FRONT && !view.tables().node_lives(&claim.node)? {
            break;
        }
        for run in line {
            behind = (run.rank, run.id);
            if taking.is_done() {
                break;
            }
            if taking.weight(view, run.job)?.is_some() {
                taking.look_at(view, run)?;
                passed = 0;
            } else {
                passed += 1;
            }
        }
        if std::mem::take(&mut taking.made_way) {
            // Somebody was let in, perhaps further ahead.
            (behind, passed) = (FRONT, 0);
        } else if whole {
            break;
        } else if passed >= MAX_PASSED {
            // Nothing but runs that cannot be taken here: the heads of the other jobs stand behind them.
            if !planted("claim_ends_where_it_should_go_by_job") {
                by_job(view, &mut taking)?;
            }
            break;
        }
    }
    Ok(taking.taken)
}

// The same line as the merged lines of the jobs that can be taken; what cannot be taken costs one seek a job.
fn by_job(view: &mut View<'_>, taking: &mut Taking<'_>) -> Result<()> {
    let mut line = BinaryHeap::new();
    for job in view.tables().ready_jobs()? {
        push(view, taking, job, &mut line)?;
    }
    while let Some(Reverse((_, _, job))) = line.pop() {
        if taking.is_done() {
            return Ok(());
        }
        if taking.weight(view, job)?.is_some()
            && let Some(run) = view.tables().ready_head(job)?
        {
            taking.look_at(view, run)?;
            push(view, taking, job, &mut line)?;
        }
    }
    Ok(())
}

type Line = BinaryHeap<Reverse<(i64, RunId, JobId)>>;

fn push(view: &mut View<'_>, taking: &Taking<'_>, job: JobId, line: &mut Line) -> Result<()> {
    if taking.weight(view, job)?.is_some()
        && let Some(run) = view.tables().ready_head(job)?
    {
        line.push(Reverse((run.rank, run.id, job)));
    }
    Ok(())
}

/// A claim on its way along the line.
struct Taking<'c> {
    claim: &'c Claim,
    free: Free,
    taken: Vec<Claimed>,
    looked_at: usize,
    /// A run went away without a slot, which another one may take.
    made_way: bool,
}

impl Taking<'_> {
    fn is_done(&self) -> bool {
        self.free.total == 0 || (self.looked_at >= MAX_LOOKED_AT && !planted("claim_looks_without_end"))
    }

    /// What kind of worker a job's runs need here; `None` means they cannot be taken now.
    fn weight(&self, view: &mut View<'_>, job: JobId) -> Result<Option<Weight>> {
        let now = view.now;
        let known = view.job(job)?;
        let weight = self.claim.jobs.get(&*known.row.name).copied();
        let takes = !known.paused(now) && known.policy.is_some();
        Ok(weight.filter(|weight| takes && has_room(self.free, *weight)))
    }

    fn look_at(&mut self, view: &mut View<'_>, run: RunRow) -> Result<()> {
        self.looked_at += 1;
        if self.looked_at == MAX_LOOKED_AT {
            view.note_cut_short();
        }
        let Some(weight) = self.weight(view, run.job)? else { return Ok(()) };
        match one(view, run, &self.claim.node)? {
            Became::Running(claimed) => {
                take_room(&mut self.free, weight);
                self.taken.push(claimed);
            }
            Became::Waiting => {}
            Became::Refused => self.made_way = true,
        }
        Ok(())
    }
}

fn take_slot(view: &mut View<'_>, run: &RunRow, fence: Fence) -> Result<bool> {
    if planted("claim_counts_instead_of_taking_a_slot") {
        let job = view.job(run.job)?;
        let slots = job.policy.as_ref().and_then(|policy| policy.slots()).unwrap_or(u32::MAX);
        return Ok(job.tally.running <= u64::from(slots));
    }
    view.tables().take_slot(run.job, run.id, fence)
}

fn has_room(free: Free, weight: Weight) -> bool {
    match weight {
        Weight::Heavy => free.heavy > 0,
        Weight::Light => free.light > 0,
    }
}

fn take_room(free: &mut Free, weight: Weight) {
    free.total -= 1;
    match weight {
        Weight::Heavy => free.heavy -= 1,
        Weight::Light => free.light -= 1,
    }
}

/// What became of a run that the claim looked at.
enum Became {
    Running(Claimed),
    Waiting,
    Refused,
}

fn one(view: &mut View<'_>, mut run: RunRow, node: &NodeId) -> Result<Became> {
    let before = run.fence;
    let rules = Arc::clone(&view.job(run.job)?.rules);
    if rules.final_check && !run.started() {
        let other = view.tables().oldest_running(run.job)?;
        if is_refused(&rules, run.started(), other.is_some()) {
            run.code = Some(Code::ConcurrentExecutionDetected);
            run.by_run = other;
            view.change(&mut run, Event::RefusedAtClaim, before)?;
            view.came(&run, More::default())?;
            view.pass_on(run.job)?;
            return Ok(Became::Refused);
        }
    }
    let job = view.job(run.job)?;
    let name = Arc::clone(&job.row.name);
    let Some(policy) = job.policy.clone() else { return Ok(Became::Waiting) };
    let fence = view.next_fence();
    if policy.slots().is_some() && !take_slot(view, &run, fence)? {
        let limit = view.job(run.job)?.limit();
        view.tables().set_waits_on(run.id, before, Some(&limit))?;
        return Ok(Became::Waiting);
    }
    let first = !run.started();
    let now = view.now;
    run.claims += 1;
    run.fence = fence;
    run.node = Some(node.clone());
    run.claimed_at = Some(now);
    // From its first claim on, a run under `until = "start"` is no longer a target.
    if first && run.identity == Identity::Target && view.is_until_start(run.job)? {
        run.identity = run.identity.after(Change::PassedStart);
        view.tables().clear_target(run.id, before)?;
    }
    view.change(&mut run, Event::Claimed, before)?;
    let waited = first.then(|| now.since(run.first_due));
    view.came(&run, More { args: run.args.clone(), ended: None, waited })?;
    Ok(Became::Running(Claimed {
        run: run.id,
        job: name,
        attempt: run.claims,
        attempts: policy.attempts,
        fence,
        args: run.args,
        timeout: policy.timeout,
        at: now,
    }))
}
