//! Clients: callers with triggers, and operators with policies, pauses and cancels.

use std::time::Duration;

use jobstile::args::Args;
use jobstile::core::id::{NodeId, RunId, TriggerId};
use jobstile::core::time::Time;
use jobstile::core::trigger::{Source, When};
use jobstile::op::{Apply, Cancel, Forget, JobPolicy, Op, Pause, Paused, Prune, Resume, Retry, Trigger};
use jobstile::store::PruneBefore;
use jobstile_model::{HOUR, MIN, S, Spec, Switches};

use crate::report::Counts;
use crate::rng::Rng;
use crate::spec::{self, ARGS, Plan, WHOLE, priority, switches};

/// What clients remember.
#[derive(Debug)]
pub(crate) struct Clients {
    /// Every job there ever was, in the policy now or not.
    pub(crate) jobs: Vec<(String, Spec, bool)>,
    pub(crate) switches: Switches,
    ids: usize,
    /// How often one asks for a run that is due later.
    later: f64,
    /// How often one gives an id.
    with_id: f64,
}

impl Clients {
    pub(crate) fn new(rng: &mut Rng) -> Self {
        let jobs = (0..2 + rng.below(4)).map(|n| (format!("job_{n}"), spec::random(rng), true)).collect();
        let (later, with_id) = (0.3 * rng.share(), 0.6 * rng.share());
        let switches = match rng.chance(0.6) {
            true => Switches::default(),
            false => Switches { dedup: rng.chance(0.7), aggressive: rng.chance(0.7), stacking: rng.chance(0.7) },
        };
        Self { jobs, switches, ids: 0, later, with_id }
    }

    pub(crate) fn trigger(&mut self, now: i64, rng: &mut Rng) -> Op {
        let job = if rng.chance(0.02) { "nobody_knows".to_owned() } else { rng.pick(&self.jobs).0.clone() };
        let args = if rng.chance(0.9) { rng.below(WHOLE) } else { rng.below(ARGS.len()) };
        let id = rng.chance(self.with_id).then(|| {
            self.ids += usize::from(self.ids == 0 || rng.chance(0.6));
            let back = rng.spread(1, self.ids as i64 + 1) as usize;
            format!("id-{}", self.ids.saturating_sub(back))
        });
        // Callers that repeat themselves say the same again, most of the time.
        let args = match &id {
            Some(id) if rng.chance(0.9) => id.bytes().map(usize::from).sum::<usize>() % WHOLE,
            _ => args,
        };
        let when = if rng.chance(self.later) {
            // Round times, so that some fall together.
            let round = *rng.pick(&[S, 10 * S, MIN]);
            if rng.chance(0.5) {
                When::In(Duration::from_micros((rng.between(0, 12) * round) as u64))
            } else {
                When::At(Time((now / round + rng.between(-1, 12)) * round))
            }
        } else {
            When::Now
        };
        Op::Trigger(Trigger {
            job: job.into(),
            args: Args::parse(ARGS[args].as_bytes()),
            priority: rng.chance(0.2).then(|| priority(rng.below(5))),
            when,
            id: id.map(TriggerId::from),
            source: *rng.pick(&[Source::Cli, Source::Library, Source::Api]),
            by: "a caller".into(),
        })
    }

    pub(crate) fn operate(&mut self, now: i64, newest_run: i64, rng: &mut Rng) -> Op {
        // Mostly runs that are still alive, sometimes one that never was.
        let run = RunId((newest_run + 2 - rng.spread(1, 40)).max(1));
        let job = rng.pick(&self.jobs).0.clone();
        match rng.below(12) {
            0..4 => Op::Cancel(Cancel { run, by: "an operator".to_owned() }),
            4..7 => Op::Retry(Retry { run, by: "an operator".to_owned(), source: Source::Cli }),
            7 | 8 => {
                let all = rng.chance(0.2);
                let until = rng.chance(0.5).then(|| Time(now + rng.spread(S, 10 * MIN)));
                let pause = Paused { until, by: "an operator".to_owned(), why: None };
                Op::Pause(Pause { job: (!all).then_some(job), pause })
            }
            9 | 10 => Op::Resume(Resume { job: rng.chance(0.7).then_some(job) }),
            _ => Op::Prune(Prune(prune(now, rng))),
        }
    }

    /// Another policy; now and then a job is taken out or comes back.
    pub(crate) fn change(&mut self, rng: &mut Rng, counts: &mut Counts) -> (Op, Option<Plan>) {
        if rng.chance(0.08) {
            let at = rng.below(self.jobs.len());
            self.jobs[at].2 = false;
            return (Op::Forget(Forget { job: self.jobs[at].0.clone() }), None);
        }
        counts.fault("policy changed");
        if rng.chance(0.3) {
            let Switches { dedup, aggressive, stacking } = &mut self.switches;
            let switch = [dedup, aggressive, stacking].into_iter().nth(rng.below(3)).expect("one of three");
            *switch = !*switch;
            counts.fault("switches changed");
        }
        let at = rng.below(self.jobs.len());
        let (_, spec, there) = &mut self.jobs[at];
        if !*there {
            *there = true;
            counts.fault("job added again");
        } else if rng.chance(0.15) {
            *there = false;
            counts.fault("job removed");
        } else {
            let before = spec.clone();
            spec::change(spec, rng);
            if let (Some(before), Some(after)) = (before.slots, spec.slots) {
                counts.fault_if("limit lowered", after < before);
                counts.fault_if("limit raised", after > before);
            }
            counts.fault_if("interval changed", before.every.is_some() && before.every != spec.every);
        }
        self.apply(counts)
    }

    pub(crate) fn apply(&self, counts: &mut Counts) -> (Op, Option<Plan>) {
        counts.switches(self.switches);
        let jobs: Vec<(String, Spec)> =
            self.jobs.iter().filter(|job| job.2).map(|(name, spec, _)| (name.clone(), spec.clone())).collect();
        let policies = jobs.iter().map(|(name, spec)| JobPolicy {
            name: name.clone(),
            policy: spec::policy(spec),
            origins: "{}".to_owned(),
        });
        let op = Op::Apply(Apply {
            owner: "jobstile.toml".to_owned(),
            by: "an operator".to_owned(),
            switches: Some(switches(self.switches)),
            origins: "{}".to_owned(),
            jobs: policies.collect(),
            replace: true,
            taken: vec![],
        });
        (op, Some(Plan { switches: self.switches, jobs }))
    }
}

fn prune(now: i64, rng: &mut Rng) -> PruneBefore {
    let age = rng.spread(MIN, 2 * HOUR);
    PruneBefore {
        successes: Time(now - age),
        others: Time(now - age * 2),
        trigger_ids: Time(now - 24 * HOUR),
        instants: Time(now),
        keep: rng.spread(1, 100) as u32,
        max: rng.spread(1, 1000) as u32,
    }
}

/// A name for the nodes of a seed.
pub(crate) fn node_id(nth: usize, life: u64) -> NodeId {
    format!("node-{nth}-{life}").into()
}
