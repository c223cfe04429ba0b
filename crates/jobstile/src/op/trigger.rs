//! One trigger: what the store knows of it, the decision, and its row.

use std::sync::Arc;

use jobstile_core::claim::rank;
use jobstile_core::decide::{
    Asked, By, Decision, Problem, Ruling, Seen, Target, Verdict, View as Facts, decide, refuse,
};
use jobstile_core::id::{Fence, JobId, RefusalId, RunId};
use jobstile_core::identity::{self, Identity};
use jobstile_core::job::MAX_NAME;
use jobstile_core::key::Key;
use jobstile_core::policy::Priority;
use jobstile_core::retention::REPLAY_WINDOW;
use jobstile_core::run::State;
use jobstile_core::time::Time;
use jobstile_core::trigger::{Source, When};

use super::view::{More, View};
use super::{Decided, Trigger};
use crate::bugs::planted;
use crate::error::{Error, Kind, Result};
use crate::fact;
use crate::store::{FirstAnswer, RefusalRow, RunRow};

/// What a trigger carries beyond its caller's words.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Extra {
    /// The instant of a tick.
    pub(super) nominal: Option<Time>,
    /// The run it repeats.
    pub(super) rerun_of: Option<RunId>,
}

/// Decides one trigger.
pub(super) fn trigger(view: &mut View<'_>, trigger: &Trigger) -> Result<Decided> {
    trigger_with(view, trigger, Extra::default())
}

/// Decides one trigger of a schedule or of a retry by hand.
pub(super) fn trigger_with(view: &mut View<'_>, trigger: &Trigger, extra: Extra) -> Result<Decided> {
    let Some(job) = view.job_id(&trigger.job)? else {
        let trigger = Trigger { job: shown(&trigger.job), ..trigger.clone() };
        return refused(view, &trigger, extra, None, Key::empty(), refuse(Problem::UnknownJob));
    };
    if view.job(job)?.is_damaged() {
        // Never an "allow", and never a silent drop.
        let what = format!("the policy of job {} in the store cannot be read: jobstile verify", trigger.job);
        return Err(Error::new(Kind::Store, what));
    }
    let first = first_answer(view, job, trigger)?;
    let seen = match &first {
        None => Seen::New,
        Some(_) if planted("trigger_ids_are_forgotten") => Seen::New,
        Some(first) if first.args == remembered(trigger) => Seen::Before,
        Some(_) => Seen::WithOtherArguments,
    };
    let (key, problem) = match key_of(view, job, trigger)? {
        Ok(key) => (key, None),
        Err(problem) => (None, Some(problem)),
    };
    let default = view.job(job)?.policy.as_ref().map_or(Priority::Normal, |policy| policy.priority);
    let priority = trigger.priority.unwrap_or(default);
    let now = view.now;
    let when = trigger.when.at(now);
    let target = match &key {
        Some(key) => target_of(view, job, key, when)?,
        None => None,
    };
    let known = view.job(job)?;
    let mut tally = known.tally;
    if planted("scheduled_runs_have_no_limit") {
        tally.scheduled = 0;
    }
    let target = target.filter(|target| target.state != State::Queued || !planted("a_waiting_run_is_no_target"));
    let facts = Facts { paused: known.paused(now), target, tally };
    let rules = Arc::clone(&known.rules);
    let asked = Asked { source: trigger.source, when, priority, seen, problem };
    match (decide(&rules, &asked, &facts), first) {
        (Verdict::New(ruling), _) if ruling.decision == Decision::Admitted => {
            admitted(view, trigger, extra, Admission { job, key, priority, when })
        }
        (Verdict::New(ruling), _) => {
            if ruling.lift {
                lift(view, ruling.by, priority)?;
            }
            refused(view, trigger, extra, Some(job), key.unwrap_or_default(), ruling)
        }
        (Verdict::Replay, Some(first)) => replayed(view, trigger, job, &first),
        (Verdict::Replay, None) => Err(Error::invariant("a replayed trigger has a first answer")),
    }
}

// What no job can be called is kept only as far as a name could go.
fn shown(name: &Arc<str>) -> Arc<str> {
    match name.char_indices().nth(MAX_NAME) {
        Some((end, _)) => [&name[..end], "…"].concat().into(),
        None => Arc::clone(name),
    }
}

// The arguments of a trigger id, to be compared: those that could not be read are an empty text, which no JSON is.
fn remembered(trigger: &Trigger) -> Option<Arc<str>> {
    trigger.args.as_ref().map_or_else(|_| Some(Arc::default()), |args| args.stored())
}

fn first_answer(view: &mut View<'_>, job: JobId, trigger: &Trigger) -> Result<Option<FirstAnswer>> {
    let Some(id) = &trigger.id else { return Ok(None) };
    let now = view.now;
    match view.tables().first_answer(job, id)? {
        Some(first) if now.since(first.at) > REPLAY_WINDOW && trigger.source != Source::Schedule => {
            view.tables().forget_trigger_id(job, id)?;
            Ok(None)
        }
        first => Ok(first),
    }
}

fn key_of(view: &mut View<'_>, job: JobId, trigger: &Trigger) -> Result<Result<Option<Key>, Problem>> {
    let rule = view.key_rule(job)?;
    let known = view.job(job)?;
    if known.policy.is_none() {
        return Ok(Err(Problem::UnknownJob));
    }
    let Ok(args) = &trigger.args else { return Ok(Err(Problem::BadArguments)) };
    Ok(identity::key_of(rule.as_ref(), known.rules.dedup.is_some(), |rule| {
        let key = args.key(rule)?;
        Ok(if planted("keys_are_hashes") { Key::from((key.as_str().len() % 2).to_string()) } else { key })
    }))
}

fn target_of(view: &mut View<'_>, job: JobId, key: &Key, when: When) -> Result<Option<Target>> {
    if view.job(job)?.rules.dedup.is_none() {
        return Ok(None);
    }
    match when {
        When::Now => view.target(job, key),
        When::At(_) | When::In(_) => {
            let due = when.instant(view.now);
            view.tables().scheduled_target(job, key, due)
        }
    }
}

struct Admission {
    job: JobId,
    key: Option<Key>,
    priority: Priority,
    when: When,
}

fn admitted(view: &mut View<'_>, trigger: &Trigger, extra: Extra, how: Admission) -> Result<Decided> {
    let (now, version) = (view.now, view.version());
    let due = how.when.instant(now);
    let state = if how.when == When::Now { State::Queued } else { State::Scheduled };
    let identity = Identity::of_new(how.key.is_some(), view.job(how.job)?.rules.dedup.is_some(), how.when);
    let mut run = RunRow {
        id: RunId(0),
        job: how.job,
        state,
        identity,
        in_line: identity.has_key() && view.is_until_start(how.job)?,
        key: how.key.unwrap_or_default(),
        priority: how.priority,
        rank: rank(now, due, how.priority),
        admitted_at: now,
        first_due: due,
        due,
        delay: how.when.delay(),
        args: trigger.args.as_ref().ok().and_then(|args| args.stored()),
        source: trigger.source,
        trigger_id: trigger.id.clone(),
        nominal: extra.nominal,
        by_whom: Arc::clone(&trigger.by),
        rerun_of: extra.rerun_of,
        version,
        waits_on: None,
        claims: 0,
        failures: 0,
        lost: 0,
        fence: Fence::default(),
        node: None,
        claimed_at: None,
        cancel_at: None,
        cancel_by: None,
        ended_at: None,
        code: None,
        by_run: None,
    };
    if state == State::Queued {
        run.waits_on = waits_on(view, &run)?;
    }
    run.id = view.insert(run.clone())?;
    let answer = Decided {
        decision: Decision::Admitted,
        code: jobstile_core::decide::Code::WithinLimits,
        run: Some(run.id),
        by: None,
        due: (state == State::Scheduled).then_some(due),
        replayed: false,
    };
    note(view, trigger, Some(how.job), &answer, None)?;
    view.came(&run, More::default())?;
    super::supersede::older_give_way(view, &run)?;
    Ok(answer)
}

/// What a run that is queued now would wait for: its job's limit, if no slot of it is free.
pub(super) fn waits_on(view: &mut View<'_>, run: &RunRow) -> Result<Option<String>> {
    let job = view.job(run.job)?;
    let limited = job.policy.as_ref().and_then(|policy| policy.slots()).is_some();
    let checked = job.rules.final_check && !run.started();
    // The final execution check looks at these runs; they are not held back by their own job's slots.
    if !limited || checked || view.tables().has_free_slot(run.job)? {
        return Ok(None);
    }
    Ok(Some(view.job(run.job)?.limit()))
}

/// The target takes over a higher priority, and is looked at again.
pub(super) fn lift(view: &mut View<'_>, by: By, priority: Priority) -> Result<()> {
    let By::Run(id) = by else { return Ok(()) };
    let mut target = view.run(id)?;
    target.priority = priority;
    target.rank = rank(target.admitted_at, target.due, priority);
    if target.state == State::Queued {
        target.waits_on = None;
    }
    view.touch(&target)
}

fn refused(
    view: &mut View<'_>,
    trigger: &Trigger,
    extra: Extra,
    job: Option<JobId>,
    key: Key,
    ruling: Ruling,
) -> Result<Decided> {
    let by = match job {
        Some(job) => view.holder(job, ruling.by)?,
        None => None,
    };
    let reused = ruling.code == jobstile_core::decide::Code::TriggerIdReused;
    // A reused id stays with its first trigger.
    let trigger_id = trigger.id.clone().filter(|_| !reused);
    let own_row = trigger.source == Source::Schedule || trigger.id.is_some() || job.is_none();
    let refusal = RefusalRow {
        id: RefusalId::default(),
        job,
        job_name: Arc::clone(&trigger.job),
        source: trigger.source,
        decision: ruling.decision,
        code: ruling.code,
        key,
        by,
        minute: None,
        args: trigger_id.as_ref().and_then(|_| remembered(trigger)),
        trigger_id,
        nominal: extra.nominal,
        priority: trigger.priority.unwrap_or(Priority::Normal),
        by_whom: Arc::clone(&trigger.by),
        version: view.version(),
        at: view.now,
        count: 1,
    };
    if own_row {
        let id = view.next_refusal();
        view.tables().insert_refusal(&RefusalRow { id, ..refusal })?;
    } else {
        view.count_shared(refusal)?;
    }
    let answer = Decided { decision: ruling.decision, code: ruling.code, run: None, by, due: None, replayed: false };
    note(view, trigger, job, &answer, None)?;
    Ok(answer)
}

fn replayed(view: &mut View<'_>, trigger: &Trigger, job: JobId, first: &FirstAnswer) -> Result<Decided> {
    let answer =
        Decided { decision: first.decision, code: first.code, run: first.run, by: first.by, due: None, replayed: true };
    note(view, trigger, Some(job), &answer, None)?;
    Ok(answer)
}

/// Notes the decision of a trigger as a fact.
pub(super) fn note(
    view: &mut View<'_>,
    trigger: &Trigger,
    job: Option<JobId>,
    answer: &Decided,
    count: Option<u64>,
) -> Result<()> {
    let fact = fact::Decided {
        at: view.now,
        job: Arc::clone(&trigger.job),
        source: trigger.source,
        decision: answer.decision,
        code: answer.code,
        run: answer.run,
        by: answer.by,
        count,
        replayed: answer.replayed,
        aggressive: false,
        later: answer.due.is_some(),
        waiting: 0,
        running: 0,
    };
    view.decided(job, fact)
}
