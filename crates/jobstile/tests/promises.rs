//! Random operations on a store: after each of them the store keeps every promise that SQL can check.

#[path = "promises/answers.rs"]
mod answers;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jobstile::args::Args;
use jobstile::fact::Fact;
use jobstile::op::{
    Answer, Apply, Cancel, Claim, Claimed, Due, Enter, Forget, Free, JobPolicy, Offer, Op, Pause, Paused, Prune, Reap,
    Resume, Retry, Runnable, Settle, Ticks, Trigger, Weight,
};
use jobstile::store::sqlite::{OpenAs, Store};
use jobstile::store::{NodeRow, Printed, PruneBefore};
use jobstile_core::id::RunId;
use jobstile_core::outcome::Outcome;
use jobstile_core::policy::{Concurrency, Dedup, KeyRule, OnDuplicate, OnFull, Policy, Priority, Switches, Until};
use jobstile_core::schedule::{CatchUp, First, Schedule};
use jobstile_core::time::Time;
use jobstile_core::trigger::{Source, When};
use proptest::prelude::*;
use proptest::sample::Index;

const JOBS: [&str; 3] = ["a", "b", "c"];
const NODES: [&str; 2] = ["n1", "n2"];

#[derive(Debug, Clone)]
enum Step {
    Trigger { job: usize, args: u8, later: bool, id: Option<u8>, priority: Option<u8> },
    Claim { node: usize, free: usize },
    Settle { which: Index, outcome: usize },
    Wait { seconds: u64 },
    SetBack { seconds: u64 },
    Cancel { run: i64 },
    Retry { run: i64 },
    Pause { job: usize },
    Resume,
    Apply { jobs: Vec<(bool, JobSteps)>, switches: (bool, bool, bool) },
    Forget { job: usize },
    Reap { node: usize },
    Prune,
}

#[derive(Debug, Clone)]
struct JobSteps {
    monitoring: bool,
    dedup: Option<(bool, bool, bool)>,
    limit: Option<u32>,
    waiting: u32,
    on_full: Option<bool>,
    attempts: u32,
    every: Option<u64>,
    enabled: bool,
}

fn policy(steps: &JobSteps) -> Policy {
    let schedule = steps.every.map(|seconds| Schedule {
        every: Duration::from_secs(seconds),
        first: First::Now,
        catch_up: CatchUp::Latest,
    });
    let dedup = steps.dedup.filter(|_| !steps.monitoring).map(|(all, start, fail)| Dedup {
        key: if all { KeyRule::AllArguments } else { KeyRule::Fields(vec![]) },
        until: if start { Until::Start } else { Until::Finish },
        on_duplicate: if fail { OnDuplicate::Fail } else { OnDuplicate::Skip },
    });
    Policy {
        dedup,
        max_concurrent: steps.limit.map_or(Concurrency::Unlimited, Concurrency::Limited),
        max_waiting: steps.waiting.max(u32::from(steps.limit.is_none())),
        on_full: steps.on_full.map(|fail| if fail { OnFull::Fail } else { OnFull::Skip }),
        attempts: steps.attempts,
        enabled: steps.enabled,
        // Those of some of the triggers.
        args: Some("{\"n\":0}".into()),
        ..Policy::new(steps.monitoring, schedule)
    }
}

fn job_steps() -> impl Strategy<Value = JobSteps> {
    let dedup = prop::option::of(any::<(bool, bool, bool)>());
    let every = prop::option::of(20u64..90);
    let places = (prop::option::of(1u32..4), 0u32..4, any::<Option<bool>>());
    (any::<bool>(), dedup, places, 1u32..4, every, any::<bool>()).prop_map(
        |(monitoring, dedup, (limit, waiting, on_full), attempts, every, enabled)| JobSteps {
            monitoring,
            dedup,
            limit,
            waiting,
            on_full,
            attempts,
            every,
            enabled,
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    let trigger = (
        0..3usize,
        0u8..3,
        prop::bool::weighted(0.2),
        prop::option::weighted(0.2, 0u8..6),
        prop::option::weighted(0.2, 0u8..5),
    );
    prop_oneof![
        8 => trigger.prop_map(|(job, args, later, id, priority)| Step::Trigger { job, args, later, id, priority }),
        6 => (0..2usize, 0..4usize).prop_map(|(node, free)| Step::Claim { node, free }),
        6 => (any::<Index>(), 0..7usize).prop_map(|(which, outcome)| Step::Settle { which, outcome }),
        3 => (0u64..60).prop_map(|seconds| Step::Wait { seconds }),
        1 => (0u64..200).prop_map(|seconds| Step::SetBack { seconds }),
        2 => (1i64..30).prop_map(|run| Step::Cancel { run }),
        2 => (1i64..30).prop_map(|run| Step::Retry { run }),
        1 => (0..3usize).prop_map(|job| Step::Pause { job }),
        1 => Just(Step::Resume),
        2 => (prop::collection::vec((any::<bool>(), job_steps()), 3), any::<(bool, bool, bool)>())
            .prop_map(|(jobs, switches)| Step::Apply { jobs, switches }),
        1 => (0..3usize).prop_map(|job| Step::Forget { job }),
        1 => (0..2usize).prop_map(|node| Step::Reap { node }),
        1 => Just(Step::Prune),
    ]
}

struct World {
    /// Processes that work on one store; `picks` says whose turn it is.
    stores: Vec<Store>,
    picks: Vec<usize>,
    said: Vec<String>,
    /// What happened in the last operation.
    facts: Vec<Fact>,
    now: Time,
    claimed: Vec<(usize, Claimed)>,
}

impl World {
    fn new() -> Self {
        Self::of(vec![Store::in_memory().unwrap()], vec![0])
    }

    fn of(stores: Vec<Store>, picks: Vec<usize>) -> Self {
        let mut world =
            Self { stores, picks, said: vec![], facts: vec![], now: Time(1_800_000_000_000_000), claimed: vec![] };
        for node in 0..2 {
            world.enter(node);
        }
        let steps = JobSteps {
            monitoring: false,
            dedup: None,
            limit: Some(2),
            waiting: 3,
            on_full: None,
            attempts: 2,
            every: None,
            enabled: true,
        };
        world.apply(&[(true, steps.clone()), (true, steps.clone()), (true, steps)], (true, true, true));
        world
    }

    fn op(&mut self, op: Op) -> jobstile::Result<Answer> {
        let whose = self.picks[self.said.len() % self.picks.len()] % self.stores.len();
        let mut done = self.stores[whose].execute(self.now, std::slice::from_ref(&op));
        let answer = done.answers.pop().unwrap();
        self.said.push(format!("{answer:?} {:?}", done.facts));
        self.facts = done.facts;
        if let Err(error) = &answer {
            assert!(
                matches!(error.kind(), jobstile::Kind::NotFound | jobstile::Kind::Invalid | jobstile::Kind::Taken),
                "{op:?}: {error}"
            );
        }
        answer
    }

    fn enter(&mut self, node: usize) {
        self.op(Op::Enter(Enter(NodeRow {
            id: NODES[node].into(),
            name: "web".into(),
            kind: "daemon".into(),
            host: "web".into(),
            pid: 1,
            user: "u".into(),
            program: "p".into(),
            dir: "/nowhere".into(),
            workers: 4,
            boot_id: None,
            lock_uid: None,
        })))
        .unwrap();
        let jobs = JOBS.iter().map(|job| ((*job).to_owned(), None)).collect();
        self.op(Op::Offer(Offer { node: NODES[node].into(), jobs })).unwrap();
    }

    fn apply(
        &mut self,
        jobs: &[(bool, JobSteps)],
        (deduplication, aggressive, stacking_prevention): (bool, bool, bool),
    ) {
        let jobs = jobs
            .iter()
            .zip(JOBS)
            .filter(|((there, _), _)| *there)
            .map(|((_, steps), name)| JobPolicy { name: name.into(), policy: policy(steps), origins: "{}".into() })
            .collect();
        self.op(Op::Apply(Apply {
            owner: "file".into(),
            by: "u".into(),
            switches: Some(Switches { deduplication, aggressive, stacking_prevention }),
            origins: "{}".into(),
            jobs,
            replace: true,
            taken: vec![],
        }))
        .unwrap();
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Trigger { job, args, later, id, priority } => {
                let trigger = Trigger {
                    job: JOBS[*job].into(),
                    args: Args::parse(format!("{{\"n\":{args}}}").as_bytes()),
                    priority: priority.map(|n| Priority::ALL[usize::from(n)]),
                    when: if *later { When::In(Duration::from_secs(30)) } else { When::Now },
                    id: id.map(|id| format!("id-{id}").into()),
                    source: Source::Cli,
                    by: "u".into(),
                };
                let _ = self.op(Op::Trigger(trigger));
            }
            Step::Claim { node, free } => {
                let jobs: Runnable = JOBS.iter().map(|job| ((*job).to_owned(), Weight::Light)).collect();
                let free = Free { total: *free, heavy: 0, light: *free };
                let claim = Claim { node: NODES[*node].into(), jobs: Arc::new(jobs), free };
                if let Ok(Answer::Claimed(claimed)) = self.op(Op::Claim(claim)) {
                    self.claimed.extend(claimed.into_iter().map(|one| (*node, one)));
                }
            }
            Step::Settle { which, outcome } => {
                if self.claimed.is_empty() {
                    return;
                }
                let (_, claimed) = self.claimed.remove(which.index(self.claimed.len()));
                let _ = self.op(Op::Settle(Settle {
                    run: claimed.run,
                    fence: claimed.fence,
                    outcome: Outcome::ALL[*outcome],
                    message: None,
                    exit_code: None,
                    printed: Some(Printed { head: b"x".to_vec(), tail: vec![], dropped: 0 }),
                    retry_after: None,
                    took: None,
                    jitter: 0.5,
                    result: None,
                    wish: None,
                }));
            }
            Step::Wait { seconds } => {
                self.now = self.now.plus(Duration::from_secs(*seconds));
                let _ = self.op(Op::Due(Due { max: 100 }));
                let _ = self.op(Op::Ticks(Ticks { jobs: None, by: "n1".into() }));
            }
            Step::SetBack { seconds } => self.now = self.now.minus(Duration::from_secs(*seconds)),
            Step::Cancel { run } => drop(self.op(Op::Cancel(Cancel { run: RunId(*run), by: "u".into() }))),
            Step::Retry { run } => {
                drop(self.op(Op::Retry(Retry { run: RunId(*run), by: "u".into(), source: Source::Cli })));
            }
            Step::Pause { job } => {
                let pause = Paused { until: Some(self.now.plus(Duration::from_secs(40))), by: "u".into(), why: None };
                let _ = self.op(Op::Pause(Pause { job: Some(JOBS[*job].into()), pause }));
            }
            Step::Resume => drop(self.op(Op::Resume(Resume { job: None }))),
            Step::Apply { jobs, switches } => self.apply(jobs, *switches),
            Step::Forget { job } => drop(self.op(Op::Forget(Forget { job: JOBS[*job].into() }))),
            Step::Reap { node } => {
                self.claimed.retain(|(of, _)| of != node);
                let (node_id, reason) = (NODES[*node].into(), "gone".into());
                let _ = self.op(Op::Reap(Reap { node: node_id, reason, printed: HashMap::new() }));
                self.enter(*node);
            }
            Step::Prune => {
                let ago = |seconds| self.now.minus(Duration::from_secs(seconds));
                let before = PruneBefore {
                    successes: ago(60),
                    others: ago(120),
                    trigger_ids: ago(86_400),
                    instants: self.now,
                    keep: 2,
                    max: 100,
                };
                let _ = self.op(Op::Prune(Prune(before)));
            }
        }
    }
}

#[test]
fn a_limit_that_comes_back_gives_slots_to_all_that_run() {
    let mut world = World::new();
    let limited = |limit| JobSteps {
        monitoring: false,
        dedup: None,
        limit,
        waiting: 3,
        on_full: None,
        attempts: 1,
        every: None,
        enabled: true,
    };
    for limit in [Some(2), None, Some(1)] {
        world.apply(&[(true, limited(limit))], (true, true, true));
        world.take(&Step::Trigger { job: 0, args: 0, later: false, id: None, priority: None });
        world.take(&Step::Claim { node: 0, free: 1 });
        assert_eq!(world.stores[0].verify().unwrap(), [], "{limit:?}");
    }
    assert_eq!(world.claimed.len(), 2, "two run where one is allowed: no third one starts");
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn every_operation_keeps_every_promise(steps in prop::collection::vec(step(), 1..60)) {
        let mut world = World::new();
        for (at, step) in steps.iter().enumerate() {
            world.take(step);
            let broken = world.stores[0].verify().unwrap();
            prop_assert!(broken.is_empty(), "after step {at}: {step:?}\n{broken:#?}");
        }
    }

    #[test]
    fn it_does_not_matter_which_process_executes(
        steps in prop::collection::vec(step(), 1..40),
        picks in prop::collection::vec(0..3usize, 1..12),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("store.db");
        let stores = (0..3).map(|_| Store::open(&file, OpenAs::Owner).unwrap()).collect();
        let (mut alone, mut together) = (World::new(), World::of(stores, picks));
        for step in &steps {
            alone.take(step);
            together.take(step);
            prop_assert_eq!(alone.said.last(), together.said.last());
        }
        prop_assert_eq!(alone.said, together.said);
        prop_assert!(together.stores[0].verify().unwrap().is_empty());
    }
}
