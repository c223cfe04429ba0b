//! Runs that no node can end or vouch for: `explain`, `monitor` and `doctor` say the same of each.

use std::fs::File;

use jobstile::clock::block;
use jobstile::core::id::RunId;
use jobstile::engine::node_dir;
use jobstile::runner::lock::{self, Tree};
use jobstile_core::outcome::Outcome;
use serde_json::Value;

use crate::world::World;

/// A run that was claimed so long ago; this process holds the lock of its attempt, as one of its tree would.
fn held(world: &mut World, ago: u64) -> (RunId, File) {
    world.ago(ago);
    let run = world.trigger("strict", "null").run.unwrap();
    let fence = world.claim()[0].fence;
    let file = File::create(lock::path(&node_dir(&world.file()), run, fence)).unwrap();
    file.lock_shared().unwrap();
    (run, file)
}

/// Nobody holds it any more: another test may be starting a process, which has it for a moment.
fn let_go(world: &World, run: RunId, file: File) {
    drop(file);
    let (dir, fence) = (node_dir(&world.file()), world.client().run(run).unwrap().unwrap().row.fence);
    for _ in 0..10_000 {
        if lock::look(&dir, run, fence) == Tree::Over {
            return;
        }
        block(std::time::Duration::from_millis(1));
    }
    panic!("its lock is still held");
}

/// All three, and the page of the run: each has this sentence. Gives what `monitor` says of it as JSON.
fn all_say(world: &World, run: RunId, sentence: &str) -> Value {
    for line in [&["explain", "strict"][..], &["explain", &run.to_string()], &["monitor"], &["doctor"]] {
        let out = world.run(line).out();
        let words = out.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(sentence), "{line:?} does not say: {sentence}\n{out}");
    }
    assert_eq!(world.run(&["doctor"]).code(), 1);
    let page = world.run(&["monitor", "-o", "json"]).json();
    let mut needs = page["attention"].as_array().unwrap().iter();
    needs.find(|one| one["run"] == run.to_string().as_str()).cloned().unwrap()
}

/// What `doctor` says of runs and nodes: what, verdict and words.
fn doctor(world: &World) -> Vec<(String, String)> {
    let found = world.run(&["doctor", "-o", "json"]).json();
    let all = found["findings"].as_array().unwrap().iter();
    let all = all.filter(|one| one["what"] == "run" || one["what"] == "node");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    all.map(|one| (format!("{} {}", text(&one["what"]), text(&one["verdict"])), text(&one["found"]))).collect()
}

fn own_name() -> String {
    let pid = std::process::id();
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap();
    let user = jobstile::engine::host::whoami();
    format!("pid {pid} ({}) is {}'s", name.trim_end(), user.split('@').next().unwrap())
}

#[test]
fn a_run_of_a_dead_node_that_still_lives_is_named_until_it_is_over() {
    let mut world = World::new();
    let (run, file) = held(&mut world, 60);
    world.leave();
    let sentence = format!("run {run} of strict still lives although its node web1 is dead: {}", own_name());
    let said = all_say(&world, run, &sentence);
    assert_eq!((said["kind"].as_str(), said["processes"][0]["pid"].is_number()), (Some("lives_without_node"), true));
    assert!(said["says"].as_str().unwrap().ends_with("; its slot stays taken."), "{said}");
    let page = world.run(&["explain", "strict"]).out();
    assert!(page.starts_with("strict does not run: no daemon works on this store."), "{page}");
    let page = world.run(&["explain", &run.to_string()]).out();
    assert!(page.starts_with(&format!("run {run} of strict is running on web1")), "it has not stopped: {page}");
    let_go(&world, run, file);
    let page = world.run(&["explain", &run.to_string()]).out();
    assert!(page.starts_with(&format!("run {run} of strict was running on web1")), "{page}");
    assert!(doctor(&world).iter().all(|(what, _)| what == "node note"), "{:?}", doctor(&world));
    assert!(!world.run(&["monitor"]).out().contains("still lives"));
}

#[test]
fn a_run_past_its_timeout_that_cannot_be_ended_is_named() {
    let mut world = World::new();
    // Its timeout is an hour.
    let (run, file) = held(&mut world, 3_600 + 20);
    let before = world.run(&["monitor"]).out();
    assert!(!before.contains("cannot be ended"), "its keeper has some time to end it: {before}");
    let_go(&world, run, file);
    let mut world = World::new();
    let (run, file) = held(&mut world, 3_600 + 60);
    let sentence = format!("run {run} of strict is past its timeout and cannot be ended: {}", own_name());
    let said = all_say(&world, run, &sentence);
    assert_eq!(said["kind"], "past_its_timeout");
    let_go(&world, run, file);
    assert!(!world.run(&["monitor"]).out().contains("cannot be ended"));
}

#[test]
fn without_lock_files_nobody_can_say_whether_a_run_lives_until_it_is_over() {
    let mut world = World::new();
    world.ago(60);
    let run = world.trigger("strict", "null").run.unwrap();
    let claimed = world.claim();
    world.leave();
    let dir = node_dir(&world.file());
    std::fs::remove_dir_all(&dir).unwrap();
    let sentence = format!("nobody can say whether run {run} of strict lives: the lock file of its node web1");
    let said = all_say(&world, run, &sentence);
    assert_eq!(said["kind"], "unknown_whether_it_lives");
    assert!(!world.run(&["monitor"]).out().contains("all is well"));
    // It ended all the same, and said so.
    world.settle(&claimed[0], Outcome::Success, None, b"");
    assert!(doctor(&world).iter().all(|(what, _)| what == "node note"), "{:?}", doctor(&world));
}
