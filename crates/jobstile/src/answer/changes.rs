//! What a configuration that was read again changed. The daemon finds it out and keeps it in the store for anyone
//! who asks.

use std::collections::BTreeMap;

use jobstile_core::decide::Tally;
use serde::{Deserialize, Serialize};

/// What is different.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Changes {
    /// The version in force since.
    pub version: String,
    /// The file.
    pub file: String,
    /// Jobs that it did not name before.
    pub new: Vec<String>,
    /// Jobs with another policy or another handler.
    pub changed: Vec<String>,
    /// Jobs that the file does not name any more, and what they still hold.
    pub removed: BTreeMap<String, Held>,
    /// A switch is another one.
    pub switches: bool,
}

/// The live runs of a job.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Held {
    /// Runs that are executed.
    pub running: u64,
    /// Runs that wait.
    pub queued: u64,
    /// Runs that wait for their retry.
    pub retrying: u64,
    /// Runs that are due later.
    pub scheduled: u64,
}

impl From<Tally> for Held {
    fn from(tally: Tally) -> Self {
        let Tally { scheduled, queued, running, retrying } = tally;
        Self { running, queued, retrying, scheduled }
    }
}

impl Held {
    /// It holds none.
    #[must_use]
    pub fn is_nothing(self) -> bool {
        self == Self::default()
    }
}

impl Changes {
    /// As a node wrote them down; those of another version of the program may say less.
    #[must_use]
    pub fn read(json: &str) -> Self {
        serde_json::from_str(json).unwrap_or_default()
    }

    /// Nothing is different.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.new.is_empty() && self.changed.is_empty() && self.removed.is_empty() && !self.switches
    }

    /// They are about this job, or about every one.
    #[must_use]
    pub fn concern(&self, job: &str) -> bool {
        self.switches || self.new.iter().chain(&self.changed).chain(self.removed.keys()).any(|one| one == job)
    }
}
