//! Where the values of a policy came from, as data: the kind, the place, and the value that was replaced.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::store::wire;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody wrote it.
    Default,
    /// The job's name is on the built-in list of monitoring jobs.
    BuiltInList,
    /// A configuration file.
    File {
        /// Where.
        place: Place,
        /// It stands in `[defaults]`, not in the job's own table.
        defaults: bool,
    },
    /// A variable of the environment.
    Variable {
        /// Its name.
        name: String,
        /// Where it stands, if it came from a file of variables.
        place: Option<Place>,
    },
    /// An option of the command line.
    Flag(String),
    /// A store of the first version has it in words.
    Words(String),
}

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file as it was given.
    pub file: String,
    /// From 1.
    pub line: usize,
}

/// Where one value came from, and what it stands instead of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Where from.
    pub origin: Origin,
    /// The value that somebody wrote and that does not hold, and where.
    pub instead_of: Option<(Value, Origin)>,
}

/// Where each value of a policy came from, by its key. What is absent is a default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins(pub BTreeMap<String, Source>);

impl Origins {
    /// As a store keeps it. What cannot be read is nothing: origins are worth no error.
    #[must_use]
    pub fn read(text: &str) -> Self {
        wire::read_origins(text)
    }

    /// As a store keeps it.
    #[must_use]
    pub fn write(&self) -> String {
        wire::write_origins(self)
    }

    /// Where the value of a key came from.
    #[must_use]
    pub fn origin(&self, key: &str) -> &Origin {
        self.0.get(key).map_or(&Origin::Default, |source| &source.origin)
    }

    /// The value of a key that does not hold, and where it was written.
    #[must_use]
    pub fn instead_of(&self, key: &str) -> Option<&(Value, Origin)> {
        self.0.get(key)?.instead_of.as_ref()
    }
}
