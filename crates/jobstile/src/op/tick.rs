//! The schedules: every instant that has come is decided like any other trigger, or is missed.

use std::sync::Arc;

use jobstile_core::decide::{Code, Decision};
use jobstile_core::id::{JobId, TriggerId};
use jobstile_core::key::Key;
use jobstile_core::policy::Priority;
use jobstile_core::schedule::{CatchUp, Cursor, Look, Schedule};
use jobstile_core::time::Time;
use jobstile_core::trigger::{Source, When};

use super::trigger::{Extra, note, trigger_with};
use super::view::View;
use super::{Decided, Moved, Runnable, Trigger};
use crate::args::Args;
use crate::bugs::planted;
use crate::error::Result;
use crate::store::RefusalRow;

/// Schedules that one look takes on, those that are due the longest: what they made ready starts before the next look.
const MAX_TICKS: usize = 500;

/// Looks at the schedules that are due, by name.
pub(super) fn ticks(view: &mut View<'_>, mine: Option<&Runnable>, by: &Arc<str>) -> Result<Moved> {
    let now = view.now;
    let mut moved = 0;
    if view.cursors_may_be_ahead() {
        return_cursors(view)?;
    }
    let is_mine = |name: &Arc<str>| mine.is_none_or(|mine| mine.contains_key(&**name));
    let mut due: Vec<Arc<str>> = view.tables().jobs_due(now)?.into_iter().filter(is_mine).collect();
    let cut_short = due.len() > MAX_TICKS;
    due.truncate(MAX_TICKS);
    due.sort_unstable();
    for name in due {
        moved += tick(view, &name, by)?;
    }
    let next = if cut_short { Some(now) } else { view.tables().next_instant(now)? };
    Ok(Moved { moved, next })
}

// A clock that was set back leaves cursors behind that lie far ahead: they return to now, on whichever node their jobs
// run.
fn return_cursors(view: &mut View<'_>) -> Result<()> {
    let now = view.now;
    for name in view.tables().jobs_due(Time::MAX)? {
        let Some(id) = view.job_id(&name)? else { continue };
        let job = view.job(id)?;
        let Some((next, schedule)) = job.row.next_at.zip(job.policy.as_ref().and_then(|policy| policy.schedule)) else {
            continue;
        };
        let look = schedule.look(Cursor { last: job.row.last_at, next }, now);
        if look.stepped_back {
            set_cursor(view, id, &look.cursor)?;
            view.note_set_back(name);
        }
    }
    Ok(())
}

fn tick(view: &mut View<'_>, name: &Arc<str>, by: &Arc<str>) -> Result<usize> {
    let now = view.now;
    let Some(id) = view.job_id(name)? else { return Ok(0) };
    let job = view.job(id)?;
    let Some((policy, next)) = job.policy.clone().zip(job.row.next_at) else { return Ok(0) };
    let Some(schedule) = policy.schedule else { return Ok(0) };
    let paused = job.paused(now);
    let cursor = Cursor { last: job.row.last_at, next };
    let look = look(&schedule, cursor, now, paused);
    let mut to = look.cursor;
    if planted("next_tick_counts_from_now") {
        to.next = now.plus(schedule.every);
    }
    set_cursor(view, id, &to)?;
    let trigger = Trigger {
        job: Arc::clone(name),
        args: policy.args.as_deref().map_or_else(|| Ok(Args::none()), |text| Args::parse(text.as_bytes())),
        priority: None,
        when: When::Now,
        id: None,
        source: Source::Schedule,
        by: Arc::clone(by),
    };
    if look.missed > 0 && !paused {
        missed(view, &trigger, id, look.missed, look.cursor.last)?;
    }
    for nominal in &look.fire {
        // The instant is the id: it is decided once, whatever the number of schedulers.
        let tick = Trigger { id: Some(TriggerId::of_tick(*nominal)), ..trigger.clone() };
        let extra = Extra { nominal: Some(*nominal), rerun_of: None };
        if !seen(view, id, &tick)? || planted("an_instant_fires_twice") {
            trigger_with(view, &tick, extra)?;
        }
    }
    Ok(1)
}

// Instants that passed while the job was paused are not missed, so there is nothing to catch up; one that is looked at in
// time is still decided.
fn look(schedule: &Schedule, cursor: Cursor, now: Time, paused: bool) -> Look {
    if !paused {
        return schedule.look(cursor, now);
    }
    Look { missed: 0, ..Schedule { catch_up: CatchUp::None, ..*schedule }.look(cursor, now) }
}

fn seen(view: &mut View<'_>, job: JobId, tick: &Trigger) -> Result<bool> {
    match &tick.id {
        Some(id) => Ok(view.tables().first_answer(job, id)?.is_some()),
        None => Ok(false),
    }
}

fn set_cursor(view: &mut View<'_>, job: JobId, cursor: &Cursor) -> Result<()> {
    view.tables().set_cursor(job, Some(cursor.next), cursor.last)?;
    let row = &mut view.job(job)?.row;
    (row.next_at, row.last_at) = (Some(cursor.next), cursor.last);
    Ok(())
}

fn missed(view: &mut View<'_>, trigger: &Trigger, job: JobId, count: u64, last: Option<Time>) -> Result<()> {
    let id = view.next_refusal();
    let refusal = RefusalRow {
        id,
        job: Some(job),
        job_name: Arc::clone(&trigger.job),
        source: Source::Schedule,
        decision: Decision::Missed,
        code: Code::Missed,
        key: Key::empty(),
        by: None,
        minute: None,
        trigger_id: None,
        nominal: last,
        args: None,
        priority: Priority::Normal,
        by_whom: Arc::clone(&trigger.by),
        version: view.version(),
        at: view.now,
        count,
    };
    view.tables().insert_refusal(&refusal)?;
    let answer =
        Decided { decision: Decision::Missed, code: Code::Missed, run: None, by: None, due: None, replayed: false };
    note(view, trigger, Some(job), &answer, Some(count))
}
