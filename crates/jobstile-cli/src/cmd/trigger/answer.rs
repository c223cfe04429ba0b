//! What became of a trigger, in a sentence that names the run which is in its way, and what to do about it.

use std::time::Duration;

use jobstile::args::Args as Arguments;
use jobstile::client::{JobInfo, RunInfo, hour_of};
use jobstile::op::Decided;
use jobstile_core::decide::{Code as Why, Decision};
use jobstile_core::policy::{KeyRule, OnDuplicate, Policy, Switches, Until};
use jobstile_core::run::State;
use serde_json::Value;

use crate::cmd::open::Opened;
use crate::config::suggest::nearest;
use crate::error::Error;
use crate::exit::Code;
use crate::text::duration::measured;
use crate::text::time::Times;
use crate::text::words::{self, with_code};

/// How far back «usually» looks, in hours.
const USUALLY_HOURS: i64 = 24;
/// What is shown of arguments, in characters.
const SHOWN: usize = 200;

/// A decision with what the store knows about it.
pub(super) struct Answer<'a> {
    decided: &'a Decided,
    job: Option<JobInfo>,
    switches: Switches,
    times: Times,
    /// The run that was admitted.
    run: Option<RunInfo>,
    /// The run in its way.
    by: Option<RunInfo>,
    usually: Option<Duration>,
    stuck: Option<String>,
}

impl<'a> Answer<'a> {
    pub(super) fn new(opened: &Opened, job: &str, decided: &'a Decided) -> Result<Self, Error> {
        let client = &opened.client;
        let times = Times::here(client.now());
        let stuck = opened.cannot_run(job)?;
        let one = |run: Option<_>| run.map(|run| client.run(run)).transpose().map(Option::flatten);
        let (info, switches, run, by) =
            client.at_once(|client| Ok((client.job(job)?, client.switches()?, one(decided.run)?, one(decided.by)?)))?;
        let since = hour_of(times.now()) - USUALLY_HOURS;
        let numbers = info.as_ref().map(|job| client.numbers(job.id, since)).transpose()?;
        let usually = numbers.and_then(|numbers| numbers.run.quantile(0.5));
        Ok(Self { decided, job: info, switches, times, run, by, usually, stuck })
    }

    pub(super) fn causing(&self) -> Option<&RunInfo> {
        self.by.as_ref()
    }

    pub(super) fn usually(&self) -> Option<Duration> {
        self.usually
    }

    /// The decision in one line, with its code at the edge where it is no plain yes.
    pub(super) fn sentence(&self, opened: &Opened, args: &super::Args) -> Result<String, Error> {
        let decided = self.decided;
        let again = match (&args.id, decided.replayed) {
            (Some(id), true) => format!("as before (id {}), ", jobstile::text::clean_to(id, 40)),
            _ => String::new(),
        };
        if decided.decision == Decision::Admitted {
            return Ok(format!("{again}admitted: {}\n", self.admitted(opened)));
        }
        let verb = decided.decision.as_str();
        let waiting = args.wait.is_some() && super::covering(decided).is_none();
        Ok(with_code(&format!("{again}{verb}: {}", self.in_the_way(waiting)), decided.code.as_str()))
    }

    fn admitted(&self, opened: &Opened) -> String {
        let Some(run) = &self.run else {
            return self.decided.run.map_or_else(String::new, |run| format!("run {run}"));
        };
        let id = run.row.id;
        match run.row.state {
            State::Scheduled => {
                let (at, zone) = (self.times.at(run.row.due), self.times.zone());
                format!("run {id}, due {at} ({zone}); it meets the rules then{}", self.what_then())
            }
            State::Queued if self.job.as_ref().is_some_and(|job| job.paused(self.times.now()).is_some()) => {
                format!("run {id}, waits until somebody resumes {}", run.job)
            }
            State::Queued if run.row.waits_on.is_some() => format!("run {id}, waits for a slot"),
            State::Queued => match &self.stuck {
                Some(why) => format!("run {id}, waits: no node can run it: {}", jobstile::text::clean(why)),
                None if opened.alive.is_empty() && !opened.unsure => format!("run {id}, starts when a daemon comes"),
                None => format!("run {id}, starts now"),
            },
            // The answer to a new trigger does not depend on how fast a daemon was meanwhile.
            _ if !self.decided.replayed => format!("run {id}, starts now"),
            _ => format!("run {id}, {}", words::doing(run, &self.times)),
        }
    }

    // What may become of a run for later when its time comes.
    fn what_then(&self) -> String {
        let Some((job, policy)) = self.job.as_ref().and_then(|job| Some((job, job.policy.as_ref()?))) else {
            return String::new();
        };
        let rules = policy.rules(self.switches);
        match rules.no_waiting && self.switches.deduplication {
            true => format!(", and is refused if {} is running at that moment", job.name),
            false => String::new(),
        }
    }

    fn in_the_way(&self, waiting: bool) -> String {
        let Some(by) = &self.by else { return self.nobody() };
        let id = by.row.id;
        let policy = self.job.as_ref().and_then(|job| job.policy.as_ref());
        let key = words::key(&by.row.key).map_or(String::new(), |key| format!(" ({key})"));
        let doing = words::doing(by, &self.times);
        let usually = match (by.row.state, self.usually) {
            (State::Running, Some(usually)) => format!(", usually {}", measured(usually)),
            _ => String::new(),
        };
        match self.decided.code {
            Why::DuplicateRunning if waiting => format!("run {id} does the same and began before your trigger"),
            Why::DuplicateRunning => format!("run {id} does the same{key}, {doing}{usually}"),
            Why::DuplicateWaiting if by.row.state == State::Retrying => {
                let at = self.times.at(by.row.due);
                format!("run {id} does the same{key} and will start again at {at}, {}", self.times.ago(by.row.due))
            }
            Why::DuplicateWaiting => format!("run {id} does the same{key} and starts later; nothing is lost"),
            Why::ConcurrencyLimit => match policy.and_then(Policy::slots) {
                Some(1) | None => format!("run {id} takes the only place, {doing}{usually}"),
                Some(n) => format!("all {} places are taken, the first by run {id}, {doing}{usually}", words::number(n.into())),
            },
            Why::QueueFull => format!("no place to wait is left; the first is run {id}'s, {doing}"),
            Why::WithinLimits
            | Why::DuplicateRecent
            | Why::MergeFull
            | Why::Paused
            | Why::UnknownJob
            | Why::BadArguments
            | Why::MissingKeyField
            | Why::TriggerIdReused
            | Why::Missed
            | Why::ConcurrentExecutionDetected
            | Why::Superseded
            | Why::Preempted
            | Why::CancelledByHand
            | Why::CrashBudget
            | Why::AttemptsUsedUp
            | Why::Expired => format!("run {id}, {doing}"),
        }
    }

    fn nobody(&self) -> String {
        match (self.decided.code, self.decided.by) {
            (Why::TriggerIdReused, _) => "this id came before with other arguments".into(),
            (Why::QueueFull, _) => "no place to wait is left".into(),
            // It has ended and is not kept any more.
            (_, Some(by)) => format!("run {by} was in its way"),
            _ => "the rules do not admit it".into(),
        }
    }

    /// What to do next, or instead.
    pub(super) fn hints(&self, waits: bool) -> Vec<String> {
        let decided = self.decided;
        let job = self.job.as_ref();
        match (decided.decision, decided.code) {
            _ if waits => vec![],
            (Decision::Admitted, _) => match (decided.run, decided.due) {
                (Some(run), None) => vec![format!("follow: jobstile logs {run} -f")],
                (Some(run), Some(_)) => vec![format!("take it back: jobstile cancel {run}")],
                _ => vec![],
            },
            (_, Why::DuplicateRunning) => vec![self.one_more()],
            (_, Why::ConcurrencyLimit) if job.is_some_and(|job| self.is_plain(job)) => {
                let began = "it began before your trigger and may miss your change; for one more run afterwards: ";
                let rule = match job.and_then(|job| job.policy.as_ref()).and_then(Policy::slots) {
                    Some(1) | None => "overlap = \"queue-one\", without max_concurrent and max_waiting",
                    Some(_) => "max_waiting = 1",
                };
                vec![format!("{began}{rule}")]
            }
            (_, Why::QueueFull) => job.map(|job| format!("what waits: jobstile runs {}", job.name)).into_iter().collect(),
            _ => vec![],
        }
    }

    fn is_plain(&self, job: &JobInfo) -> bool {
        job.policy.as_ref().is_some_and(|policy| policy.dedup.is_none() && !policy.rules(self.switches).aggressive)
    }

    fn one_more(&self) -> String {
        let began = "it began before your trigger and may miss your change";
        let Some(policy) = self.job.as_ref().and_then(|job| job.policy.as_ref()) else { return began.into() };
        let aggressive = policy.rules(self.switches).aggressive;
        match &policy.dedup {
            Some(dedup) if dedup.until == Until::Finish && !aggressive => {
                let key = match &dedup.key {
                    KeyRule::AllArguments => String::new(),
                    KeyRule::Fields(fields) => format!("key = {}, ", Value::from(fields.clone())),
                };
                let fail = match dedup.on_duplicate {
                    OnDuplicate::Fail => ", on_duplicate = \"fail\"",
                    _ => "",
                };
                format!("{began}; for one more run afterwards: max_concurrent = 1, dedup = {{ {key}until = \"start\"{fail} }}")
            }
            _ => began.into(),
        }
    }
}

/// The arguments lack what tells the runs of the job apart.
pub(super) fn missing_key_field(opened: &Opened, job: &str, args: Option<&Arguments>) -> Result<Error, Error> {
    let switches = opened.client.switches()?;
    let info = opened.job(job)?;
    let rule = info.policy.as_ref().and_then(|policy| policy.key_rule(switches));
    let fields = match rule {
        Some(KeyRule::Fields(fields)) => fields,
        _ => vec![],
    };
    let text = args.map_or("null", |args| args.canonical());
    let given: Value = serde_json::from_str(text).unwrap_or_default();
    let missing: Vec<&String> = fields.iter().filter(|name| given.get(name.as_str()).is_none_or(Value::is_null)).collect();
    let quoted = |all: &[&String]| all.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let by = quoted(&fields.iter().collect::<Vec<_>>());
    let have = if missing.len() == fields.len() && fields.len() == 1 { "none".into() } else { format!("no {}", quoted(&missing)) };
    let near = given.as_object().into_iter().flatten().find_map(|(name, _)| {
        let meant = nearest(name, missing.iter().map(|missing| missing.as_str()))?;
        (!fields.contains(name)).then(|| format!("; did you mean {meant} for {}?", jobstile::text::clean_to(name, 80)))
    });
    let got = match given.is_null() {
        true => "no arguments were given".to_owned(),
        false => format!("got {}{}", jobstile::text::clean_to(text, SHOWN), near.unwrap_or_default()),
    };
    let example: Vec<String> = missing.iter().map(|name| format!("{name}=…")).collect();
    let what = format!("trigger refused: {job} tells its runs apart by {by}, and the arguments have {have}");
    Ok(Error::new(Code::Usage, what).hint(format!("{got}      write jobstile trigger {job} {}", example.join(" "))))
}
