//! One job: where it stands, what is in the way of its next start, what its next tick would become, and why.

use std::time::Duration;

use jobstile_core::decide::{By, Code, Decision, View, would_admit};
use jobstile_core::id::{RunId, Version};
use jobstile_core::policy::{Dedup, OnFull, Places, Policy, Rules, Switches};
use jobstile_core::run::State;
use jobstile_core::time::Time;

use super::events::{self, Event};
use super::load::{self, Counts, Window};
use super::nodes::{Live, Node, SILENCE};
use super::overview::Overview;
use super::remains::Remains;
use super::run::Waits;
use super::{Asker, Questions};
use crate::args::Args;
use crate::error::Result;
use crate::origin::{Origin, Origins, Source};
use crate::store::numbers::Numbers;
use crate::store::read::{AttemptInfo, DeadRun, JobInfo, Liveness, PauseInfo, RunInfo, TurnedAway};

/// A run is never unusual before this.
const UNUSUAL: Duration = Duration::from_secs(10);
/// So many times its usual time, or its interval.
const UNUSUAL_TIMES: u32 = 3;
/// A run that turned away so many triggers is worth a look, however long it takes.
const MANY_TURNED_AWAY: u64 = 20;
/// Waiting runs that are named.
const WAITING: usize = 50;

/// A job and everything that is live of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// The job.
    pub info: JobInfo,
    /// What holds for it now; `None` if it is not in the policy.
    pub rules: Option<Rules>,
    /// What runs, the one due first before the others.
    pub running: Vec<Running>,
    /// Retries and runs for later, the next first.
    pub upcoming: Vec<RunInfo>,
    /// The run that ended last.
    pub last: Option<RunInfo>,
    /// The attempt that ended last, of whatever run.
    pub last_attempt: Option<AttemptInfo>,
    /// Dead runs, the latest first.
    pub dead: Vec<DeadRun>,
    /// The numbers of the window.
    pub numbers: Numbers,
    /// What became of its triggers, in the window.
    pub counts: Counts,
    /// Arrivals × mean run time ÷ slots.
    pub load: Option<f64>,
    /// Each live node's reason why it cannot run it, with the node's name; empty if none defines it. `None` if one can.
    pub cannot_run: Option<Vec<(String, String)>>,
    /// Runs that wait for nothing but a worker.
    pub ready: u64,
    /// When it was taken out of the policy.
    pub removed_at: Option<Time>,
    /// If it was taken out: a job whose name is so near that it may have been renamed.
    pub meant: Option<String>,
    /// More wait than the policy allows; with deduplication off, more than one.
    pub stacking: bool,
}

/// A run whose row says that it runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Running {
    /// The run.
    pub run: RunInfo,
    /// Its node's name.
    pub node: String,
    /// Its node's process.
    pub pid: Option<u32>,
    /// Whether its node lives. If it is gone, the run runs no more and starts again.
    pub liveness: Liveness,
    /// Since its claim.
    pub for_: Duration,
    /// What it turned away.
    pub turned_away: TurnedAway,
    /// It takes longer than it should.
    pub unusual: Option<Unusual>,
    /// Why it keeps its slot although no node can end it or vouch for it; `None` if nothing is wrong.
    pub remains: Option<Remains>,
}

/// How a run is unusual.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unusual {
    /// What runs of its job take on average.
    pub usual: Option<Duration>,
    /// The longest so far.
    pub longest: Option<Duration>,
}

impl Running {
    /// Its node went away, and nothing of it lives: it starts again.
    #[must_use]
    pub fn is_orphan(&self) -> bool {
        self.liveness == Liveness::Gone && self.remains.is_none()
    }
}

impl Job {
    pub(super) fn new(info: JobInfo, switches: Switches, numbers: Numbers) -> Self {
        let policy = info.policy.as_ref();
        Self {
            rules: policy.map(|policy| policy.rules(switches)),
            load: policy.and_then(|policy| load::load(policy, switches, numbers.run.mean())),
            stacking: stacking(&info, switches),
            counts: Counts::of(&numbers),
            running: vec![],
            upcoming: vec![],
            last: None,
            last_attempt: None,
            dead: vec![],
            cannot_run: None,
            ready: 0,
            removed_at: None,
            meant: None,
            numbers,
            info,
        }
    }

    pub(super) fn add_running(&mut self, run: RunInfo, node: Option<&Node>, turned_away: TurnedAway, now: Time) {
        let for_ = now.since(run.row.claimed_at.unwrap_or(run.row.due));
        self.running.push(Running {
            node: node.map_or_else(|| "a node".to_owned(), |node| node.name.clone()),
            pid: node.map(|node| node.info.row.pid),
            liveness: node.map_or(Liveness::Unknown, |node| node.info.liveness),
            unusual: self.unusual(for_, turned_away.count),
            for_,
            turned_away,
            remains: None,
            run,
        });
    }

    fn unusual(&self, for_: Duration, turned_away: u64) -> Option<Unusual> {
        let times = |of: Option<Duration>| of.map(|of| of.saturating_mul(UNUSUAL_TIMES));
        let (usual, longest) = (self.numbers.run.mean(), self.numbers.run.max());
        let by_time = times(self.numbers.run.quantile(0.95)).map(|most| {
            most.max(times(self.every()).unwrap_or_default()).max(UNUSUAL).max(longest.unwrap_or_default())
        });
        // A job that cannot keep up turns away many with every run, and that is said of it.
        let many = turned_away >= MANY_TURNED_AWAY && for_ > UNUSUAL && longest.is_none_or(|longest| for_ > longest);
        (by_time.is_some_and(|most| for_ > most) || many).then_some(Unusual { usual, longest })
    }

    /// Its interval.
    #[must_use]
    pub fn every(&self) -> Option<Duration> {
        self.info.policy.as_ref().and_then(|policy| policy.schedule).map(|schedule| schedule.every)
    }

    /// It is in the policy, or something of it is live.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.info.policy.is_some() || self.info.tally.taking() + self.info.tally.scheduled > 0
    }

    /// It is in the policy and not switched off.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.info.policy.as_ref().is_some_and(|policy| policy.enabled)
    }

    /// It has a schedule that is switched off.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.info.policy.as_ref().is_some_and(|policy| policy.schedule.is_some() && !policy.enabled)
    }

    /// Where it was said that its schedule is off; `None` if it is on, or has none.
    #[must_use]
    pub fn switched_off(&self) -> Option<Source> {
        let mut origins = Origins::read(&self.info.origins);
        let unsaid = || Source { origin: Origin::Default, instead_of: None };
        self.is_off().then(|| origins.0.remove("enabled").unwrap_or_else(unsaid))
    }

    /// A monitoring job.
    #[must_use]
    pub fn is_monitoring(&self) -> bool {
        self.info.policy.as_ref().is_some_and(|policy| policy.monitoring)
    }

    /// Nothing of it runs or waits.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.info.tally.taking() == 0
    }

    /// Runs that went away with their node.
    #[must_use]
    pub fn orphans(&self) -> u64 {
        self.running.iter().filter(|run| run.is_orphan()).count() as u64
    }

    /// No live node can run it, and that matters: it would fire, or something waits.
    #[must_use]
    pub fn stuck(&self) -> Option<&[(String, String)]> {
        let matters = self.is_on() || self.info.tally.waiting() > 0;
        self.cannot_run.as_deref().filter(|_| matters)
    }

    /// It takes longer than it has.
    #[must_use]
    pub fn cannot_keep_up(&self) -> bool {
        self.load.is_some_and(|load| load > 1.0)
    }

    /// Dead runs that nothing has made up for.
    pub fn unrecovered(&self) -> impl Iterator<Item = &DeadRun> {
        self.dead.iter().filter(|dead| dead.recovered_by.is_none())
    }

    /// The run that starts again first.
    #[must_use]
    pub fn retrying(&self) -> Option<&RunInfo> {
        self.upcoming.iter().find(|run| run.row.state == State::Retrying)
    }

    /// The next of the runs for later.
    #[must_use]
    pub fn later(&self) -> Option<&RunInfo> {
        self.upcoming.iter().find(|run| run.row.state == State::Scheduled)
    }

    /// The share of attempts that did their work, in percent.
    #[must_use]
    pub fn success(&self) -> Option<f64> {
        let count = |word: &str| self.numbers.attempts.get(word).copied().unwrap_or(0) as f64;
        let (good, bad) = (count("success"), count("failure") + count("timeout"));
        (good + bad > 0.0).then(|| 100.0 * good / (good + bad))
    }

    /// Its instants that have come and that nobody has looked at.
    #[must_use]
    pub fn overdue(&self, now: Time) -> u64 {
        let (Some(every), Some(next)) = (self.every(), self.info.next_at) else { return 0 };
        if next > now {
            return 0;
        }
        u64::try_from(now.since(next).as_micros() / every.as_micros().max(1) + 1).unwrap_or(u64::MAX)
    }

    /// Its last instant should have been looked at long since.
    #[must_use]
    pub fn is_overdue(&self, now: Time) -> bool {
        self.cannot_run.is_none() && self.info.next_at.is_some_and(|next| now.since(next) > SILENCE)
    }

    /// Somebody has to do something about it.
    #[must_use]
    pub fn needs_action(&self, now: Time) -> bool {
        let unusual = self.running.iter().any(|run| run.unusual.is_some() || run.remains.is_some());
        let removed = self.info.policy.is_none() && self.is_current();
        let worries = self.stuck().is_some() || self.stacking || self.cannot_keep_up() || unusual || removed;
        worries || self.info.paused(now).is_some() || self.unrecovered().next().is_some()
    }

    /// Where it stands.
    #[must_use]
    pub fn standing(&self, first_waiting: Option<(&RunInfo, Waits)>) -> Standing {
        if let Some(first) = self.running.iter().find(|run| !run.is_orphan()) {
            let others = self.running.len() as u64 - 1 - self.orphans();
            return Standing::Running {
                run: first.run.row.id,
                others,
                for_: first.for_,
                usual: self.numbers.run.mean(),
                unusual: first.unusual.is_some(),
            };
        }
        if let Some(first) = self.running.first() {
            return Standing::WasRunning {
                run: first.run.row.id,
                others: self.orphans() - 1,
                node: first.node.clone(),
            };
        }
        if let Some(run) = self.retrying() {
            let others = self.info.tally.retrying.saturating_sub(1);
            return Standing::Retrying { run: run.row.id, due: run.row.due, attempt: run.row.failures + 1, others };
        }
        if let Some((run, waits)) = first_waiting {
            let others = self.info.tally.queued.saturating_sub(1);
            return Standing::Waiting { run: run.row.id, since: run.row.due, waits, others };
        }
        if let Some(run) = self.later() {
            let others = self.info.tally.scheduled.saturating_sub(1);
            return Standing::Later { run: run.row.id, due: run.row.due, others };
        }
        match &self.last {
            Some(run) if run.row.state == State::Dead => {
                let row = &run.row;
                Standing::Dead { run: row.id, code: row.code, failures: row.failures, lost: row.lost }
            }
            _ => Standing::Idle,
        }
    }
}

/// More wait than the policy allows; with deduplication off, more than one.
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

/// Where a job stands: the first of these that is so.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing {
    /// It runs.
    Running {
        /// The run due first.
        run: RunId,
        /// Running besides.
        others: u64,
        /// How long already.
        for_: Duration,
        /// What its runs take on average.
        usual: Option<Duration>,
        /// That is longer than it should.
        unusual: bool,
    },
    /// It ran on a node that is gone, and starts again.
    WasRunning {
        /// The run due first.
        run: RunId,
        /// Besides.
        others: u64,
        /// The node's name.
        node: String,
    },
    /// It waits for a retry.
    Retrying {
        /// The one that starts first.
        run: RunId,
        /// When.
        due: Time,
        /// As which attempt.
        attempt: u32,
        /// Retrying besides.
        others: u64,
    },
    /// A run of it waits.
    Waiting {
        /// The one due first.
        run: RunId,
        /// Since when it is due.
        since: Time,
        /// For what.
        waits: Waits,
        /// Waiting besides.
        others: u64,
    },
    /// A run of it is for later.
    Later {
        /// The next one.
        run: RunId,
        /// When.
        due: Time,
        /// For later besides.
        others: u64,
    },
    /// Nothing of it is live, and its last run is dead.
    Dead {
        /// That run.
        run: RunId,
        /// Why.
        code: Option<Code>,
        /// Failed attempts.
        failures: u32,
        /// Lost attempts.
        lost: u32,
    },
    /// Nothing of it is live.
    Idle,
}

/// What stops the next start of a job: the first of these that is so.
#[derive(Debug, Clone, PartialEq)]
pub enum InTheWay {
    /// No configuration in force names it.
    NoConfiguration {
        /// Since when.
        since: Option<Time>,
        /// The version that took it out.
        version: Version,
        /// A job of a similar name.
        meant: Option<String>,
    },
    /// It is paused.
    Paused(PauseInfo),
    /// Nobody works on the store.
    NoDaemon {
        /// The program that worked last embeds Jobstile: there is no daemon to start.
        library: bool,
    },
    /// No live node can run it: each one's reason; none defines it if there are no reasons.
    CannotRun(Vec<(String, String)>),
    /// Its schedule is switched off, and where that was said.
    SwitchedOff(Source),
    /// Its instants have come, and nobody has looked at them.
    Overdue {
        /// How many.
        count: u64,
        /// The first of them.
        since: Time,
    },
    /// The clock stands behind the schedule: it went back since the last instant.
    ClockBehind {
        /// The last instant that was looked at.
        last: Time,
    },
    /// A run that would turn the next tick away.
    Run {
        /// Which; `None` if the rule names none.
        run: Option<RunId>,
        /// What would become of the tick.
        decision: Decision,
        /// Why.
        code: Code,
    },
}

/// What stops everything of a job that is due from starting; `None` if nothing does.
pub(super) fn blocked(overview: &Overview, job: &Job) -> Option<InTheWay> {
    if job.info.policy.is_none() {
        let (since, version, meant) = (job.removed_at, job.info.version, job.meant.clone());
        return Some(InTheWay::NoConfiguration { since, version, meant });
    }
    if let Some(pause) = job.info.paused(overview.at) {
        return Some(InTheWay::Paused(pause.clone()));
    }
    if matches!(overview.live, Live::Left | Live::Never) {
        let newest = overview.nodes.iter().max_by_key(|node| node.info.started_at);
        return Some(InTheWay::NoDaemon { library: newest.is_some_and(|node| node.info.row.kind == "library") });
    }
    job.cannot_run.clone().map(InTheWay::CannotRun)
}

/// The next instant of a schedule, and what a tick of this moment would become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextTick {
    /// When it fires.
    pub at: Time,
    /// What.
    pub decision: Decision,
    /// Why.
    pub code: Code,
    /// The run in its way.
    pub by: Option<RunId>,
}

/// The rules in force for a job, and where they come from.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Deduplication is on.
    pub deduplication: bool,
    /// A monitoring job under aggressive deduplication.
    pub aggressive: bool,
    /// The identity rule in force.
    pub dedup: Option<Dedup>,
    /// It has an identity rule that is switched off.
    pub dedup_is_off: bool,
    /// Attempts at once; `None` means any number.
    pub slots: Option<u32>,
    /// How many may wait besides.
    pub waiting: u64,
    /// What becomes of a trigger that finds no place.
    pub on_full: OnFull,
    /// A run that is about to start beside another is refused.
    pub final_check: bool,
    /// Where that it is a monitoring job comes from.
    pub from: Origin,
}

impl Rule {
    /// That of a job in the policy.
    #[must_use]
    pub fn of(job: &Job, policy: &Policy, switches: Switches) -> Self {
        let rules = policy.rules(switches);
        let slots = load::slots(policy, switches);
        let waiting = match rules.places {
            Places::Taking(places) => places.saturating_sub(slots.unwrap_or(0).into()),
            Places::Waiting(places) => places,
        };
        Self {
            deduplication: switches.deduplication,
            aggressive: rules.aggressive,
            dedup_is_off: policy.dedup.is_some() && rules.dedup.is_none(),
            dedup: rules.dedup,
            slots,
            waiting,
            on_full: rules.on_full,
            final_check: rules.final_check,
            from: Origins::read(&job.info.origins).origin("monitoring").clone(),
        }
    }
}

/// How a job has fared in the window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pattern {
    /// The window.
    pub window: Window,
    /// What became of its triggers.
    pub counts: Counts,
    /// Runs that wait now.
    pub waiting: u64,
    /// What its runs take on average.
    pub mean: Option<Duration>,
    /// Its interval.
    pub every: Option<Duration>,
    /// Its load.
    pub load: Option<f64>,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Advice {
    /// A longer interval.
    LongerInterval {
        /// This one.
        every: Duration,
        /// Its ticks are skipped now; otherwise its runs pile up.
        skips: bool,
    },
    /// No retries: the next tick comes before one.
    NoRetries {
        /// The first retry's delay.
        delay: Duration,
        /// The interval.
        every: Duration,
    },
    /// Start a retrying run at once.
    RetryNow {
        /// The run.
        run: RunId,
        /// The attempt that starts.
        attempt: u32,
    },
    /// Look at what a run printed.
    Logs {
        /// The run.
        run: RunId,
    },
    /// Try a dead run again.
    Retry {
        /// The run.
        run: RunId,
    },
    /// End a run.
    Cancel {
        /// The run.
        run: RunId,
    },
    /// Let the paused job go on.
    Resume,
    /// Start the daemon.
    Serve,
    /// Start the program that embeds Jobstile.
    StartProgram,
    /// Name the job in a configuration again, or end what is left.
    NameAgain,
    /// Find out what holds the daemon up.
    Doctor,
}

/// Everything about one job.
#[derive(Debug, Clone, PartialEq)]
pub struct Explained {
    /// The job, and the nodes and switches around it.
    pub overview: Overview,
    /// The job.
    pub job: Job,
    /// Where it stands.
    pub standing: Standing,
    /// What stops its next start.
    pub in_the_way: Option<InTheWay>,
    /// Its next tick.
    pub next_tick: Option<NextTick>,
    /// Its rules.
    pub rule: Option<Rule>,
    /// What happened to it, the newest last.
    pub happened: Vec<Event>,
    /// Queued runs, the one due first before the others, as far as they are named.
    pub waiting: Vec<RunInfo>,
    /// A run that started before the last tick it turned away: it may not see what changed in between.
    pub may_miss: Option<RunId>,
    /// A run that made up for missed ticks.
    pub catch_up: Option<RunInfo>,
    /// How it has fared.
    pub pattern: Pattern,
    /// What to do.
    pub advice: Vec<Advice>,
}

impl Explained {
    /// Asks for everything about a job; `None` if there is none of that name.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn ask<Q: Questions>(asker: &Asker<'_, Q>, name: &str) -> Result<Option<Self>> {
        asker.store.at_once(|store| {
            let asker = Asker { store, ..*asker };
            let overview = Overview::ask(&asker, Some(name))?;
            match overview.jobs.first().cloned() {
                None => Ok(None),
                Some(job) => explain(&asker, overview, job).map(Some),
            }
        })
    }

    /// What ticks meet as things are: a run that turns them away.
    #[must_use]
    pub fn turned_away(&self) -> Option<NextTick> {
        self.next_tick.filter(|tick| tick.decision != Decision::Admitted)
    }
}

fn explain<Q: Questions>(asker: &Asker<'_, Q>, overview: Overview, job: Job) -> Result<Explained> {
    let (store, now) = (asker.store, asker.now);
    let waiting = if job.info.tally.queued > 0 { store.waiting(job.info.id, WAITING)? } else { vec![] };
    let first = waiting.first().and_then(|run| Some((run, overview.waits(run)?)));
    let standing = job.standing(first);
    let next_tick = next_tick(store, &overview, &job, &waiting)?;
    let in_the_way = in_the_way(&overview, &job, next_tick);
    let missed = overview.events.iter().rev().find(|event| matches!(event.what, events::What::Missed { .. }));
    let mut happened = overview.events.clone();
    happened.extend(events::absences(&overview.nodes, missed.map(|event| event.at)));
    happened.sort_by_key(|event| event.at);
    let by = next_tick.and_then(|tick| tick.by);
    let may_miss =
        job.running.iter().find(|run| run.turned_away.count > 0 && Some(run.run.row.id) == by && !run.is_orphan());
    let may_miss = may_miss.map(|run| run.run.row.id);
    let catch_up = job.running.iter().map(|run| &run.run).chain(&waiting).chain(&job.upcoming).chain(&job.last);
    let catch_up = catch_up.filter(|run| made_up(run)).max_by_key(|run| run.row.id).cloned();
    let switches = overview.switches;
    let pattern = Pattern {
        window: overview.window,
        counts: job.counts,
        waiting: job.info.tally.waiting(),
        mean: job.numbers.run.mean(),
        every: job.every(),
        load: job.load,
    };
    let advice = advice(&job, now, &standing, in_the_way.as_ref());
    let rule = job.info.policy.as_ref().map(|policy| Rule::of(&job, policy, switches));
    Ok(Explained {
        overview,
        job,
        standing,
        in_the_way,
        next_tick,
        rule,
        happened,
        waiting,
        may_miss,
        catch_up,
        pattern,
        advice,
    })
}

// It stands for an instant that nobody fired in time.
fn made_up(run: &RunInfo) -> bool {
    run.row.nominal.is_some_and(|tick| run.row.admitted_at.since(tick) > Duration::from_secs(1))
}

impl Overview {
    /// What stops every start of a job by itself, whatever else runs; `None` if nothing does.
    #[must_use]
    pub fn stops(&self, job: &Job) -> Option<InTheWay> {
        if let Some(blocked) = blocked(self, job) {
            return Some(blocked);
        }
        if job.is_off() {
            return job.switched_off().map(InTheWay::SwitchedOff);
        }
        if let Some(since) = job.info.next_at.filter(|_| job.is_overdue(self.at)) {
            return Some(InTheWay::Overdue { count: job.overdue(self.at), since });
        }
        let last = job.info.last_at.filter(|last| *last > self.at)?;
        Some(InTheWay::ClockBehind { last })
    }
}

fn in_the_way(overview: &Overview, job: &Job, next: Option<NextTick>) -> Option<InTheWay> {
    overview.stops(job).or_else(|| {
        let next = next.filter(|tick| tick.decision != Decision::Admitted)?;
        Some(InTheWay::Run { run: next.by, decision: next.decision, code: next.code })
    })
}

/// What a tick of this moment would become, by the rule that decides it when it comes.
fn next_tick<Q: Questions>(store: &Q, overview: &Overview, job: &Job, waiting: &[RunInfo]) -> Result<Option<NextTick>> {
    let (Some(policy), Some(rules)) = (&job.info.policy, &job.rules) else { return Ok(None) };
    let Some(at) = job.info.fires(overview.at, 1).first().copied() else { return Ok(None) };
    let mut target = None;
    if let (Some(_), Some(rule)) = (&rules.dedup, policy.key_rule(overview.switches)) {
        let args = policy.args.as_deref().map_or_else(|| Ok(Args::none()), |text| Args::parse(text.as_bytes()));
        if let Some(key) = args.ok().and_then(|args| args.key(&rule).ok()) {
            target = store.holder(job.info.id, &key)?.map(|run| run.row.as_target());
        }
    }
    let view = View { paused: job.info.paused(overview.at).is_some(), target, tally: job.info.tally };
    let ruling = would_admit(rules, policy.priority, &view);
    let by = match ruling.by {
        By::Nobody => None,
        By::Run(run) => Some(run),
        By::OldestTaking => oldest(job, waiting, true),
        By::OldestWaiting => oldest(job, waiting, false),
    };
    Ok(Some(NextTick { at, decision: ruling.decision, code: ruling.code, by }))
}

// The oldest run that takes a place, or that waits: first due, then lowest number.
fn oldest(job: &Job, waiting: &[RunInfo], running: bool) -> Option<RunId> {
    let running = job.running.iter().filter(|_| running).map(|run| &run.run);
    let retrying = job.upcoming.iter().filter(|run| run.row.state == State::Retrying);
    let all = running.chain(retrying).chain(waiting);
    all.map(|run| (run.row.first_due, run.row.id)).min().map(|(_, id)| id)
}

fn advice(job: &Job, now: Time, standing: &Standing, way: Option<&InTheWay>) -> Vec<Advice> {
    let mut advice = vec![];
    match way {
        Some(InTheWay::NoConfiguration { .. }) => return vec![Advice::NameAgain],
        Some(InTheWay::Paused(_)) => advice.push(Advice::Resume),
        Some(InTheWay::NoDaemon { library: false }) => advice.push(Advice::Serve),
        Some(InTheWay::NoDaemon { library: true }) => advice.push(Advice::StartProgram),
        Some(InTheWay::Overdue { .. }) => advice.push(Advice::Doctor),
        Some(
            InTheWay::CannotRun(_) | InTheWay::SwitchedOff(_) | InTheWay::ClockBehind { .. } | InTheWay::Run { .. },
        )
        | None => {}
    }
    if let (Some(load), Some(every), Some(mean)) =
        (job.load.filter(|load| *load > 1.0), job.every(), job.numbers.run.mean())
    {
        let slots = mean.as_secs_f64() / every.as_secs_f64() / load;
        let times = (mean.as_secs_f64() / every.as_secs_f64() / slots.max(1.0)).ceil();
        let every = Duration::from_secs_f64(every.as_secs_f64() * times);
        advice.push(Advice::LongerInterval { every, skips: job.counts.ticks.skips > 0 });
    }
    match standing {
        Standing::Retrying { run, attempt, .. } => {
            if let (Some(policy), Some(every)) = (&job.info.policy, job.every()) {
                let due = job.retrying().map_or(Duration::ZERO, |run| run.row.due.since(now));
                let delay = policy.backoff.delay;
                if due > every || delay > every {
                    advice.push(Advice::NoRetries { delay, every });
                }
            }
            advice.extend([Advice::RetryNow { run: *run, attempt: *attempt }, Advice::Logs { run: *run }]);
        }
        Standing::Running { run, unusual: true, .. } => {
            advice.extend([Advice::Logs { run: *run }, Advice::Cancel { run: *run }]);
        }
        Standing::Dead { run, .. } => advice.extend([Advice::Logs { run: *run }, Advice::Retry { run: *run }]),
        Standing::Running { .. }
        | Standing::WasRunning { .. }
        | Standing::Waiting { .. }
        | Standing::Later { .. }
        | Standing::Idle => {}
    }
    advice
}
