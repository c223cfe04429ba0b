//! What a client can ask of a store, against a store that the real operations filled.

use std::sync::Arc;
use std::time::Duration;

use jobstile::args::Args;
use jobstile::client::{Client, DecisionFilter, Found, Liveness, RunFilter};
use jobstile::op::{
    Answer, Apply, Claim, Claimed, Due, Enter, Free, JobPolicy, Offer, Op, Pause, Paused, Reap, Settle, Trigger, Weight,
};
use jobstile::store::sqlite::{OpenAs, Store};
use jobstile::store::{NodeRow, Printed};
use jobstile_core::decide::{Code, Decision};
use jobstile_core::id::RunId;
use jobstile_core::outcome::Outcome;
use jobstile_core::policy::{Concurrency, Policy, Switches};
use jobstile_core::run::State;
use jobstile_core::schedule::{CatchUp, First, Schedule};
use jobstile_core::time::Time;
use jobstile_core::trigger::{Source, When};

/// A store with two jobs: `poll` fires every minute and runs alone, `load` runs as often as it is asked to.
struct World {
    _dir: tempfile::TempDir,
    store: Store,
    now: Time,
}

fn at(seconds: i64) -> Time {
    Time(1_800_000_000_000_000 + seconds * 1_000_000)
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("jobs.db"), OpenAs::Owner).unwrap();
        let mut world = Self { _dir: dir, store, now: at(0) };
        let every = Schedule { every: Duration::from_secs(60), first: First::AfterInterval, catch_up: CatchUp::None };
        let poll = Policy::new(false, Some(every));
        let load = Policy { max_concurrent: Concurrency::Limited(2), attempts: 2, ..Policy::new(false, None) };
        let job = |name: &str, policy| JobPolicy { name: name.into(), policy, origins: "{}".into() };
        world.op(Op::Apply(Apply {
            owner: "jobs.toml".into(),
            by: "anna@web1 (serve)".into(),
            switches: Some(Switches::default()),
            origins: "{}".into(),
            jobs: vec![job("poll", poll), job("load", load)],
            replace: true,
            taken: vec![],
        }));
        world.op(Op::Enter(Enter(NodeRow {
            id: "0a".into(),
            name: "web1".into(),
            kind: "daemon".into(),
            host: "web1".into(),
            pid: 7,
            user: "anna".into(),
            program: "jobstile 0.1.0".into(),
            dir: world._dir.path().to_string_lossy().into_owned(),
            workers: 4,
            boot_id: None,
            lock_uid: None,
        })));
        world
    }

    fn op(&mut self, op: Op) -> Answer {
        self.store.execute(self.now, &[op]).answers.pop().unwrap().unwrap()
    }

    fn trigger(&mut self, job: &str, args: &str) -> jobstile::op::Decided {
        let trigger = Trigger {
            job: job.into(),
            args: Args::parse(args.as_bytes()),
            priority: None,
            when: When::Now,
            id: None,
            source: Source::Cli,
            by: "anna@web1 (cli)".into(),
        };
        match self.op(Op::Trigger(trigger)) {
            Answer::Decided(decided) => decided,
            other => panic!("{other:?}"),
        }
    }

    fn claim(&mut self) -> Vec<Claimed> {
        let jobs = [("poll".to_owned(), Weight::Heavy), ("load".to_owned(), Weight::Heavy)].into();
        let free = Free { total: 9, heavy: 9, light: 9 };
        match self.op(Op::Claim(Claim { node: "0a".into(), jobs: Arc::new(jobs), free })) {
            Answer::Claimed(claimed) => claimed,
            other => panic!("{other:?}"),
        }
    }

    fn settle(&mut self, claimed: &Claimed, outcome: Outcome) {
        self.op(Op::Settle(Settle {
            run: claimed.run,
            fence: claimed.fence,
            outcome,
            message: None,
            exit_code: None,
            printed: Some(Printed { head: b"hello\n".to_vec(), tail: vec![], dropped: 0 }),
            retry_after: None,
            took: None,
            jitter: 0.0,
            result: None,
            wish: None,
        }));
    }

    /// One run of `load`, triggered now, that ends a second later.
    fn done(&mut self, outcome: Outcome) -> RunId {
        let run = self.trigger("load", "null").run.unwrap();
        let claimed = self.claim();
        self.now = self.now.plus(Duration::from_secs(1));
        self.settle(&claimed[0], outcome);
        run
    }

    fn client(&self) -> Client {
        Client::open(self.store.path().unwrap()).unwrap()
    }
}

fn ids(runs: &[jobstile::client::RunInfo]) -> Vec<i64> {
    runs.iter().map(|run| run.row.id.0).collect()
}

#[test]
fn a_job_says_where_it_stands() {
    let mut world = World::new();
    world.trigger("load", "null");
    world.op(Op::Pause(Pause {
        job: Some("load".into()),
        pause: Paused { until: Some(at(100)), by: "anna@web1 (cli)".into(), why: Some("a disk is swapped".into()) },
    }));
    let client = world.client();
    assert_eq!(client.names().unwrap(), ["load".into(), "poll".into()]);
    let load = client.job("load").unwrap().unwrap();
    assert_eq!((load.tally.queued, load.tally.running), (1, 0));
    assert_eq!(load.paused(at(99)).unwrap().why.as_deref(), Some("a disk is swapped"));
    assert_eq!(load.paused(at(100)), None, "a pause ends by itself");
    assert_eq!(load.fires(at(0), 3), []);
    let poll = client.job("poll").unwrap().unwrap();
    assert_eq!(poll.fires(at(0), 2), [at(60), at(120)]);
    assert_eq!(poll.fires(at(61), 2), [at(120), at(180)], "what has passed does not fire any more");
    assert_eq!(client.job("pol").unwrap(), None);
    let slots = client.slots(load.id).unwrap();
    assert_eq!(slots.iter().map(|slot| (slot.n, slot.holder)).collect::<Vec<_>>(), [(0, None), (1, None)]);
    assert_eq!(client.switches().unwrap(), Switches::default());
    assert_eq!(client.store().unwrap().next_run, RunId(2));
}

#[test]
fn runs_are_listed_live_ones_first_and_page_by_page() {
    let mut world = World::new();
    let mut ended: Vec<i64> = (0..5).map(|_| world.done(Outcome::Success).0).collect();
    ended.reverse();
    let first = world.trigger("load", r#"{"n":1}"#).run.unwrap().0;
    let running = world.claim();
    world.now = world.now.plus(Duration::from_secs(1));
    let second = world.trigger("load", r#"{"n":2}"#).run.unwrap().0;
    let later = Trigger {
        job: "poll".into(),
        args: Ok(Args::none()),
        priority: None,
        when: When::At(at(4000)),
        id: None,
        source: Source::Cli,
        by: "anna".into(),
    };
    world.op(Op::Trigger(later));
    let expected: Vec<i64> = [8, second, first].into_iter().chain(ended.clone()).collect();
    let client = world.client();
    let all = client.runs(&RunFilter { limit: 100, ..RunFilter::default() }).unwrap();
    assert_eq!(ids(&all), expected);
    assert_eq!((&*all[0].job, all[0].row.state), ("poll", State::Scheduled));
    for limit in 1..4 {
        let mut paged = vec![];
        loop {
            let after = paged.last().copied().map(RunId);
            let page = client.runs(&RunFilter { after, limit, ..RunFilter::default() }).unwrap();
            if page.is_empty() {
                break;
            }
            paged.extend(ids(&page));
        }
        assert_eq!(paged, expected, "pages of {limit}");
    }
    let of = |filter: RunFilter| ids(&client.runs(&RunFilter { limit: 100, ..filter }).unwrap());
    assert_eq!(of(RunFilter { states: vec![State::Running], ..RunFilter::default() }), [first]);
    assert_eq!(of(RunFilter { job: Some("poll".into()), ..RunFilter::default() }), [8]);
    assert_eq!(of(RunFilter { job: Some("nobody".into()), ..RunFilter::default() }), [0; 0]);
    assert_eq!(
        of(RunFilter { job: Some("load".into()), since: Some(at(4)), ..RunFilter::default() }),
        [second, first, 5, 4]
    );
    assert!(client.runs(&RunFilter { after: Some(RunId(99)), limit: 1, ..RunFilter::default() }).is_err());
    assert_eq!(ids(&client.running(10).unwrap()), [running[0].run.0]);
    assert_eq!(ids(&client.upcoming(10).unwrap()), [8]);
}

#[test]
fn a_dead_run_is_recovered_by_a_later_success() {
    let mut world = World::new();
    let dead = world.done(Outcome::Failure);
    world.now = world.now.plus(Duration::from_secs(60));
    world.op(Op::Due(Due { max: 10 }));
    let again = world.claim();
    world.settle(&again[0], Outcome::Failure);
    let asked = |world: &World| {
        let dead = world.client().dead(&RunFilter { limit: 10, ..RunFilter::default() }).unwrap();
        dead.into_iter().map(|dead| (dead.run.row.id, dead.recovered_by)).collect::<Vec<_>>()
    };
    assert_eq!(asked(&world), [(dead, None)]);
    let success = world.done(Outcome::Success);
    assert_eq!(asked(&world), [(dead, Some(success))]);
    let attempts = world.client().attempts(dead).unwrap();
    assert_eq!(
        attempts.iter().map(|a| (a.n, a.outcome)).collect::<Vec<_>>(),
        [(1, Some(Outcome::Failure)), (2, Some(Outcome::Failure))]
    );
}

#[test]
fn decisions_are_merged_from_runs_and_refusals() {
    let mut world = World::new();
    let holder = world.trigger("poll", "null").run.unwrap();
    for _ in 0..3 {
        world.now = world.now.plus(Duration::from_secs(1));
        world.trigger("poll", "null");
        world.trigger("load", "null");
    }
    world.trigger("nobody", "null");
    let client = world.client();
    let all = client.decisions(&DecisionFilter { limit: 100, ..DecisionFilter::default() }).unwrap();
    let told: Vec<_> = all.iter().map(|d| (&*d.job, d.decision, d.code, d.count)).collect();
    assert_eq!(
        told,
        [
            ("nobody", Decision::Rejected, Code::UnknownJob, 1),
            ("poll", Decision::Skipped, Code::ConcurrencyLimit, 3),
            ("load", Decision::Admitted, Code::WithinLimits, 1),
            ("load", Decision::Admitted, Code::WithinLimits, 1),
            ("load", Decision::Admitted, Code::WithinLimits, 1),
            ("poll", Decision::Admitted, Code::WithinLimits, 1),
        ]
    );
    assert_eq!((all[1].first_at, all[1].last_at, all[1].by), (at(1), at(3), Some(holder)));
    for limit in 1..4 {
        let mut paged: Vec<jobstile::client::DecisionInfo> = vec![];
        loop {
            let after = paged.last().map(|one| one.place);
            let page = client.decisions(&DecisionFilter { after, limit, ..DecisionFilter::default() }).unwrap();
            if page.is_empty() {
                break;
            }
            paged.extend(page);
        }
        assert_eq!(paged, all, "pages of {limit}");
    }
    let of = |filter: DecisionFilter| client.decisions(&DecisionFilter { limit: 100, ..filter }).unwrap().len();
    assert_eq!(of(DecisionFilter { job: Some("poll".into()), ..DecisionFilter::default() }), 2);
    assert_eq!(of(DecisionFilter { job: Some("nobody".into()), ..DecisionFilter::default() }), 0);
    assert_eq!(of(DecisionFilter { refused_only: true, ..DecisionFilter::default() }), 2);
    assert_eq!(of(DecisionFilter { since: Some(at(3)), ..DecisionFilter::default() }), 3);
    assert_eq!(of(DecisionFilter { until: Some(at(1)), ..DecisionFilter::default() }), 2);
    let away = client.refusals_by(holder).unwrap();
    assert_eq!((away.count, away.first_at, away.last_at), (3, Some(at(1)), Some(at(3))));
    assert_eq!(client.refusals_by(RunId(2)).unwrap().count, 0);
}

#[test]
fn output_is_found_in_the_store() {
    let mut world = World::new();
    let run = world.done(Outcome::Success);
    let client = world.client();
    let output = client.output(run, None).unwrap();
    assert_eq!((output.n, &output.printed.head[..], output.found), (1, &b"hello\n"[..], Found::Stored));
    assert_eq!(client.output(run, Some(2)).unwrap_err().kind(), jobstile::Kind::NotFound);
    assert_eq!(client.output(RunId(77), None).unwrap_err().kind(), jobstile::Kind::NotFound);
    let queued = world.trigger("load", "null").run.unwrap();
    assert_eq!(world.client().output(queued, None).unwrap().found, Found::Nowhere);
    assert!(world.client().follow(queued).unwrap().is_none());
}

#[test]
fn a_node_lives_as_long_as_its_lock_is_held() {
    let mut world = World::new();
    let dir = jobstile::engine::node_dir(&world._dir.path().join("jobs.db"));
    std::fs::create_dir(&dir).unwrap();
    let liveness = |world: &World| world.client().nodes(10).unwrap()[0].liveness;
    assert_eq!(liveness(&world), Liveness::Unknown, "a lock file that is not there proves nothing");
    let lock = jobstile::engine::node::NodeLock::take(&dir, "0a").unwrap();
    assert_eq!(liveness(&world), Liveness::Alive);
    drop(lock);
    assert_eq!(liveness(&world), Liveness::Gone);
    world.op(Op::Offer(Offer { node: "0a".into(), jobs: vec![("load".into(), Some("command not found".into()))] }));
    assert_eq!(world.client().offers(&"0a".into()).unwrap()[0].reason.as_deref(), Some("command not found"));
    world.op(Op::Reap(Reap { node: "0a".into(), reason: "killed".into(), printed: Default::default() }));
    let node = world.client().node("0a").unwrap().unwrap();
    assert_eq!((node.liveness, node.end_reason.as_deref()), (Liveness::Ended, Some("killed")));
}

#[test]
fn questions_at_once_see_one_state() {
    let mut world = World::new();
    let client = world.client();
    client
        .at_once(|client| {
            let before = client.store()?.next_run;
            world.trigger("load", "null");
            assert_eq!(client.store()?.next_run, before);
            assert!(client.runs(&RunFilter { limit: 9, ..RunFilter::default() })?.is_empty());
            Ok(())
        })
        .unwrap();
    assert_eq!(client.runs(&RunFilter { limit: 9, ..RunFilter::default() }).unwrap().len(), 1);
}

#[test]
fn numbers_are_those_of_whole_hours() {
    let mut world = World::new();
    world.done(Outcome::Success);
    world.now = at(3600);
    world.done(Outcome::Success);
    let client = world.client();
    let load = client.job("load").unwrap().unwrap().id;
    let hour = jobstile::client::hour_of(at(0));
    assert_eq!(client.numbers(load, hour).unwrap().run.count, 2);
    assert_eq!(client.numbers(load, hour + 1).unwrap().run.count, 1);
    assert_eq!(client.numbers_by_hour(load, hour).unwrap().len(), 2);
}

#[test]
fn a_look_at_many_jobs_asks_as_many_questions_as_one_at_two() {
    let mut world = World::new();
    let asked = |world: &World| {
        let client = world.client();
        let jobs = client.overview(None).unwrap().jobs.len();
        let looked = client.asked();
        let runs = client.runs(&RunFilter::default()).unwrap().len();
        let page = client.asked() - looked;
        client.list(&RunFilter::default()).unwrap();
        // What is said of the runs of a page, beside the page itself.
        (jobs, looked, runs, client.asked() - looked - 2 * page)
    };
    let few = asked(&world);
    let policy = || Policy::new(false, None);
    let jobs = (0..300).map(|n| JobPolicy { name: format!("job_{n}"), policy: policy(), origins: "{}".into() });
    world.op(Op::Apply(Apply {
        owner: "jobs.toml".into(),
        by: "anna@web1 (serve)".into(),
        switches: None,
        origins: "{}".into(),
        jobs: jobs.collect(),
        replace: false,
        taken: vec![],
    }));
    for n in 0..300 {
        world.trigger(&format!("job_{n}"), "null");
    }
    let many = asked(&world);
    assert_eq!((few.0, many.0, few.2, many.2), (2, 302, 0, 300));
    assert_eq!((few.1, few.3), (many.1, many.3), "statements");
}

#[test]
fn what_is_said_of_the_next_tick_is_what_becomes_of_it() {
    let mut world = World::new();
    for held in [false, true] {
        if held {
            world.trigger("poll", "null");
        }
        let said = world.client().with_clock(jobstile::clock::Clock::system()).explain("poll").unwrap().unwrap();
        let said = said.next_tick.unwrap();
        world.now = world.now.plus(Duration::from_secs(60));
        let tick = Trigger {
            job: "poll".into(),
            args: Ok(Args::none()),
            priority: None,
            when: When::Now,
            id: None,
            source: Source::Schedule,
            by: "poll".into(),
        };
        let became = match world.op(Op::Trigger(tick)) {
            Answer::Decided(decided) => decided,
            other => panic!("{other:?}"),
        };
        assert_eq!((said.decision, said.code, said.by), (became.decision, became.code, became.by), "held: {held}");
    }
}

#[test]
fn a_rejected_trigger_is_not_counted_as_a_skip() {
    let mut world = World::new();
    let one = Policy { max_concurrent: Concurrency::Limited(1), max_waiting: 0, ..Policy::new(false, None) };
    let strict = Policy { on_full: Some(jobstile_core::policy::OnFull::Fail), ..one };
    world.op(Op::Apply(Apply {
        owner: "jobs.toml".into(),
        by: "anna@web1 (serve)".into(),
        switches: None,
        origins: "{}".into(),
        jobs: vec![JobPolicy { name: "strict".into(), policy: strict, origins: "{}".into() }],
        replace: false,
        taken: vec![],
    }));
    world.trigger("strict", "null");
    world.trigger("strict", "null");
    let job = world.client().job("strict").unwrap().unwrap();
    let counts = jobstile::answer::Counts::of(&world.client().numbers(job.id, 0).unwrap());
    let of = counts.triggers;
    assert_eq!((of.all, of.runs, of.skips, of.rejected), (2, 1, 0, 1));
}

#[test]
fn a_filter_that_says_nothing_asks_for_everything() {
    let mut world = World::new();
    world.trigger("poll", "null");
    world.trigger("poll", "null");
    let client = world.client();
    assert_eq!(client.runs(&RunFilter::default()).unwrap().len(), 1);
    assert_eq!(client.decisions(&DecisionFilter::default()).unwrap().len(), 2);
}
