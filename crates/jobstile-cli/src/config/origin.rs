//! Where a value came from.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use jobstile::origin;

use crate::config::diagnostic::Source;
use crate::text::words;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Nobody wrote it.
    Default,
    /// The job's name is on the built-in list of monitoring jobs.
    BuiltInList,
    /// The file: of the job itself, of `[defaults]`, or by `overlap`.
    File(Spot, Section),
    /// A variable, and its line where it stands in an environment file.
    Variable(String, Option<Spot>),
    /// An option of the command line.
    Flag(&'static str),
}

/// Which part of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    /// The job's own table, or the top of the file.
    Own,
    /// `[defaults]`.
    Defaults,
}

/// A part of a text that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(crate) source: Arc<Source>,
    /// Bytes.
    pub(crate) span: Range<usize>,
}

impl Spot {
    pub(crate) fn line(&self) -> usize {
        self.source.line(self.span.start)
    }
}

impl Origin {
    /// The place to show, if it has one.
    pub(crate) fn spot(&self) -> Option<&Spot> {
        match self {
            Self::File(spot, _) | Self::Variable(_, Some(spot)) => Some(spot),
            _ => None,
        }
    }

    /// In one word, for «(file: 90s)».
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Default | Self::BuiltInList => "default",
            Self::File(_, Section::Own) => "file",
            Self::File(_, Section::Defaults) => "[defaults]",
            Self::Variable(..) => "environment",
            Self::Flag(_) => "flag",
        }
    }

    /// As the store keeps it.
    pub(crate) fn kept(&self) -> origin::Origin {
        let place = |spot: &Spot| origin::Place { file: spot.source.name.clone(), line: spot.line() };
        match self {
            Self::Default => origin::Origin::Default,
            Self::BuiltInList => origin::Origin::BuiltInList,
            Self::File(spot, section) => {
                origin::Origin::File { place: place(spot), defaults: *section == Section::Defaults }
            }
            Self::Variable(name, spot) => {
                origin::Origin::Variable { name: name.clone(), place: spot.as_ref().map(place) }
            }
            Self::Flag(name) => origin::Origin::Flag((*name).to_owned()),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&words::origin(&self.kept()))
    }
}
