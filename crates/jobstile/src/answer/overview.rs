//! What goes on now: whether anybody works, the jobs and where they stand, what needs somebody, what happened lately.
//! The number of questions is the same for one job and for twenty thousand.

use std::collections::BTreeMap;

use jobstile_core::id::{JobId, NodeId, RunId};
use jobstile_core::policy::Switches;
use jobstile_core::run::State;
use jobstile_core::time::Time;

use super::Attention;
use super::events::{self, Event, Told};
use super::job::Job;
use super::load::{Counts, Window};
use super::nodes::{self, Live, Node};
use super::{Asker, Questions, attention, remains};
use crate::error::Result;
use crate::store::numbers::Numbers;
use crate::store::read::{AttemptInfo, DeadRun, DecisionFilter, Liveness, MAX_PAGE, RunInfo, TurnedAway};

/// Running runs and dead runs that are looked at.
const RUNS: usize = MAX_PAGE;
/// Runs of which the ended ones are looked at for events, the newest.
const NEWEST: i64 = 200;
/// Ended runs that become events.
const ENDED: usize = 40;
/// Running and retrying runs that become events, of each.
const LIVE: usize = 20;
/// Refusals that become events.
const REFUSALS: usize = 50;

/// One look at everything, or at one job.
#[derive(Debug, Clone, PartialEq)]
pub struct Overview {
    /// When.
    pub at: Time,
    /// The time that the numbers are from.
    pub window: Window,
    /// The switches in force.
    pub switches: Switches,
    /// Whether anybody works on the store.
    pub live: Live,
    /// The nodes, those that have not left first.
    pub nodes: Vec<Node>,
    /// The jobs by name, also those with nothing left but a history.
    pub jobs: Vec<Job>,
    /// What happened lately, the newest last.
    pub events: Vec<Event>,
    by_hour: BTreeMap<i64, Counts>,
    pub(super) attempts: BTreeMap<RunId, Vec<AttemptInfo>>,
}

impl Overview {
    /// Asks for everything, or for one job.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn ask<Q: Questions>(asker: &Asker<'_, Q>, only: Option<&str>) -> Result<Self> {
        asker.store.at_once(|store| ask(&Asker { store, ..*asker }, only))
    }

    /// A job by its name.
    #[must_use]
    pub fn job(&self, name: &str) -> Option<&Job> {
        self.jobs.binary_search_by(|job| (*job.info.name).cmp(name)).ok().and_then(|at| self.jobs.get(at))
    }

    /// Jobs that are in the policy or have live runs.
    pub fn current(&self) -> impl Iterator<Item = &Job> {
        self.jobs.iter().filter(|job| job.is_current())
    }

    /// Everything that runs on a node that is not gone.
    #[must_use]
    pub fn active(&self) -> u64 {
        self.jobs.iter().map(|job| job.info.tally.running - job.orphans()).sum()
    }

    /// What was running when its node went away, and starts again.
    #[must_use]
    pub fn orphans(&self) -> u64 {
        self.jobs.iter().map(Job::orphans).sum()
    }

    /// Queued runs.
    #[must_use]
    pub fn queued(&self) -> u64 {
        self.jobs.iter().map(|job| job.info.tally.queued).sum()
    }

    /// Runs that wait for their retry.
    #[must_use]
    pub fn retrying(&self) -> u64 {
        self.jobs.iter().map(|job| job.info.tally.retrying).sum()
    }

    /// Dead runs that nothing has made up for.
    #[must_use]
    pub fn dead(&self) -> usize {
        self.jobs.iter().map(|job| job.unrecovered().count()).sum()
    }

    /// What became of the triggers of the window.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.by_hour.values().copied().sum()
    }

    /// What came to it since an earlier look.
    #[must_use]
    pub fn counts_since(&self, before: &Self) -> Counts {
        let first = before.by_hour.keys().next_back().copied().unwrap_or(i64::MIN);
        let of = |look: &Self| look.by_hour.range(first..).map(|(_, counts)| *counts).sum::<Counts>();
        of(self) - of(before)
    }

    /// Instants that have come and that nobody has looked at.
    #[must_use]
    pub fn overdue(&self) -> u64 {
        self.jobs.iter().map(|job| job.overdue(self.at)).sum()
    }

    /// What needs somebody, the worst first.
    #[must_use]
    pub fn attention(&self) -> Vec<Attention> {
        attention::of(self)
    }

    /// The readable name of a node.
    #[must_use]
    pub fn node_name(&self, id: &NodeId) -> String {
        events::name_of(&self.nodes, id)
    }

    /// A node that is gone and whose work nobody has taken over yet: what it ran runs no more.
    #[must_use]
    pub fn is_gone(&self, node: Option<&NodeId>) -> bool {
        let known = self.nodes.iter().find(|one| node == Some(&one.info.row.id));
        known.is_some_and(|node| node.info.liveness == Liveness::Gone)
    }

    pub(super) fn attempts_in_all(&self, job: JobId) -> u32 {
        let known = self.jobs.iter().find(|known| known.info.id == job);
        known.and_then(|job| job.info.policy.as_ref()).map_or(1, |policy| policy.attempts)
    }
}

fn ask<Q: Questions>(asker: &Asker<'_, Q>, only: Option<&str>) -> Result<Overview> {
    let (store, now) = (asker.store, asker.now);
    let window = Window::of(now, store.began()?);
    let switches = store.switches()?.and_then(|version| version.switches).unwrap_or_default();
    let mut infos = store.jobs()?;
    let removed = store.removed()?;
    let names: Vec<_> = infos.iter().filter(|job| job.policy.is_some()).map(|job| job.name.clone()).collect();
    let one = match only {
        None => None,
        Some(name) => {
            infos.retain(|job| &*job.name == name);
            // No job has this number: nothing is found.
            Some(infos.first().map_or(JobId(0), |job| job.id))
        }
    };
    let wanted = |run: &RunInfo| one.is_none_or(|one| one == run.row.job);
    let everything_running = store.running(RUNS)?;
    let nodes = nodes::of(asker, &everything_running)?;
    let running: Vec<RunInfo> = everything_running.into_iter().filter(wanted).collect();
    let upcoming: Vec<RunInfo> = store.upcoming(MAX_PAGE)?.into_iter().filter(wanted).collect();
    let last = store.last_ended_of(one)?;
    let dead = store.dead_of(one, RUNS)?;
    let newest = store.store()?.next_run.0 - NEWEST;
    let mut ended = store.ended_of(one, RunId(newest))?;
    ended.extend(last.values().cloned());
    ended.sort_by_key(|run| std::cmp::Reverse((run.row.ended_at, run.row.id)));
    ended.dedup_by_key(|run| run.row.id);
    let latest = last
        .values()
        .chain(&upcoming)
        .chain(&running)
        .chain(ended.iter().take(ENDED))
        .chain(dead.iter().map(|dead| &dead.run));
    let mut ids: Vec<RunId> = latest.filter(|run| run.row.started()).map(|run| run.row.id).collect();
    ids.sort_unstable();
    ids.dedup();
    let attempts = store.attempts_of(&ids)?;
    let away = store.turned_away_by(&running.iter().chain(&upcoming).map(|run| run.row.id).collect::<Vec<_>>())?;
    let ready = store.ready()?;
    let filter = DecisionFilter {
        job: only.map(str::to_owned),
        refused_only: true,
        limit: REFUSALS,
        ..DecisionFilter::default()
    };
    let refusals = store.decisions(&filter)?;
    let (mut numbers, by_hour) = numbers(store.numbers_of(one, window.first_hour())?);
    let unable = nodes::unable(&nodes);
    let mut parts = Parts {
        running: by_job(running),
        upcoming: by_job(upcoming),
        last,
        dead: dead_by_job(dead),
        attempts: &attempts,
        away: &away,
    };
    let mut jobs: Vec<Job> = infos
        .into_iter()
        .map(|info| {
            let id = info.id;
            let mut job = Job::new(info, switches, numbers.remove(&id).unwrap_or_default());
            parts.fill(&mut job, &nodes, now);
            job.ready = ready.get(&id).copied().unwrap_or_default();
            job.removed_at = removed.get(&id).copied().filter(|_| job.info.policy.is_none());
            job.meant = job
                .removed_at
                .and_then(|_| crate::text::nearest(&job.info.name, names.iter().map(|name| &**name)).map(Into::into));
            job.cannot_run = unable(&job.info.name).filter(|_| job.info.policy.is_some());
            job
        })
        .collect();
    remains::find(&mut jobs, now, asker.trees);
    let live = Live::of(&nodes);
    let mut overview = Overview { at: now, window, switches, live, nodes, jobs, events: vec![], by_hour, attempts };
    overview.events = lately(&overview, &refusals, &ended);
    overview.events.extend(events::reloads(&overview.nodes, only));
    overview.events.sort_by_key(|event| event.at);
    Ok(overview)
}

fn lately(overview: &Overview, refusals: &[crate::store::read::DecisionInfo], ended: &[RunInfo]) -> Vec<Event> {
    let of = |job: JobId| overview.attempts_in_all(job);
    let told = Told { nodes: &overview.nodes, attempts_of: &of, attempts: &overview.attempts };
    let mut running: Vec<&RunInfo> =
        overview.jobs.iter().flat_map(|job| &job.running).map(|running| &running.run).collect();
    running.sort_by_key(|run| std::cmp::Reverse(run.row.claimed_at));
    let retrying = overview.jobs.iter().flat_map(|job| &job.upcoming).filter(|run| run.row.state == State::Retrying);
    let runs: Vec<RunInfo> =
        running.into_iter().take(LIVE).chain(retrying.take(LIVE)).chain(ended.iter().take(ENDED)).cloned().collect();
    events::of(&told, refusals, &runs)
}

fn numbers(rows: Vec<(JobId, i64, Numbers)>) -> (BTreeMap<JobId, Numbers>, BTreeMap<i64, Counts>) {
    let (mut by_job, mut by_hour) = (BTreeMap::<JobId, Numbers>::new(), BTreeMap::<i64, Counts>::new());
    for (job, hour, numbers) in rows {
        let counts = by_hour.entry(hour).or_default();
        *counts = *counts + Counts::of(&numbers);
        by_job.entry(job).or_default().merge(&numbers);
    }
    (by_job, by_hour)
}

fn by_job(runs: Vec<RunInfo>) -> BTreeMap<JobId, Vec<RunInfo>> {
    let mut all = BTreeMap::<JobId, Vec<RunInfo>>::new();
    runs.into_iter().for_each(|run| all.entry(run.row.job).or_default().push(run));
    all
}

fn dead_by_job(dead: Vec<DeadRun>) -> BTreeMap<JobId, Vec<DeadRun>> {
    let mut all = BTreeMap::<JobId, Vec<DeadRun>>::new();
    dead.into_iter().for_each(|one| all.entry(one.run.row.job).or_default().push(one));
    all
}

struct Parts<'a> {
    running: BTreeMap<JobId, Vec<RunInfo>>,
    upcoming: BTreeMap<JobId, Vec<RunInfo>>,
    last: BTreeMap<JobId, RunInfo>,
    dead: BTreeMap<JobId, Vec<DeadRun>>,
    attempts: &'a BTreeMap<RunId, Vec<AttemptInfo>>,
    away: &'a BTreeMap<RunId, TurnedAway>,
}

impl Parts<'_> {
    fn fill(&mut self, job: &mut Job, nodes: &[Node], now: Time) {
        let id = job.info.id;
        job.upcoming = self.upcoming.remove(&id).unwrap_or_default();
        job.last = self.last.remove(&id);
        job.dead = self.dead.remove(&id).unwrap_or_default();
        let mut running = self.running.remove(&id).unwrap_or_default();
        running.sort_by_key(|run| (run.row.first_due, run.row.id));
        let of = job.last.iter().chain(&job.upcoming).chain(&running);
        let attempts = of.filter_map(|run| self.attempts.get(&run.row.id)).flatten();
        job.last_attempt = attempts.max_by_key(|attempt| attempt.ended_at).cloned();
        for run in running {
            let away = self.away.get(&run.row.id).copied().unwrap_or_default();
            let node = nodes.iter().find(|node| run.row.node.as_ref() == Some(&node.info.row.id));
            job.add_running(run, node, away, now);
        }
    }
}
