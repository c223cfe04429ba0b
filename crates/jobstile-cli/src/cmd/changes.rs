//! What a configuration that was read again changed. The daemon finds it out and keeps it in the store for anyone who
//! asks.

use std::collections::BTreeMap;

use jobstile::runner::Definition;
use jobstile_core::decide::Tally;
use jobstile_core::id::Version;
use serde::{Deserialize, Serialize};

use crate::config::Loaded;
use crate::config::job::JobConfig;
use crate::text::words::count;

/// What is different.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Changes {
    /// The version in force since.
    pub(crate) version: String,
    /// The file.
    pub(crate) file: String,
    pub(crate) new: Vec<String>,
    pub(crate) changed: Vec<String>,
    /// Jobs that the file does not name any more, and what they still hold.
    pub(crate) removed: BTreeMap<String, Held>,
    /// A switch is another one.
    pub(crate) switches: bool,
}

/// The live runs of a job.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Held {
    pub(crate) running: u64,
    pub(crate) queued: u64,
    pub(crate) retrying: u64,
    pub(crate) scheduled: u64,
}

impl From<Tally> for Held {
    fn from(tally: Tally) -> Self {
        let Tally { scheduled, queued, running, retrying } = tally;
        Self { running, queued, retrying, scheduled }
    }
}

impl Changes {
    /// From one configuration to the next; `held` knows what a job still holds.
    pub(crate) fn between(old: &Loaded, new: &Loaded, version: Version, held: impl Fn(&str) -> Held) -> Self {
        let mut changes = Self { version: version.to_string(), file: new.source.name.clone(), ..Self::default() };
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

    /// For people, a line each; none if nothing changed.
    pub(crate) fn lines(&self) -> Vec<String> {
        let named = |what: &str, jobs: &[String]| (!jobs.is_empty()).then(|| format!("{what}: {}", jobs.join(", ")));
        let removed = self.removed.iter().map(|(job, held)| match held.in_words() {
            None => format!("removed: {job}"),
            Some(held) => format!("removed: {job}, which still holds {held}: jobstile runs {job}"),
        });
        let switches = self.switches.then(|| "other switches: jobstile config".to_owned());
        let set = [named("new", &self.new), named("changed", &self.changed), switches];
        set.into_iter().flatten().chain(removed).collect()
    }
}

impl Held {
    pub(crate) fn is_nothing(self) -> bool {
        self == Self::default()
    }

    fn in_words(self) -> Option<String> {
        let states = [
            (self.running, "running run"),
            (self.queued, "queued run"),
            (self.retrying, "retrying run"),
            (self.scheduled, "scheduled run"),
        ];
        let held: Vec<String> = states.iter().filter(|(n, _)| *n > 0).map(|(n, runs)| count(*n, runs)).collect();
        (!held.is_empty()).then(|| held.join(", "))
    }
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
