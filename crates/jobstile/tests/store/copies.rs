//! A copy of a store that is at work: nobody works on the copy.

use jobstile::client::Client;

use crate::world::{World, free, rows};

#[test]
fn what_runs_while_a_copy_is_made_waits_in_the_copy_and_no_node_lives_there() {
    let mut world = World::new(vec![("sync", free())]);
    world.trigger("sync");
    assert_eq!(world.claim(1).len(), 1);
    let copy = world.dir.path().join("copy.db");
    Client::open(&world.path()).unwrap().backup(&copy).unwrap();
    assert_eq!(rows(&copy, "select state, claims, lost from run"), ["queued 1 1"]);
    assert_eq!(rows(&copy, "select count(*) from slot where run is not null"), ["0"]);
    assert_eq!(rows(&copy, "select count(*) from node where ended_at is null"), ["0"]);
    // The store itself goes on.
    assert_eq!(world.rows("select state, claims, lost from run"), ["running 1 0"]);
}
