//! Rows that are damaged, or that somebody else wrote, harm what they are about and nothing else.

use jobstile::client::Client;
use jobstile::store::sqlite::{Checked, quick_check};
use jobstile_core::decide::{Code, Decision};
use jobstile_core::id::JobId;

use crate::world::{World, free};

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
        assert_eq!(client.numbers(id, 0).unwrap().decisions["cli/within_limits"], 1);
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
