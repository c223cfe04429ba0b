//! The policy: putting a version in force, and taking a job out. What a change touches is looked at again.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::sync::Arc;

use jobstile_core::id::{JobId, Version};
use jobstile_core::policy::{Policy, Rules, Until};

use super::view::View;
use super::{Applied, Apply, JobPolicy};
use crate::error::{Error, Kind, Result};
use crate::store::{JobRow, VersionRow, wire};

/// Puts a version in force.
pub(super) fn apply(view: &mut View<'_>, new: &Apply) -> Result<Applied> {
    let (before, switches) = (view.switches, new.switches.unwrap_or(view.switches));
    let rows = touched(view, new, switches != before)?;
    let taken_over = owners(&rows, new)?;
    let version = view.next_version();
    let now = view.now;
    let row = VersionRow {
        id: version,
        owner: new.owner.clone(),
        by: new.by.clone(),
        switches: new.switches,
        origins: new.origins.clone(),
    };
    view.tables().insert_version(&row, now)?;
    for job in &new.jobs {
        put(view, rows.get(&*job.name).cloned(), job, new, version)?;
    }
    if new.replace {
        let named: HashSet<&str> = new.jobs.iter().map(|job| job.name.as_str()).collect();
        for row in rows.values().filter(|row| row.owner.as_deref() == Some(&new.owner)) {
            if !named.contains(&*row.name) {
                take_out(view, row.clone(), version)?;
            }
        }
    }
    view.reread()?;
    let names = rows.keys().cloned().chain(new.jobs.iter().map(|job| job.name.as_str().into()));
    for name in names.collect::<BTreeSet<Arc<str>>>() {
        let Some(row) = view.tables().job_by_name(&name)? else { continue };
        let old = rows.get(&name);
        let old_rules = old.and_then(policy_of).map(|policy| policy.rules(before));
        let Some(policy) = policy_of(&row) else { continue };
        let rules = policy.rules(switches);
        if old.is_none_or(|old| old.policy != row.policy) || old_rules.as_ref() != Some(&rules) {
            look_again(view, row.id, &rules)?;
        }
    }
    view.note_ready();
    view.note_timed();
    Ok(Applied { version, taken_over })
}

type Rows = BTreeMap<Arc<str>, JobRow>;

// The jobs that a version can touch, as they are before it: all of them, or the ones that it names.
fn touched(view: &mut View<'_>, new: &Apply, other_switches: bool) -> Result<Rows> {
    let rows = if new.replace || other_switches {
        view.tables().jobs()?
    } else {
        let named = new.jobs.iter().map(|job| view.tables().job_by_name(&job.name));
        named.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect()
    };
    Ok(rows.into_iter().map(|row| (Arc::clone(&row.name), row)).collect())
}

// A damaged policy is none: a good one takes its place.
fn policy_of(row: &JobRow) -> Option<Policy> {
    row.policy.as_deref().and_then(|text| wire::read(&row.name, text).ok())
}

fn owners(rows: &Rows, new: &Apply) -> Result<Vec<(String, String)>> {
    let taken: HashSet<&str> = new.taken.iter().map(String::as_str).collect();
    let mut taken_over = Vec::new();
    for job in &new.jobs {
        let owner = rows.get(&*job.name).and_then(|row| row.owner.as_ref());
        let Some(owner) = owner.filter(|owner| **owner != new.owner) else { continue };
        if taken.contains(&*job.name) {
            let what = format!("job {} belongs to {owner}, which is at work; give it another name here", job.name);
            return Err(Error::new(Kind::Taken, what));
        }
        taken_over.push((job.name.clone(), owner.clone()));
    }
    Ok(taken_over)
}

fn put(view: &mut View<'_>, row: Option<JobRow>, job: &JobPolicy, new: &Apply, version: Version) -> Result<()> {
    let text = wire::write(&job.policy);
    let mut row = match row {
        Some(row) => row,
        None => {
            let id = view.tables().insert_job(&job.name)?;
            view.tables().job_by_id(id)?.ok_or_else(|| Error::invariant("a job that was inserted is there"))?
        }
    };
    let cursor = cursor(&row, &job.policy, view);
    if row.policy.as_ref() == Some(&text)
        && row.owner.as_deref() == Some(&new.owner)
        && row.origins == job.origins
        && cursor == (row.next_at, row.last_at)
    {
        return Ok(());
    }
    row.policy = Some(text);
    row.owner = Some(new.owner.clone());
    row.version = version;
    row.origins = job.origins.clone();
    (row.next_at, row.last_at) = cursor;
    view.tables().set_policy(&row)?;
    slots(view, row.id, job.policy.slots())
}

fn take_out(view: &mut View<'_>, mut row: JobRow, version: Version) -> Result<()> {
    row.policy = None;
    row.owner = None;
    row.version = version;
    row.next_at = None;
    view.tables().set_policy(&row)
}

type CursorColumns = (Option<jobstile_core::time::Time>, Option<jobstile_core::time::Time>);

// Where the schedule stands after the change. Instants that passed before it are not missed.
fn cursor(row: &JobRow, policy: &Policy, view: &View<'_>) -> CursorColumns {
    let Some(schedule) = policy.schedule else { return (None, row.last_at) };
    let old = policy_of(row).and_then(|old| old.schedule);
    if !policy.enabled {
        // Switched off, also from the start: it does not fire, and its instants stay where they are.
        return (None, row.last_at.or(row.next_at).or(Some(view.now)));
    }
    let cursor = schedule.put(old.as_ref(), row.next_at, row.last_at, view.now);
    (Some(cursor.next), cursor.last)
}

// A limit has exactly `max` slot rows, or as many as are held if these are more: free ones beyond it go at once, held
// ones when they are released; running attempts that were claimed without a limit hold rows too. Numbered without gaps.
fn slots(view: &mut View<'_>, job: JobId, max: Option<u32>) -> Result<()> {
    let rows = view.tables().slots(job)?;
    let max = max.unwrap_or(0);
    let mut free: VecDeque<u32> = rows.iter().filter(|(_, holder)| holder.is_none()).map(|(n, _)| *n).collect();
    let mut kept: Vec<u32> = rows.iter().filter(|(_, holder)| holder.is_some()).map(|(n, _)| *n).collect();
    let mut beyond = rows.last().map_or(0, |(n, _)| n + 1)..;
    let running = if max > 0 { view.tables().running_of_job(job)? } else { vec![] };
    for run in running.iter().filter(|run| !rows.iter().any(|(_, holder)| *holder == Some(run.id))) {
        // The free slot with the lowest number is the one that is taken.
        if view.tables().take_slot(job, run.id, run.fence)? {
            kept.extend(free.pop_front());
        } else if let Some(n) = beyond.next() {
            view.tables().insert_slot(job, n, Some((run.id, run.fence)))?;
            kept.push(n);
        }
    }
    while kept.len() + free.len() > max as usize
        && let Some(n) = free.pop_back()
    {
        view.tables().delete_slot(job, n)?;
    }
    kept.extend(free);
    kept.sort_unstable();
    let count = u32::try_from(kept.len()).unwrap_or(u32::MAX);
    let gaps = (0..count).filter(|n| kept.binary_search(n).is_err());
    for (from, to) in kept.iter().rev().zip(gaps) {
        view.tables().move_slot(job, *from, to)?;
    }
    (count..max).try_for_each(|n| view.tables().insert_slot(job, n, None))
}

// The runs that a change touches are ready again, and the claim looks at them under the new rules.
fn look_again(view: &mut View<'_>, job: JobId, rules: &Rules) -> Result<()> {
    let limit = view.job(job)?.limit();
    view.tables().make_all_ready(&limit)?;
    if rules.dedup.as_ref().is_some_and(|dedup| dedup.until == Until::Start) {
        view.tables().clear_started_targets(job)?;
        view.tables().set_in_line(job)?;
    }
    Ok(())
}

/// Takes a job out of the policy; its history stays.
pub(super) fn forget(view: &mut View<'_>, name: &str) -> Result<u64> {
    let row = view.tables().job_by_name(name)?.filter(|row| row.policy.is_some());
    let row = row.ok_or_else(|| Error::new(Kind::NotFound, format!("there is no job {name}")))?;
    let version = view.next_version();
    let now = view.now;
    let by = VersionRow {
        id: version,
        owner: row.owner.clone().unwrap_or_default(),
        by: "forget".to_owned(),
        switches: None,
        origins: "{}".to_owned(),
    };
    view.tables().insert_version(&by, now)?;
    take_out(view, row, version)?;
    view.reread()?;
    Ok(1)
}
