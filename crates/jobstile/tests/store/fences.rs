//! Fences only grow, also through a backup that is put in place.

use jobstile::store::sqlite::{OpenAs, Store};
use jobstile_core::outcome::Outcome;
use jobstile_core::time::Time;

use crate::world::{World, at, free};

#[test]
fn a_fence_of_after_a_restored_backup_is_greater_than_any_of_before() {
    let mut world = World::new(vec![("a", free())]);
    let backup = world.dir.path().join("backup.db");
    jobstile::client::Client::open(&world.path()).unwrap().backup(&backup).unwrap();
    let mut last = 0;
    for second in 1..20 {
        world.now = at(second);
        world.trigger("a");
        for claimed in world.claim(10) {
            assert!(claimed.fence.0 > last, "{} after {last}", claimed.fence);
            last = claimed.fence.0;
            world.settle(&claimed, Outcome::Success);
        }
    }
    let restored = world.dir.path().join("restored.db");
    std::fs::copy(&backup, &restored).unwrap();
    world.store = Store::open(&restored, OpenAs::Owner).unwrap();
    world.now = at(30);
    world.enter(crate::world::NODE);
    world.trigger("a");
    let claimed = world.claim(10);
    assert!(claimed[0].fence.0 > last, "{} after {last}", claimed[0].fence);
}

#[test]
fn a_fence_grows_while_the_clock_goes_back_and_stays_exact_in_every_json_reader() {
    let mut world = World::new(vec![("a", free())]);
    let mut last = 0;
    for now in [at(0), at(-3_600), at(60), Time((1 << 53) - 1), Time(1 << 53), Time(i64::MAX / 2), at(0)] {
        world.now = now;
        world.trigger("a");
        let claimed = world.claim(10).remove(0);
        assert!(claimed.fence.0 > last && claimed.fence.0 < (1 << 53) + 100, "{} after {last}", claimed.fence);
        last = claimed.fence.0;
        world.settle(&claimed, Outcome::Success);
    }
    assert_eq!(world.violations(), Vec::<String>::new());
}
