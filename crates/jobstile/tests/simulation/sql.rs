//! What the store itself says: queries that must give no rows, and its tables beside the model's.

use std::collections::BTreeSet;

use jobstile::store::sqlite::Store;
use jobstile_model::{Model, Run, State};

use crate::judge::Judge;
use crate::ledger::Ledger;

macro_rules! checks {
    ($($name:literal),+ $(,)?) => { &[$(($name, include_str!(concat!($name, ".sql")))),+] };
}

/// Queries that must give no rows.
const CHECKS: &[(&str, &str)] = checks![
    "attempts_are_claims",
    "foreign_keys",
    "instants_are_decided_once",
    "integrity",
    "limits_have_their_slots",
    "no_forgotten_waiter",
    "slots_are_running_runs",
    "tallies_are_counts",
    "targets_are_live",
    "trigger_ids_are_decided_once",
];

fn rows(store: &Store, sql: &str) -> Result<Vec<Vec<String>>, String> {
    store.rows(sql).map_err(|e| e.to_string())
}

pub(crate) fn check(store: &Store) -> Result<(), String> {
    for (name, sql) in CHECKS {
        let found = rows(store, sql)?;
        if !found.is_empty() {
            return Err(format!("SQL: {name} gives {} rows, the first {:?}", found.len(), found[0]));
        }
    }
    Ok(())
}

/// Every run and every cursor as the model has them.
pub(crate) fn compare(store: &Store, model: &Model) -> Result<(), String> {
    let stored = rows(store, include_str!("runs.sql"))?;
    if stored.len() != model.runs.len() {
        return Err(format!("the store has {} runs, the model {}", stored.len(), model.runs.len()));
    }
    for (stored, run) in stored.iter().zip(model.runs.values()) {
        let expected = columns(run);
        if *stored != expected {
            return Err(format!("run {} differs\n  expected {expected:?}\n  stored   {stored:?}", run.id));
        }
    }
    let stored = rows(store, include_str!("jobs.sql"))?;
    let text = |at: Option<i64>| at.map_or("null".to_owned(), |at| at.to_string());
    let expected: Vec<Vec<String>> = (model.jobs.iter())
        .map(|(name, job)| {
            vec![name.clone(), text(job.next), text(job.last), i32::from(job.paused.is_some()).to_string()]
        })
        .collect();
    if stored != expected {
        return Err(format!("jobs differ\n  expected {expected:?}\n  stored   {stored:?}"));
    }
    Ok(())
}

fn columns(run: &Run) -> Vec<String> {
    let flag = |is: bool| i32::from(is).to_string();
    let or_null = |text: Option<String>| text.unwrap_or_else(|| "null".to_owned());
    let waits_for_time = matches!(run.state, State::Scheduled | State::Retrying);
    vec![
        run.id.to_string(),
        run.job.clone(),
        run.state.to_string(),
        run.key.clone().unwrap_or_default(),
        flag(run.key.is_some()),
        flag(run.target),
        jobstile::core::policy::Priority::ALL[run.priority].to_string(),
        run.admitted.to_string(),
        run.first_due.to_string(),
        run.due.to_string(),
        if waits_for_time { "-".to_owned() } else { run.line().0.to_string() },
        or_null(run.args.stored()),
        run.claims.to_string(),
        run.failures.to_string(),
        run.lost.to_string(),
        run.fence.to_string(),
        or_null(run.node.as_ref().map(ToString::to_string)),
        flag(run.asked && run.state == State::Running),
        or_null(run.code.map(|code| code.to_string())),
        or_null(run.by.map(|by| by.to_string())),
        or_null(run.trigger_id.clone()),
    ]
}

/// What is gone may only be what was allowed to go; from then on it is forgotten. Whether there was any.
pub(crate) fn learn_what_was_pruned(store: &Store, judge: &mut Judge, ledger: &mut Ledger) -> Result<bool, String> {
    let Some(before) = judge.pruned.take() else { return Ok(false) };
    let model = &mut judge.model;
    let left: BTreeSet<i64> =
        rows(store, include_str!("run_ids.sql"))?.iter().filter_map(|row| row[0].parse().ok()).collect();
    let gone: Vec<Run> = model.runs.values().filter(|run| !left.contains(&run.id)).cloned().collect();
    let mut any = !gone.is_empty();
    let surplus: BTreeSet<i64> =
        gone.iter().filter(|run| newer_successes(model, run) >= before.keep as usize).map(|run| run.id).collect();
    for run in gone {
        let old = run.ended.is_some_and(|ended| match run.state {
            State::Succeeded => ended < before.successes.0 || surplus.contains(&run.id),
            _ => ended < before.others.0,
        });
        if run.live() || !old {
            return Err(format!("I15: run {} was pruned and is {}, ended {:?}", run.id, run.state, run.ended));
        }
        if run.trigger_id.is_some() && run.admitted >= before.trigger_ids.0 {
            return Err(format!("I15: run {} was pruned inside the window of its trigger id", run.id));
        }
        model.prune(run.id);
    }
    let kept: BTreeSet<(String, String)> = (rows(store, include_str!("trigger_ids.sql"))?.into_iter())
        .filter_map(|row| <[String; 2]>::try_from(row).ok().map(|[job, id]| (job, id)))
        .collect();
    let forgotten: Vec<(String, String)> = model.ids.keys().filter(|at| !kept.contains(at)).cloned().collect();
    for at in forgotten {
        if model.ids[&at].at >= before.trigger_ids.0 {
            return Err(format!("I15: the first answer to {at:?} was pruned inside its window"));
        }
        model.ids.remove(&at);
        ledger.forget_id(&at.0, &at.1);
        any = true;
    }
    Ok(any)
}

fn newer_successes(model: &Model, run: &Run) -> usize {
    let newer = |r: &&Run| r.job == run.job && r.state == State::Succeeded && (r.ended, r.id) > (run.ended, run.id);
    model.runs.values().filter(newer).count()
}
