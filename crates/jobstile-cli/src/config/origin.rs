//! Where a value came from.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::config::diagnostic::Source;

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
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::BuiltInList => f.write_str("built-in list"),
            Self::File(spot, section) => {
                write!(f, "{}:{}", spot.source.name, spot.line())?;
                if *section == Section::Defaults { f.write_str(" [defaults]") } else { Ok(()) }
            }
            Self::Variable(name, Some(spot)) => write!(f, "{}:{} {name}", spot.source.name, spot.line()),
            Self::Variable(name, None) => write!(f, "environment {name}"),
            Self::Flag(name) => f.write_str(name),
        }
    }
}
