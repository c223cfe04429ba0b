//! Each named maximum, at its maximum.

use std::time::Duration;

use jobstile::op::{Decided, Op, Pause, Paused, Trigger};
use jobstile_core::decide::{Code, Decision};
use jobstile_core::policy::{MAX_SCHEDULED, Policy};
use jobstile_core::trigger::When;

use crate::world::{World, free, one, trigger};

/// Runs that one claim looks at.
const LOOKED_AT: usize = 10_000;
/// Runs that a claim passes by before it goes by job.
const PASSED: usize = 512;
const BATCH: usize = 1_000;

fn fill(world: &mut World, n: usize, trigger: &Trigger) {
    let all = vec![Op::Trigger(trigger.clone()); n];
    for batch in all.chunks(BATCH) {
        let answers = world.store.execute(world.now, batch).answers;
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    }
}

#[test]
fn one_claim_looks_at_ten_thousand_runs_and_says_that_there_are_more() {
    let mut world = World::new(vec![("line", one())]);
    fill(&mut world, LOOKED_AT + 50, &trigger("line"));
    let claim = crate::world::claim(crate::world::NODE, &["line"], 2);
    let done = world.store.execute(world.now, &[claim]);
    assert!(done.cut_short);
    // One has the slot, the others that were looked at wait for it.
    let waiting = world.rows("select count(*) from run where waits_on is not null");
    assert_eq!(waiting, [(LOOKED_AT - 1).to_string()]);
}

#[test]
fn runs_that_cannot_be_claimed_do_not_hide_those_behind_them() {
    for ahead in [PASSED - 1, PASSED, PASSED + 1, 3 * PASSED] {
        let mut world = World::new(vec![("ahead", free()), ("behind", free())]);
        fill(&mut world, ahead, &trigger("ahead"));
        world.op(Op::Pause(Pause {
            job: Some("ahead".into()),
            pause: Paused { until: None, by: "anna".into(), why: None },
        }));
        world.trigger("behind");
        let claimed: Vec<String> = world.claim(1).iter().map(|claimed| claimed.job.to_string()).collect();
        assert_eq!(claimed, ["behind"], "{ahead} runs ahead");
    }
}

#[test]
fn a_job_has_ten_thousand_runs_for_later_at_most() {
    let mut world = World::new(vec![("later", free()), ("other", Policy::new(false, None))]);
    let mut later = trigger("later");
    later.when = When::At(world.now.plus(Duration::from_secs(3_600)));
    fill(&mut world, MAX_SCHEDULED as usize, &later);
    let Decided { decision, code, by, .. } = world.decide(later.clone());
    assert_eq!((decision, code, by), (Decision::Rejected, Code::QueueFull, None));
    // It is the job that is full: another one is not, and neither is this one for now.
    later.job = "other".into();
    assert_eq!(world.decide(later).decision, Decision::Admitted);
    assert_eq!(world.trigger("later").decision, Decision::Admitted);
}
