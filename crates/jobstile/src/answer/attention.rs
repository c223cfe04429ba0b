//! What needs somebody.

use std::collections::BTreeMap;
use std::time::Duration;

use jobstile_core::id::{RunId, Version};
use jobstile_core::time::Time;

use super::job::Unusual;
use super::overview::Overview;
use super::remains::Remains;

/// One thing that needs somebody.
#[derive(Debug, Clone, PartialEq)]
pub enum Attention {
    /// Nodes that are there and do not move.
    NotAnswering {
        /// Their names.
        nodes: Vec<String>,
    },
    /// A configuration that a live node read again and did not take: the old one stays in force.
    Refused {
        /// The node's name.
        node: String,
        /// When it read it.
        at: Time,
        /// Why, in one sentence.
        why: String,
    },
    /// A run that keeps its slot although no node can end it or vouch for it.
    Remains {
        /// The job.
        job: String,
        /// The run.
        run: RunId,
        /// Its node's name.
        node: String,
        /// What is left of it.
        remains: Remains,
    },
    /// No live node can run a job.
    CannotRun {
        /// The job.
        job: String,
        /// Each node's reason; none defines it if there are no reasons.
        reasons: Vec<(String, String)>,
        /// Runs that wait.
        waiting: u64,
    },
    /// Runs of a job that no configuration names.
    NoConfiguration {
        /// The job.
        job: String,
        /// Runs that are live.
        runs: u64,
        /// Since when.
        since: Option<Time>,
        /// The version that took it out.
        version: Version,
        /// A job of a similar name.
        meant: Option<String>,
    },
    /// Jobs whose instants nobody has looked at although a node lives.
    Overdue {
        /// The jobs.
        jobs: Vec<String>,
    },
    /// A run that takes longer than it should.
    Unusual {
        /// The job.
        job: String,
        /// The run.
        run: RunId,
        /// How long already.
        for_: Duration,
        /// What is usual.
        unusual: Unusual,
        /// The triggers that it turned away.
        turned_away: u64,
    },
    /// Dead runs that nothing has made up for.
    Dead {
        /// The job.
        job: String,
        /// How many.
        count: u64,
        /// The last of them.
        run: RunId,
        /// When it died.
        at: Time,
    },
    /// More wait than the policy allows.
    Stacking {
        /// The job.
        job: String,
        /// Runs that wait.
        waiting: u64,
    },
    /// All workers are busy, and runs wait for one.
    Workers {
        /// Busy ones.
        busy: u64,
        /// All of them.
        workers: u64,
        /// Runs that wait for one.
        waiting: u64,
    },
    /// Jobs that are paused alike.
    Paused(PausedAlike),
    /// A job that takes longer than it has.
    CannotKeepUp {
        /// The job.
        job: String,
        /// What its runs take on average.
        mean: Duration,
        /// Its interval.
        every: Duration,
    },
}

/// Jobs that are paused alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PausedAlike {
    /// The jobs.
    pub jobs: Vec<String>,
    /// They are all there are.
    pub all: bool,
    /// Since when.
    pub since: Time,
    /// Until when; `None` means until somebody resumes them.
    pub until: Option<Time>,
    /// Who did it.
    pub by: String,
    /// Why.
    pub why: Option<String>,
    /// Runs that wait.
    pub waiting: u64,
}

/// The worst first.
pub(super) fn of(overview: &Overview) -> Vec<Attention> {
    let now = overview.at;
    let silent: Vec<String> = overview.nodes.iter().filter(|node| node.silent).map(|node| node.name.clone()).collect();
    let mut all = vec![];
    if !silent.is_empty() {
        all.push(Attention::NotAnswering { nodes: silent });
    }
    all.extend(overview.nodes.iter().filter(|node| node.alive()).filter_map(|node| {
        let (at, why) = node.refused()?;
        Some(Attention::Refused { node: node.name.clone(), at, why: why.to_owned() })
    }));
    let name = |job: &super::Job| job.info.name.to_string();
    let jobs = || overview.current();
    let running = || jobs().flat_map(|job| job.running.iter().map(move |run| (job, run)));
    all.extend(running().filter_map(|(job, run)| {
        let (remains, node) = (run.remains.clone()?, run.node.clone());
        Some(Attention::Remains { job: name(job), run: run.run.row.id, node, remains })
    }));
    all.extend(jobs().filter_map(|job| {
        let (reasons, waiting) = (job.stuck()?.to_vec(), job.info.tally.waiting());
        Some(Attention::CannotRun { job: name(job), reasons, waiting })
    }));
    all.extend(jobs().filter(|job| job.info.policy.is_none()).map(|job| {
        let runs = job.info.tally.taking() + job.info.tally.scheduled;
        let (since, version, meant) = (job.removed_at, job.info.version, job.meant.clone());
        Attention::NoConfiguration { job: name(job), runs, since, version, meant }
    }));
    let late: Vec<String> = jobs().filter(|job| job.is_overdue(now)).map(name).collect();
    if !late.is_empty() {
        all.push(Attention::Overdue { jobs: late });
    }
    all.extend(running().filter_map(|(job, run)| {
        let (unusual, for_) = (run.unusual.filter(|_| !run.is_orphan() && run.remains.is_none())?, run.for_);
        let (id, turned_away) = (run.run.row.id, run.turned_away.count);
        Some(Attention::Unusual { job: name(job), run: id, for_, unusual, turned_away })
    }));
    all.extend(jobs().filter_map(|job| {
        let last = job.unrecovered().map(|dead| &dead.run.row).max_by_key(|row| (row.ended_at, row.id))?;
        let (count, at) = (job.unrecovered().count() as u64, last.ended_at.unwrap_or(last.due));
        Some(Attention::Dead { job: name(job), count, run: last.id, at })
    }));
    all.extend(
        jobs()
            .filter(|job| job.stacking)
            .map(|job| Attention::Stacking { job: name(job), waiting: job.info.tally.waiting() }),
    );
    all.extend(workers(overview));
    all.extend(paused(overview));
    all.extend(jobs().filter(|job| job.cannot_keep_up()).filter_map(|job| {
        Some(Attention::CannotKeepUp { job: name(job), mean: job.numbers.run.mean()?, every: job.every()? })
    }));
    all
}

fn workers(overview: &Overview) -> Option<Attention> {
    let alive = || overview.nodes.iter().filter(|node| node.alive());
    let busy = alive().map(|node| node.busy).sum();
    let workers = alive().map(|node| u64::from(node.info.row.workers)).sum();
    let waits = |job: &&super::Job| super::job::blocked(overview, job).is_none();
    let waiting: u64 = overview.current().filter(waits).map(|job| job.ready).sum();
    (workers > 0 && busy >= workers && waiting > 0).then_some(Attention::Workers { busy, workers, waiting })
}

fn paused(overview: &Overview) -> Vec<Attention> {
    let all = overview.jobs.iter().filter(|job| job.info.policy.is_some()).count();
    let mut alike: BTreeMap<_, PausedAlike> = BTreeMap::new();
    for job in overview.current() {
        let Some(pause) = job.info.paused(overview.at) else { continue };
        let held = alike.entry((&pause.by, pause.until, &pause.why)).or_insert_with(|| PausedAlike {
            jobs: vec![],
            all: false,
            since: pause.at,
            until: pause.until,
            by: pause.by.clone(),
            why: pause.why.clone(),
            waiting: 0,
        });
        held.jobs.push(job.info.name.to_string());
        held.since = held.since.min(pause.at);
        held.waiting += job.info.tally.waiting();
    }
    let many = |held: PausedAlike| PausedAlike { all: held.jobs.len() == all && all > 1, ..held };
    alike.into_values().map(|held| Attention::Paused(many(held))).collect()
}
