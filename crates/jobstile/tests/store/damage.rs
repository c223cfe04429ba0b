//! Rows that are damaged, or that somebody else wrote, harm what they are about and nothing else.

use jobstile::client::{Client, RunFilter};
use jobstile::op::{Answer, Cancel, Due, Op};
use jobstile::store::sqlite::{Checked, quick_check};
use jobstile_core::decide::{Code, Decision};
use jobstile_core::id::{JobId, RunId};
use jobstile_core::outcome::Outcome;
use jobstile_core::policy::Policy;

use crate::world::{World, at, every, free, one, trigger};

#[test]
fn damaged_numbers_cost_no_trigger() {
    let mut world = World::new(vec![("a", free())]);
    world.trigger("a");
    let id = JobId(world.rows("select id from job")[0].parse().unwrap());
    for numbers in ["{\"decisions\":", "{\"decisions\": 3}", "", "\u{1}", "{\"run\": {\"count\": -1}}"] {
        world.plant(&format!("update stat set numbers = '{numbers}'"));
        world.reopen();
        let client = Client::open(&world.path()).unwrap();
        assert!(client.numbers(id, 0).unwrap().decisions.is_empty(), "the other hours are still answered");
        assert!(world.violations().iter().any(|found| found.starts_with("numbers_can_be_read: numbers of a ")));
        assert_eq!(world.trigger("a").decision, Decision::Admitted);
        assert_eq!(world.violations(), Vec::<String>::new(), "the hour was counted anew");
        let client = Client::open(&world.path()).unwrap();
        assert_eq!(client.numbers(id, 0).unwrap().decisions["cli/admitted/within_limits"], 1);
    }
}

#[test]
fn the_name_of_an_unknown_job_is_kept_no_longer_than_a_name_can_be() {
    let mut world = World::new(vec![("a", free())]);
    let decided = world.trigger(&"é".repeat(100_000));
    assert_eq!((decided.decision, decided.code), (Decision::Rejected, Code::UnknownJob));
    assert_eq!(world.rows("select job_name from refusal"), ["é".repeat(64) + "…"]);
    world.trigger("nosuch");
    assert_eq!(world.rows("select job_name from refusal where id = 2"), ["nosuch"]);
}

#[test]
fn a_file_that_cannot_be_looked_at_is_not_called_damaged() {
    let world = World::new(vec![("a", free())]);
    let minute = std::time::Duration::from_secs(60);
    assert_eq!(quick_check(&world.path(), minute).unwrap(), Checked::Whole);
    assert!(quick_check(&world.dir.path().join("none.db"), minute).is_err());
    let path = world.path();
    world.plant("pragma wal_checkpoint(truncate)");
    drop(world.store);
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.len() - 4096;
    bytes[at..].fill(0xff);
    std::fs::write(&path, bytes).unwrap();
    assert!(matches!(quick_check(&path, minute).unwrap(), Checked::Damaged(_)));
}

const BAD_POLICIES: [&str; 8] = [
    "policy = '{'",
    "policy = json_set(policy, '$.priority', 'hihg')",
    "policy = json_set(policy, '$.schedule.every_us', 0)",
    "policy = json_set(policy, '$.schedule.every_us', -5)",
    "policy = json_set(policy, '$.max_concurrent', 0)",
    "policy = json_set(policy, '$.attempts', 0)",
    "policy = json_set(policy, '$.backoff[1]', 'x')",
    "policy = json_set(policy, '$.timeout_us', -1)",
];

#[test]
fn a_bad_policy_stops_its_own_job_alone() {
    for bad in BAD_POLICIES {
        let jobs = || {
            let fires = Policy { schedule: every(60), ..one() };
            vec![("bad", fires.clone()), ("good", fires)]
        };
        let mut world = World::new(jobs());
        world.trigger("bad");
        let before = world.claim(1);
        world.trigger("bad");
        world.plant(&format!("update job set {bad} where name = 'bad'"));
        world.reopen();
        assert!(world.violations().iter().any(|found| found.starts_with("policies_can_be_read: ")), "{bad}");
        let named: Vec<_> = Client::open(&world.path()).unwrap().jobs().unwrap();
        let named: Vec<_> = named.iter().filter(|job| job.damage.is_some()).map(|job| &*job.name).collect();
        assert_eq!(named, ["bad"], "{bad}");
        // Its own triggers are told so, its attempt ends, and everything else of the others goes on in the same batch.
        let done = world.store.execute(world.now, &[Op::Trigger(trigger("bad")), Op::Trigger(trigger("good"))]);
        let [refused, admitted] = &done.answers[..] else { panic!("{done:?}") };
        assert!(refused.as_ref().unwrap_err().to_string().contains("policy of job bad"), "{bad}");
        assert!(matches!(admitted, Ok(Answer::Decided(decided)) if decided.decision == Decision::Admitted), "{bad}");
        world.now = at(61);
        world.ticks();
        world.op(Op::Due(Due { max: 100 }));
        let claimed = world.claim(10);
        assert_eq!(claimed.iter().map(|claimed| &*claimed.job).collect::<Vec<_>>(), ["good"], "{bad}");
        world.settle(&before[0], Outcome::Success);
        world.settle(&claimed[0], Outcome::Success);
        assert!(world.claim(10).iter().all(|claimed| &*claimed.job == "good"), "{bad}");
        // The configuration is loaded again, and it goes on.
        world.apply(jobs());
        assert_eq!(world.violations(), Vec::<String>::new(), "{bad}");
        assert_eq!(world.trigger("bad").decision, Decision::Admitted);
        assert!(world.claim(10).iter().any(|claimed| &*claimed.job == "bad"), "{bad}");
    }
}

#[test]
fn an_unknown_word_in_a_run_stops_nothing() {
    for bad in ["priority = 'hihg'", "source = 'nowhere'", "code = 'because'", "args = '{'", "waits_on = 'nothing'"] {
        let mut world = World::new(vec![("bad", one()), ("good", one())]);
        world.trigger("bad");
        world.trigger("good");
        world.plant(&format!("update run set {bad} where id = 1"));
        world.reopen();
        assert!(world.claim(10).iter().any(|claimed| &*claimed.job == "good"), "{bad}");
        let client = Client::open(&world.path()).unwrap();
        assert!(client.run(RunId(1)).unwrap().is_some(), "{bad}");
        assert_eq!(client.runs(&RunFilter { limit: 10, ..RunFilter::default() }).unwrap().len(), 2);
        if !bad.starts_with("args") {
            assert!(!world.violations().is_empty(), "{bad}");
        }
        world.op(Op::Cancel(Cancel { run: RunId(1), by: "anna".into() }));
    }
}
