//! The deterministic simulation: several nodes, clients and operators on one real store under a virtual clock, with
//! faults; the promises are checked after every step, by a model that shares no code with the product and by SQL.
//!
//!     JOBSTILE_SIM_SEED=N       this seed alone
//!     JOBSTILE_SIM_SECONDS=N    fresh seeds for so long, after the fixed ones; default 20

#[path = "simulation/client.rs"]
mod client;
#[path = "simulation/disk.rs"]
mod disk;
#[path = "simulation/faults.rs"]
mod faults;
#[path = "simulation/heal.rs"]
mod heal;
#[path = "simulation/judge.rs"]
mod judge;
#[path = "simulation/ledger.rs"]
mod ledger;
#[path = "simulation/node.rs"]
mod node;
#[path = "simulation/report.rs"]
mod report;
#[path = "simulation/rng.rs"]
mod rng;
#[path = "simulation/spec.rs"]
mod spec;
#[path = "simulation/sql.rs"]
mod sql;
#[path = "simulation/trouble.rs"]
mod trouble;
#[path = "simulation/world.rs"]
mod world;

use std::time::{Duration, Instant, SystemTime};

use report::Counts;
use world::World;

/// Seeds that together cover everything that must be covered, whatever the time box.
const FIXED: [u64; 13] = [11, 22, 53, 63, 68, 72, 74, 76, 103, 119, 120, 129, 132];
/// Of so many seeds one is run twice, and its two histories compared.
const TWICE: u64 = 50;
/// How many happenings are shown of a seed that failed.
const SHOWN: usize = 30;

/// Says which seed it was, also where something panics.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            say(&format!("the simulation panicked; again with JOBSTILE_SIM_SEED={}", self.0));
        }
    }
}

#[expect(clippy::print_stderr, reason = "what a box covered is its result")]
fn say(text: &str) {
    eprintln!("{text}");
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is a whole number, not `{text}`")))
}

fn play(seed: u64, trace: bool, history: bool) -> (Counts, Option<u64>, Result<(), String>, Vec<String>) {
    let _guard = Seed(seed);
    let mut world = match World::new(seed, trace, history) {
        Ok(world) => world,
        Err(what) => return (Counts::default(), None, Err(what), vec![]),
    };
    let result = world.run();
    (
        world.counts.clone(),
        world.history,
        result,
        world.last(number("JOBSTILE_SIM_SHOWN").map_or(SHOWN, |n| n as usize)).to_vec(),
    )
}

fn one(seed: u64, twice: bool) -> Counts {
    let (mut counts, history, result, _) = play(seed, false, twice);
    if let Err(what) = result {
        let (again, _, result, last) = play(seed, true, false);
        last.iter().for_each(|line| say(line));
        let repeated =
            if result.is_err() { "" } else { "\nIT DID NOT HAPPEN AGAIN: the simulation is not deterministic" };
        let steps = again.steps;
        panic!("seed {seed}, step {steps}: {what}{repeated}\nagain with JOBSTILE_SIM_SEED={seed}");
    }
    counts.seeds = 1;
    if twice {
        let (_, again, ..) = play(seed, false, true);
        assert_eq!(history, again, "seed {seed}: two histories of one seed");
        counts.twice = 1;
    }
    counts
}

#[test]
fn nothing_is_lost_doubled_or_over_its_limit_under_faults() {
    if let Some(seed) = number("JOBSTILE_SIM_SEED") {
        return say(&one(seed, true).to_string());
    }
    let (begun, mut all) = (Instant::now(), Counts::default());
    let box_of = Duration::from_secs(number("JOBSTILE_SIM_SECONDS").unwrap_or(20));
    let fresh = SystemTime::UNIX_EPOCH.elapsed().map_or(1, |now| now.as_micros() as u64);
    say(&format!("simulation: the seeds {FIXED:?}, then from {fresh} on for {} s", box_of.as_secs()));
    for seed in FIXED {
        all.add(&one(seed, seed.is_multiple_of(TWICE)));
    }
    let mut seed = fresh;
    while begun.elapsed() < box_of {
        all.add(&one(seed, seed.is_multiple_of(TWICE)));
        seed += 1;
    }
    say(&format!("simulation: {} fresh seeds in {:.0} s\n{all}", seed - fresh, begun.elapsed().as_secs_f64()));
    let missing = all.missing();
    assert!(missing.is_empty(), "never happened, so nothing was proved of it: {}", missing.join(", "));
}
