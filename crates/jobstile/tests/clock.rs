//! What a clock that is set back may not hold up.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jobstile::args::Args;
use jobstile::core::outcome::Outcome;
use jobstile::core::policy::{Backoff, Policy};
use jobstile::core::run::State;
use jobstile::core::schedule::{CatchUp, First, Schedule};
use jobstile::core::time::Time;
use jobstile::core::trigger::{Source, When};
use jobstile::fact::Fact;
use jobstile::op::{Answer, Apply, Claim, Claimed, Due, Enter, Free, JobPolicy, Op, Settle, Ticks, Trigger, Weight};
use jobstile::store::NodeRow;
use jobstile::store::sqlite::Store;

const NOON: Time = Time(1_790_856_000_000_000);
const DAY: Duration = Duration::from_secs(86_400);

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn node(id: &str) -> NodeRow {
    NodeRow {
        id: id.into(),
        name: id.into(),
        kind: "daemon".into(),
        host: "here".into(),
        pid: 1,
        user: "u".into(),
        program: "test".into(),
        dir: String::new(),
        workers: 9,
        boot_id: None,
        lock_uid: None,
    }
}

struct World {
    store: Store,
    now: Time,
    states: Vec<State>,
}

impl World {
    /// One job `j` that fails and is tried again after 3 s.
    fn new() -> Self {
        let mut world = Self { store: Store::in_memory().unwrap(), now: NOON, states: vec![] };
        let backoff = Backoff { delay: seconds(3), factor: 1.0, ..Backoff::default() };
        let policy = Policy { attempts: 3, backoff, ..Policy::new(false, None) };
        world.apply(policy);
        world.op(Op::Enter(Enter(node("n"))));
        world
    }

    fn op(&mut self, op: Op) -> Answer {
        let mut done = self.store.execute(self.now, &[op]);
        self.states.extend(done.facts.iter().filter_map(|fact| match fact {
            Fact::Came(came) => Some(came.state),
            Fact::Decided(_) => None,
        }));
        done.answers.pop().unwrap().unwrap()
    }

    fn apply(&mut self, policy: Policy) {
        self.op(Op::Apply(Apply {
            owner: "test".into(),
            by: "test".into(),
            switches: None,
            origins: "{}".into(),
            jobs: vec![JobPolicy { name: "j".into(), policy, origins: "{}".into() }],
            replace: true,
            taken: vec![],
        }));
    }

    fn ticks(&mut self) {
        self.op(Op::Ticks(Ticks { jobs: None, by: "n".into() }));
    }

    fn trigger(&mut self, when: When) {
        let trigger = Trigger {
            job: "j".into(),
            args: Ok(Args::none()),
            priority: None,
            when,
            id: None,
            source: Source::Cli,
            by: "u".into(),
        };
        self.op(Op::Trigger(trigger));
    }

    fn start(&mut self) -> Vec<Claimed> {
        let jobs = Arc::new(HashMap::from([("j".to_owned(), Weight::Light)]));
        let free = Free { total: 9, heavy: 9, light: 9 };
        match self.op(Op::Claim(Claim { node: "n".into(), jobs, free })) {
            Answer::Claimed(claimed) => claimed,
            other => panic!("a claim answered {other:?}"),
        }
    }

    fn fail(&mut self, claimed: &Claimed) {
        let (run, fence, outcome) = (claimed.run, claimed.fence, Outcome::Failure);
        let (message, exit_code, printed, retry_after, took) = (None, None, None, None, None);
        self.op(Op::Settle(Settle {
            run,
            fence,
            outcome,
            message,
            exit_code,
            printed,
            retry_after,
            took,
            result: None,
            wish: None,
            jitter: 0.0,
        }));
    }

    /// Looks at what is due, after this time.
    fn due_after(&mut self, wait: Duration) -> Vec<State> {
        self.now = self.now.plus(wait);
        self.states.clear();
        self.op(Op::Due(Due { max: 9 }));
        std::mem::take(&mut self.states)
    }
}

#[test]
fn a_retry_is_never_due_later_than_its_delay_from_now() {
    let mut world = World::new();
    world.trigger(When::Now);
    let claimed = world.start();
    world.fail(&claimed[0]);
    world.now = world.now.minus(3 * DAY);
    assert_eq!(world.due_after(seconds(0)), [], "its delay is not over");
    assert_eq!(world.due_after(seconds(2)), []);
    assert_eq!(world.due_after(seconds(1)), [State::Queued]);
    assert_eq!(world.store.verify().unwrap(), []);
}

#[test]
fn a_trigger_for_in_is_never_due_later_than_that_from_now() {
    let mut world = World::new();
    world.trigger(When::In(seconds(8)));
    world.now = world.now.minus(seconds(3600));
    assert_eq!(world.due_after(seconds(0)), []);
    assert_eq!(world.due_after(seconds(7)), []);
    assert_eq!(world.due_after(seconds(1)), [State::Queued]);
    assert_eq!(world.store.verify().unwrap(), []);
}

#[test]
fn a_trigger_for_an_instant_keeps_it() {
    let mut world = World::new();
    world.trigger(When::At(NOON.plus(seconds(8))));
    world.now = world.now.minus(seconds(3600));
    assert_eq!(world.due_after(seconds(3600)), []);
    assert_eq!(world.due_after(seconds(8)), [State::Queued]);
}

#[test]
fn a_batch_that_is_repeated_says_once_that_the_clock_was_set_back() {
    let mut world = World::new();
    let schedule = Schedule { every: seconds(60), first: First::Now, catch_up: CatchUp::Latest };
    world.apply(Policy::new(false, Some(schedule)));
    world.ticks();
    world.now = world.now.minus(DAY);
    // There is no such kind of node: the batch fails and is repeated operation by operation.
    let unknown = NodeRow { kind: "nobody".into(), ..node("m") };
    let ticks = || Op::Ticks(Ticks { jobs: None, by: "n".into() });
    let done = world.store.execute(world.now, &[ticks(), Op::Enter(Enter(unknown)), ticks()]);
    assert!(done.answers[1].is_err(), "{:?}", done.answers[1]);
    assert_eq!(done.set_back, ["j".into()]);
}
