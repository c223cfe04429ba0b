//! A deliberately naive model of the rules: it replays a scenario file and gives its facts. It
//! shares no code with the product: own reading, plain vectors, full scans, one thing at a time.

mod policy;
mod read;
mod rules;
mod schedule;
mod world;

use serde_json::Value;

/// Which facts a replay gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Facts {
    /// Decisions and states.
    Plain,
    /// Also the log lines, without the thinning of identical skips.
    WithLog,
}

/// The facts of a scenario, or what is wrong with the file.
pub(crate) fn replay(scenario: &str, facts: Facts) -> Result<Vec<Value>, String> {
    let scenario = read::scenario(scenario)?;
    let mut world = world::World::new(scenario, facts == Facts::WithLog)?;
    world.play()?;
    Ok(world.facts)
}
