//! A commit that fails: its callers are told so, nothing of it stays, and the next batch starts from the store.

use jobstile::args::Args;
use jobstile::op::{Answer, Op, Trigger};
use jobstile_core::decide::{Code, Decision};
use jobstile_core::outcome::Outcome;
use jobstile_core::policy::{Dedup, KeyRule, OnDuplicate, Policy, Until};

use crate::world::{World, at, every, free, one, rows, trigger};

/// A row that refers to nothing is found at the commit, when everything else has been written.
const SPOILED: &str = "
    create table spoiled (run integer references run deferrable initially deferred);
    create trigger spoil after insert on run when new.args = '{\"spoil\":true}'
        begin insert into spoiled values (-1); end;
    create trigger spoil_claim after update of node on run when new.node is not null and new.args = '{\"claim\":true}'
        begin insert into spoiled values (-1); end;
    create trigger spoil_tick after update of next_at on job when new.name = 'spoiled'
        begin insert into spoiled values (-1); end;";

fn with(args: &str) -> Op {
    Op::Trigger(Trigger { args: Args::parse(args.as_bytes()), ..trigger("a") })
}

fn deduped() -> Policy {
    let dedup = Dedup { key: KeyRule::Fields(vec![]), until: Until::Finish, on_duplicate: OnDuplicate::Skip };
    Policy { dedup: Some(dedup), ..free() }
}

#[test]
fn a_commit_that_fails_is_no_answer_and_leaves_nothing() {
    let mut world = World::new(vec![("a", deduped())]);
    world.plant(SPOILED);
    let failed = world.try_op(with(r#"{"spoil":true}"#)).expect_err("its commit fails");
    assert!(failed.to_string().contains("the store refused a write"), "{failed}");
    assert_eq!(world.rows("select count(*) from run"), ["0"]);
    // What the failed batch knew is forgotten: no target, no count, no number of it is left.
    let Answer::Decided(decided) = world.op(with("{}")) else { panic!("a decision") };
    assert_eq!((decided.decision, decided.code), (Decision::Admitted, Code::WithinLimits));
    assert_eq!(world.rows("select id from run"), ["1"]);
    assert_eq!(world.rows("select queued from tally"), ["1"]);
    assert_eq!(world.violations(), Vec::<String>::new());
}

#[test]
fn a_batch_that_fails_harms_only_its_cause() {
    let mut world = World::new(vec![("a", free())]);
    world.plant(SPOILED);
    let ops = [with("{}"), with(r#"{"spoil":true}"#), with(r#"{"n":2}"#)];
    let done = world.store.execute(world.now, &ops);
    let answers: Vec<bool> = done.answers.iter().map(Result::is_ok).collect();
    assert_eq!(answers, [true, false, true]);
    assert_eq!(done.marks, [2, 2, 4], "nothing is told of what did not happen: {:?}", done.facts);
    assert_eq!(world.rows("select args from run order by id"), ["null", r#"{"n":2}"#]);
    assert_eq!(world.rows("select queued from tally"), ["2"]);
    assert_eq!(world.violations(), Vec::<String>::new());
}

#[test]
fn a_claim_that_is_not_committed_gives_nothing_to_run() {
    let mut world = World::new(vec![("a", one())]);
    world.op(with(r#"{"claim":true}"#));
    world.plant(SPOILED);
    assert!(world.try_op(crate::world::claim(crate::world::NODE, &["a"], 1)).is_err());
    assert_eq!(world.rows("select state, claims, fence from run"), ["queued 0 0"]);
    assert_eq!(world.rows("select count(*) from slot where run is not null"), ["0"]);
    world.plant("drop trigger spoil_claim");
    let claimed = world.claim(1);
    assert_eq!(claimed.len(), 1);
    world.settle(&claimed[0], Outcome::Success);
    assert_eq!(world.violations(), Vec::<String>::new());
}

#[test]
fn a_tick_that_is_not_committed_is_looked_at_again() {
    let fires = || Policy { schedule: every(60), ..free() };
    let mut world = World::new(vec![("good", fires()), ("spoiled", fires())]);
    world.plant(SPOILED);
    world.now = at(60);
    let ticks = Op::Ticks(jobstile::op::Ticks { jobs: None, by: "web1".into() });
    assert!(world.try_op(ticks.clone()).is_err());
    assert_eq!(world.rows("select count(*) from run"), ["0"]);
    world.plant("drop trigger spoil_tick");
    world.op(ticks);
    assert_eq!(world.rows("select job.name from run join job on job.id = run.job order by 1"), ["good", "spoiled"]);
    assert_eq!(world.violations(), Vec::<String>::new());
}

#[test]
fn whoever_is_answered_finds_the_answer_in_the_store() {
    let mut world = World::new(vec![("a", free())]);
    for n in 1..=50i64 {
        let decided = world.trigger("a");
        // Another process sees what is committed and nothing else.
        let seen = rows(&world.path(), "select max(id) from run");
        assert_eq!((decided.run.map(|run| run.0), seen), (Some(n), vec![n.to_string()]));
    }
}
