//! What a look finds: facts, without words.

use std::collections::BTreeMap;
use std::time::Duration;

use jobstile::client::{
    AttemptInfo, Client, DeadRun, DecisionFilter, DecisionInfo, JobInfo, Liveness, NodeInfo, RunFilter, RunInfo, hour_of,
};
use jobstile::origin::{Origin, Origins, Place};
use jobstile::store::numbers::Numbers;
use jobstile_core::policy::{Concurrency, Places, Switches};
use jobstile_core::run;
use jobstile_core::time::Time;

use super::counts::Counts;
use super::events::{self, Event};
use crate::cmd::ls;
use crate::cmd::open::{Opened, SILENCE};
use crate::error::Error;
use crate::text::words;

/// Hours that averages are taken from, besides this one.
const HOURS: i64 = 24;
/// Whole hours that skips are counted from, besides this one: at the full hour there is something to see.
const RECENT_HOURS: i64 = 1;
const HOUR: i64 = 3_600_000_000;
/// Live and dead runs that are looked at.
const RUNS: usize = 2_000;
/// Retrying runs of one job that are looked at.
const RETRYING: usize = 50;
/// Refusals that are looked at for the recent events.
const REFUSALS: usize = 50;
/// Nodes that are looked at.
const NODES: usize = 100;

/// One look.
#[derive(Debug)]
pub(super) struct State {
    pub(super) now: Time,
    pub(super) switches: Switches,
    pub(super) nodes: Vec<NodeInfo>,
    pub(super) jobs: Vec<Job>,
    pub(super) running: Vec<RunInfo>,
    /// The latest refusals, the newest last.
    pub(super) refusals: Vec<DecisionInfo>,
    /// What happened, the newest last.
    pub(super) events: Vec<Event>,
    /// The whole hour that skips are counted from.
    pub(super) recent: Time,
    /// The first hour that averages are taken from.
    pub(super) since: Time,
    by_hour: BTreeMap<i64, Counts>,
}

/// One job.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) info: JobInfo,
    pub(super) running: Vec<RunInfo>,
    /// The one that starts again first.
    pub(super) retrying: Option<RunInfo>,
    /// The run that ended last.
    pub(super) last: Option<RunInfo>,
    /// The attempt that ended last, of whatever run.
    pub(super) last_attempt: Option<AttemptInfo>,
    pub(super) dead: Vec<DeadRun>,
    pub(super) all: Numbers,
    /// Of the recent hours.
    pub(super) counts: Counts,
    /// Why no live node can run it; `None` means one can, or there is none.
    pub(super) unable: Option<String>,
    pub(super) stacking: bool,
    pub(super) load: Option<f64>,
}

impl State {
    /// Looks at everything at once.
    pub(super) fn look(opened: &Opened, only: Option<&str>) -> Result<Self, Error> {
        let mut state = opened.client.at_once(|client| Self::ask(client, only))?;
        let mut unable = ls::cannot_run(opened)?;
        for job in &mut state.jobs {
            job.unable = unable.remove(&*job.info.name).filter(|_| job.on() || job.info.tally.waiting() > 0);
        }
        state.events = events::of(opened, &state, only)?;
        Ok(state)
    }

    fn ask(client: &Client, only: Option<&str>) -> jobstile::Result<Self> {
        let now = client.now();
        let hour = hour_of(now);
        let switches = client.switches()?;
        let wanted = |name: &str| only.is_none_or(|only| only == name);
        let running: Vec<RunInfo> = client.running(RUNS)?.into_iter().filter(|run| wanted(&run.job)).collect();
        let dead = client.dead(&RunFilter { job: only.map(str::to_owned), limit: RUNS, ..RunFilter::default() })?;
        let (mut jobs, mut since, mut by_hour) = (vec![], hour, BTreeMap::<i64, Counts>::new());
        for info in client.jobs()?.into_iter().filter(|job| wanted(&job.name)) {
            if info.policy.is_none() && info.tally.running + info.tally.waiting() == 0 {
                continue;
            }
            let mut job = Job::new(info, switches);
            for (of, numbers) in client.numbers_by_hour(job.info.id, hour - HOURS)? {
                since = since.min(of);
                let counts = Counts::of(&numbers);
                let all = by_hour.entry(of).or_default();
                *all = *all + counts;
                if of >= hour - RECENT_HOURS {
                    job.counts = job.counts + counts;
                }
                job.all.merge(&numbers);
            }
            job.fill(client, &running, &dead, switches)?;
            jobs.push(job);
        }
        let filter = DecisionFilter {
            job: only.map(str::to_owned),
            refused_only: true,
            limit: REFUSALS,
            ..DecisionFilter::default()
        };
        let mut refusals = client.decisions(&filter)?;
        refusals.reverse();
        let (recent, since) = (Time((hour - RECENT_HOURS) * HOUR), Time(since * HOUR));
        let (nodes, events) = (client.nodes(NODES)?, vec![]);
        Ok(Self { now, switches, nodes, jobs, running, refusals, events, recent, since, by_hour })
    }

    /// Runs by state, of all jobs: running, queued, retrying.
    pub(super) fn tally(&self) -> (u64, u64, u64) {
        self.jobs.iter().fold((0, 0, 0), |(running, queued, retrying), job| {
            let tally = job.info.tally;
            (running + tally.running, queued + tally.queued, retrying + tally.retrying)
        })
    }

    /// The node of a running run is gone: it runs no more, and nobody has taken it over yet.
    pub(super) fn is_orphan(&self, run: &RunInfo) -> bool {
        let node = self.nodes.iter().find(|node| run.row.node.as_deref() == Some(&node.row.id));
        node.is_some_and(|node| node.liveness == Liveness::Gone)
    }

    /// Dead runs that nothing has made up for.
    pub(super) fn dead(&self) -> usize {
        self.jobs.iter().map(|job| job.unrecovered().count()).sum()
    }

    /// What became of the triggers of the recent hours.
    pub(super) fn counts(&self) -> Counts {
        self.jobs.iter().map(|job| job.counts).sum()
    }

    /// What came to it since an earlier look.
    pub(super) fn counts_since(&self, before: &Self) -> Counts {
        let first = hour_of(before.now);
        let of = |state: &Self| state.by_hour.range(first..).map(|(_, counts)| *counts).sum::<Counts>();
        of(self) - of(before)
    }

    /// Jobs whose last instants nobody has looked at although a node lives: it is stopped, or cannot write.
    pub(super) fn late(&self) -> impl Iterator<Item = &Job> {
        let is_late = |next: Time| self.now.since(next) > SILENCE;
        self.jobs.iter().filter(move |job| job.unable.is_none() && job.info.next_at.is_some_and(is_late))
    }

    /// Instants that have come and that nobody has looked at.
    pub(super) fn overdue(&self) -> u64 {
        let count = |job: &Job| {
            let (Some(every), Some(next)) = (job.every(), job.info.next_at) else { return 0 };
            if next > self.now { 0 } else { self.now.since(next).as_micros() / every.as_micros().max(1) + 1 }
        };
        u64::try_from(self.jobs.iter().map(count).sum::<u128>()).unwrap_or(u64::MAX)
    }
}

impl Job {
    fn new(info: JobInfo, switches: Switches) -> Self {
        let stacking = stacking(&info, switches);
        Self {
            info,
            running: vec![],
            retrying: None,
            last: None,
            last_attempt: None,
            dead: vec![],
            all: Numbers::default(),
            counts: Counts::default(),
            unable: None,
            stacking,
            load: None,
        }
    }

    fn fill(
        &mut self,
        client: &Client,
        running: &[RunInfo],
        dead: &[DeadRun],
        switches: Switches,
    ) -> jobstile::Result<()> {
        let name = &*self.info.name;
        let runs = |state: run::State, limit: usize| {
            client.runs(&RunFilter {
                job: Some(name.to_owned()),
                states: vec![state],
                limit,
                ..RunFilter::default()
            })
        };
        self.running = running.iter().filter(|run| &*run.job == name).cloned().collect();
        let retrying = if self.info.tally.retrying > 0 { runs(run::State::Retrying, RETRYING)? } else { vec![] };
        let mut ended = vec![];
        for state in [run::State::Succeeded, run::State::Dead, run::State::Cancelled] {
            ended.extend(runs(state, 1)?);
        }
        for run in ended.iter().chain(&retrying).chain(&self.running).filter(|run| run.row.started()) {
            let attempts = client.attempts(run.row.id)?;
            let latest = attempts.into_iter().chain(self.last_attempt.take());
            self.last_attempt = latest.filter(|attempt| attempt.ended_at.is_some()).max_by_key(|one| one.ended_at);
        }
        self.last = ended.into_iter().max_by_key(|run| run.row.ended_at);
        self.retrying = retrying.into_iter().min_by_key(|run| run.row.due);
        self.dead = dead.iter().filter(|dead| &*dead.run.job == name).cloned().collect();
        self.load = self.load_of(switches);
        Ok(())
    }

    fn load_of(&self, switches: Switches) -> Option<f64> {
        let policy = self.info.policy.as_ref().filter(|policy| policy.enabled)?;
        let (mean, schedule) = self.all.run.mean().zip(policy.schedule)?;
        let slots = match (policy.rules(switches).aggressive, policy.max_concurrent) {
            (true, _) | (false, Concurrency::Unlimited) => 1.0,
            (false, Concurrency::Limited(n)) => f64::from(n),
        };
        Some(mean.as_secs_f64() / schedule.every.as_secs_f64() / slots)
    }

    /// It takes longer than it has.
    pub(super) fn cannot_keep_up(&self) -> bool {
        let bounded = self.info.policy.as_ref().is_some_and(|policy| policy.max_concurrent != Concurrency::Unlimited);
        bounded && self.load.is_some_and(|load| load > 1.0)
    }

    pub(super) fn unrecovered(&self) -> impl Iterator<Item = &DeadRun> {
        self.dead.iter().filter(|dead| dead.recovered_by.is_none())
    }

    /// The share of attempts that did their work, in percent.
    pub(super) fn success(&self) -> Option<f64> {
        let count = |word: &str| self.all.attempts.get(word).copied().unwrap_or(0) as f64;
        let (good, bad) = (count("success"), count("failure") + count("timeout"));
        (good + bad > 0.0).then(|| 100.0 * good / (good + bad))
    }

    pub(super) fn every(&self) -> Option<Duration> {
        self.info.policy.as_ref().and_then(|policy| policy.schedule).map(|schedule| schedule.every)
    }

    pub(super) fn monitoring(&self) -> bool {
        self.info.policy.as_ref().is_some_and(|policy| policy.monitoring)
    }

    /// It is in the policy and not switched off.
    pub(super) fn on(&self) -> bool {
        self.info.policy.as_ref().is_some_and(|policy| policy.enabled)
    }

    /// Nothing of it runs or waits.
    pub(super) fn idle(&self) -> bool {
        self.info.tally.taking() == 0
    }

    /// Somebody has to do something about it.
    pub(super) fn needs_action(&self, now: Time) -> bool {
        let worries = self.unable.is_some() || self.stacking || self.cannot_keep_up();
        worries || self.info.paused(now).is_some() || self.unrecovered().next().is_some()
    }

    /// What switches it off: `AIBTC_TWEET_ENABLED=false`, or the line of the file; `None` means that nothing does.
    pub(super) fn switched_off_by(&self) -> Option<String> {
        self.info.policy.as_ref().filter(|policy| !policy.enabled)?;
        Some(match Origins::read(&self.info.origins).origin("enabled") {
            Origin::Variable { name, place: None } => format!("{name}=false"),
            Origin::Variable { name, place: Some(Place { file, line }) } => format!("{name}=false ({file}:{line})"),
            origin => format!("enabled = false ({})", words::origin(origin)),
        })
    }
}

/// More wait than the policy allows; with deduplication off: more than one.
fn stacking(info: &JobInfo, switches: Switches) -> bool {
    let Some(policy) = &info.policy else { return false };
    if !switches.deduplication {
        return info.tally.waiting() > 1;
    }
    match policy.rules(switches).places {
        Places::Taking(places) => info.tally.waiting() > 0 && info.tally.taking() > places,
        Places::Waiting(places) => info.tally.waiting() > places,
    }
}
