//! What pruning takes, and what it leaves.

use jobstile::op::{Answer, Op, Trigger};
use jobstile::store::PruneBefore;
use jobstile_core::outcome::Outcome;
use jobstile_core::policy::{Dedup, KeyRule, OnDuplicate, Policy, Until};
use jobstile_core::time::Time;

use crate::world::{World, at, free, trigger};

const DAY: i64 = 86_400;

/// What a daemon asks for: successes of 7 days or the newest 1,000, everything else of 30, trigger ids of a day.
fn before(now: Time) -> PruneBefore {
    let ago = |days: i64| Time(now.0 - days * DAY * 1_000_000);
    PruneBefore { successes: ago(7), others: ago(30), trigger_ids: ago(1), instants: now, keep: 1_000, max: 1_000 }
}

fn prune(world: &mut World) -> u64 {
    let mut pruned = 0;
    loop {
        let now = world.now;
        match world.op(Op::Prune(jobstile::op::Prune(before(now)))) {
            Answer::Done(0) => return pruned,
            Answer::Done(n) => pruned += n,
            other => panic!("{other:?}"),
        }
    }
}

/// Makes one run of each kind at this moment.
fn history(world: &mut World, id: Option<&str>) {
    let asked = |job| Trigger { id: id.map(Into::into), ..trigger(job) };
    for outcome in [Outcome::Success, Outcome::Failure] {
        let job = if outcome == Outcome::Success { "good" } else { "bad" };
        world.decide(asked(job));
        for claimed in world.claim(10) {
            world.settle(&claimed, outcome);
        }
    }
    let waits = world.decide(asked("waits")).run.unwrap();
    world.op(Op::Cancel(jobstile::op::Cancel { run: waits, by: "anna".into() }));
    world.decide(asked("nosuch"));
}

fn left(world: &World) -> Vec<String> {
    world.rows(
        "select 'run ' || state || ' ' || count(*) from run group by state
         union all select 'refused ' || count(*) from refusal having count(*) > 0
         union all select 'attempts ' || count(*) from attempt having count(*) > 0",
    )
}

fn world() -> World {
    World::new(vec![("good", free()), ("bad", free()), ("waits", free())])
}

#[test]
fn successes_are_kept_for_7_days_and_everything_else_for_30() {
    let table: [(i64, &[&str]); 5] = [
        (0, &["run cancelled 1", "run dead 1", "run succeeded 1", "refused 1", "attempts 2"]),
        (7 * DAY - 1, &["run cancelled 1", "run dead 1", "run succeeded 1", "refused 1", "attempts 2"]),
        (7 * DAY + 1, &["run cancelled 1", "run dead 1", "refused 1", "attempts 1"]),
        (30 * DAY - 1, &["run cancelled 1", "run dead 1", "refused 1", "attempts 1"]),
        (30 * DAY + 1, &[]),
    ];
    for (later, expected) in table {
        let mut world = world();
        history(&mut world, None);
        world.now = at(later);
        prune(&mut world);
        assert_eq!(left(&world), expected, "{later} s later");
        assert_eq!(world.violations(), Vec::<String>::new());
    }
}

#[test]
fn only_the_newest_thousand_successes_of_a_job_are_kept() {
    let mut world = world();
    for _ in 0..1_003 {
        world.trigger("good");
    }
    world.trigger("bad");
    for claimed in world.claim(2_000) {
        world.settle(&claimed, Outcome::Success);
    }
    assert_eq!(prune(&mut world), 3);
    let kept = "select job.name, count(*), min(run.id) from run join job on job.id = run.job group by 1 order by 1";
    assert_eq!(world.rows(kept), ["bad 1 1004", "good 1000 4"]);
}

#[test]
fn what_is_live_is_kept_however_old_it_is() {
    let mut world = world();
    world.trigger("good");
    world.claim(1);
    world.trigger("waits");
    world.now = at(400 * DAY);
    prune(&mut world);
    assert_eq!(left(&world), ["run queued 1", "run running 1"]);
}

#[test]
fn a_trigger_id_is_kept_for_its_replay_window() {
    let mut world = world();
    history(&mut world, Some("x"));
    // All of it looks old, but for its ids.
    let now = at(DAY / 2);
    let old = Time(now.0 + 1);
    let before = PruneBefore { successes: old, others: old, ..before(now) };
    world.now = now;
    world.op(Op::Prune(jobstile::op::Prune(before)));
    assert_eq!(left(&world).len(), 5, "{:?}", left(&world));
    let again = world.decide(Trigger { id: Some("x".into()), ..trigger("good") });
    assert!(again.replayed);
    world.now = at(DAY + 1);
    world.op(Op::Prune(jobstile::op::Prune(PruneBefore { trigger_ids: at(1), ..before })));
    assert_eq!(left(&world), Vec::<String>::new());
}

#[test]
fn a_newer_success_is_kept_while_an_older_run_of_its_key_may_give_way_to_it() {
    let dedup = Dedup { key: KeyRule::Fields(vec![]), until: Until::Start, on_duplicate: OnDuplicate::Skip };
    let policy = Policy { dedup: Some(dedup), attempts: 2, ..free() };
    let mut world = World::new(vec![("a", policy)]);
    world.trigger("a");
    let older = world.claim(1).remove(0);
    world.now = at(1);
    world.trigger("a");
    let newer = world.claim(1).remove(0);
    world.settle(&newer, Outcome::Success);
    world.now = at(20 * DAY);
    assert_eq!(prune(&mut world), 0);
    world.settle(&older, Outcome::Failure);
    assert_eq!(world.rows("select state, code, by_run from run where id = 1"), ["cancelled superseded 2"]);
    prune(&mut world);
    assert_eq!(left(&world), ["run cancelled 1", "attempts 1"]);
}

#[test]
fn no_instant_is_forgotten_that_a_clock_may_come_back_to() {
    let mut world = World::new(vec![("tick", Policy { schedule: crate::world::every(60), ..free() })]);
    // Nine days ahead, and back.
    for second in 0..5 {
        world.now = at(9 * DAY + 60 * second);
        world.ticks();
        for claimed in world.claim(10) {
            world.settle(&claimed, Outcome::Success);
        }
    }
    let ran = world.rows("select count(*) from run");
    assert_ne!(ran, ["0"]);
    // Everything is old by some clock, but the instants lie in the future of the one that counts.
    let old = at(100 * DAY);
    world.now = at(0);
    world.op(Op::Prune(jobstile::op::Prune(PruneBefore {
        successes: old,
        others: old,
        trigger_ids: old,
        ..before(at(0))
    })));
    assert_eq!(world.rows("select count(*) from run"), ran);
    // Within two intervals of the last one they are kept as well.
    world.now = at(9 * DAY + 60 * 4 + 119);
    world.op(Op::Prune(jobstile::op::Prune(PruneBefore {
        successes: old,
        others: old,
        trigger_ids: old,
        ..before(world.now)
    })));
    assert_eq!(world.rows("select count(*) from run"), ["1"]);
}
