//! What a look finds: facts, without words.

use std::time::Duration;

use jobstile::client::{
    DeadRun, DecisionFilter, DecisionInfo, JobInfo, NodeInfo, RunFilter, RunInfo, hour_of,
};
use jobstile::store::numbers::Numbers;
use jobstile_core::policy::{Concurrency, Places, Switches};
use jobstile_core::run;
use jobstile_core::time::Time;

use crate::cmd::open::{Opened, SILENCE};
use crate::error::Error;

/// Hours that averages are taken from, besides this one.
const HOURS: i64 = 24;
const HOUR: i64 = 3_600_000_000;
/// Recent events that are shown.
const EVENTS: usize = 5;
/// Live and dead runs that are looked at.
const RUNS: usize = 2_000;
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
    pub(super) events: Vec<DecisionInfo>,
    /// The whole hour that skips are counted from.
    pub(super) this_hour: Time,
    /// The first hour that averages are taken from.
    pub(super) since: Time,
}

/// One job.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) info: JobInfo,
    pub(super) running: Vec<RunInfo>,
    pub(super) retrying: Option<RunInfo>,
    pub(super) last: Option<RunInfo>,
    pub(super) dead: Vec<DeadRun>,
    pub(super) all: Numbers,
    pub(super) this_hour: Numbers,
    /// Why no live node can run it; none: one can, or there is none.
    pub(super) unable: Option<String>,
    pub(super) stacking: bool,
    pub(super) load: Option<f64>,
}

impl State {
    /// Looks at everything at once.
    pub(super) fn look(opened: &Opened, only: Option<&str>) -> Result<Self, Error> {
        let client = &opened.client;
        let now = client.now();
        let this_hour = hour_of(now);
        let switches = client.switches()?;
        let wanted = |name: &str| only.is_none_or(|only| only == name);
        let running: Vec<RunInfo> = client.running(RUNS)?.into_iter().filter(|run| wanted(&run.job)).collect();
        let dead = client.dead(&RunFilter {
            job: only.map(str::to_owned),
            states: vec![run::State::Dead],
            limit: RUNS,
            ..RunFilter::default()
        })?;
        let mut jobs = vec![];
        let mut since = this_hour;
        for info in client.jobs()?.into_iter().filter(|job| wanted(&job.name)) {
            let live = !(info.tally.running == 0 && info.tally.queued == 0 && info.tally.retrying == 0);
            if info.policy.is_none() && !live {
                continue;
            }
            let hours = client.numbers_by_hour(info.id, this_hour - HOURS)?;
            since = since.min(hours.first().map_or(this_hour, |(hour, _)| *hour));
            let mut job = Job::new(info, switches);
            for (hour, numbers) in hours {
                if hour == this_hour {
                    job.this_hour.merge(&numbers);
                }
                job.all.merge(&numbers);
            }
            job.fill(opened, &running, &dead, switches)?;
            jobs.push(job);
        }
        let filter = DecisionFilter {
            job: only.map(str::to_owned),
            refused_only: true,
            limit: EVENTS,
            ..DecisionFilter::default()
        };
        let mut events = client.decisions(&filter)?;
        events.reverse();
        let (this_hour, since) = (Time(this_hour * HOUR), Time(since * HOUR));
        Ok(Self { now, switches, nodes: client.nodes(NODES)?, jobs, running, events, this_hour, since })
    }

    /// Runs by state, of all jobs: running, queued, retrying.
    pub(super) fn counts(&self) -> (u64, u64, u64) {
        self.jobs.iter().fold((0, 0, 0), |(running, queued, retrying), job| {
            let tally = job.info.tally;
            (running + tally.running, queued + tally.queued, retrying + tally.retrying)
        })
    }

    /// Dead runs that nothing has made up for.
    pub(super) fn dead(&self) -> usize {
        self.jobs.iter().map(|job| job.unrecovered().count()).sum()
    }

    /// Ticks, runs and skips since the hour began.
    pub(super) fn since_hour(&self) -> (u64, u64, u64) {
        self.jobs.iter().fold((0, 0, 0), |(ticks, runs, skips), job| {
            (ticks + job.ticks(), runs + job.this_hour.count(|_, code| code == "within_limits"), skips + job.skips())
        })
    }

    /// Jobs whose last instants nobody has looked at although a node lives: it is stopped, or cannot write.
    pub(super) fn late(&self) -> usize {
        let is_late = |job: &&Job| {
            job.unable.is_none() && job.info.next_at.is_some_and(|next| self.now.since(next) > SILENCE)
        };
        self.jobs.iter().filter(is_late).count()
    }

    /// Instants that have come and that nobody has looked at.
    pub(super) fn overdue(&self) -> u64 {
        let count = |job: &Job| {
            let schedule = job.info.policy.as_ref().and_then(|policy| policy.schedule);
            let (Some(schedule), Some(next)) = (schedule, job.info.next_at) else { return 0 };
            if next > self.now { 0 } else { self.now.since(next).as_micros() / schedule.every.as_micros().max(1) + 1 }
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
            dead: vec![],
            all: Numbers::default(),
            this_hour: Numbers::default(),
            unable: None,
            stacking,
            load: None,
        }
    }

    fn fill(&mut self, opened: &Opened, running: &[RunInfo], dead: &[DeadRun], switches: Switches) -> Result<(), Error> {
        let client = &opened.client;
        let name = &*self.info.name;
        let of = |states: &[run::State]| RunFilter {
            job: Some(name.to_owned()),
            states: states.to_vec(),
            limit: 1,
            ..RunFilter::default()
        };
        self.running = running.iter().filter(|run| &*run.job == name).cloned().collect();
        if self.info.tally.retrying > 0 {
            self.retrying = client.runs(&of(&[run::State::Retrying]))?.pop();
        }
        self.last = [run::State::Succeeded, run::State::Dead, run::State::Cancelled]
            .iter()
            .map(|state| client.runs(&of(&[*state])))
            .collect::<Result<Vec<_>, _>>()?
            .into_iter()
            .flatten()
            .max_by_key(|run| run.row.ended_at);
        self.dead = dead.iter().filter(|dead| &*dead.run.job == name).cloned().collect();
        self.unable = match opened.alive.is_empty() {
            true => None,
            false => crate::cmd::explain::unable(opened, name)?,
        };
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

    pub(super) fn ticks(&self) -> u64 {
        self.this_hour.count(|source, _| source == "schedule")
    }

    pub(super) fn skips(&self) -> u64 {
        let skip = |code: &str| matches!(code, "duplicate_waiting" | "duplicate_running" | "concurrency_limit" | "queue_full" | "paused");
        self.this_hour.count(|_, code| skip(code))
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
