//! What a configuration that was read again changes.

use jobstile::answer::{Changes, Held};
use jobstile::runner::Definition;
use jobstile_core::id::Version;

use crate::config::Loaded;
use crate::config::job::JobConfig;

/// From one configuration to the next; `held` knows what a job still holds.
pub(crate) fn between(old: &Loaded, new: &Loaded, version: Version, held: impl Fn(&str) -> Held) -> Changes {
    let mut changes = Changes { version: version.to_string(), file: new.source.name.clone(), ..Changes::default() };
    changes.switches = old.switches != new.switches;
    for (name, job) in &new.jobs {
        match old.jobs.get(name) {
            None => changes.new.push(name.to_string()),
            Some(before) if !is_same(before, job) => changes.changed.push(name.to_string()),
            Some(_) => {}
        }
    }
    let gone = old.jobs.keys().filter(|name| !new.jobs.contains_key(*name));
    changes.removed = gone.map(|name| (name.to_string(), held(name.as_str()))).collect();
    changes
}

fn is_same(a: &JobConfig, b: &JobConfig) -> bool {
    let definition = match (&a.definition, &b.definition) {
        (Some(Definition::Command(a)), Some(Definition::Command(b))) => a == b,
        (Some(Definition::Shell(a)), Some(Definition::Shell(b))) => a == b,
        (Some(Definition::Http(a)), Some(Definition::Http(b))) => a == b,
        (a, b) => a.is_none() && b.is_none(),
    };
    definition && a.policy == b.policy
}
