//! What is wrong with a written policy, field by field.

use std::fmt;
use std::time::Duration;

use crate::key::MAX_KEY;
use crate::policy::keys::Takes;
use crate::policy::written::Overlap;
use crate::time::in_short;

/// One thing that is wrong with a written policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Mistake {
    /// The key at fault as a file has it, with a dot in a table: `backoff.delay`.
    pub field: &'static str,
    /// What is wrong with it.
    pub why: Why,
}

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq)]
pub enum Why {
    /// A number beyond its bounds.
    OutOfRange(Takes),
    /// A duration of nothing.
    Zero,
    /// A duration below this.
    TooShort(Duration),
    /// A duration above this.
    TooLong(Duration),
    /// A word that is not one of these.
    UnknownWord {
        /// What was written.
        word: String,
        /// The words that there are.
        words: &'static [&'static str],
    },
    /// A list that has this twice.
    Twice(String),
    /// More names than this, or an empty one.
    Names {
        /// The most.
        most: usize,
    },
    /// `overlap` writes this field too.
    BesideOverlap(Overlap),
    /// A monitoring job has its own rule.
    Monitoring {
        /// It is one by its name alone.
        by_name: bool,
    },
    /// `max_waiting = 0` with an unlimited `max_concurrent`.
    NothingGetsIn,
    /// The first retry waits longer than the longest one.
    DelayAboveMax {
        /// The first.
        delay: Duration,
        /// The longest.
        max: Duration,
        /// Nobody wrote the longest.
        is_default: bool,
    },
    /// The ticks of its schedule have no key.
    NoKey {
        /// The fields of the key.
        fields: Vec<String>,
        /// What its arguments lack.
        lack: Lack,
    },
}

/// Why arguments give no key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lack {
    /// This field is absent or null.
    Absent(String),
    /// This field is no string, whole number or boolean.
    Unfit(String),
    /// The key would be too long.
    TooLong,
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent(field) => write!(f, "its `args` have no `{field}`"),
            Self::Unfit(field) => write!(f, "`{field}` in its `args` is not a string, whole number or boolean"),
            Self::TooLong => write!(f, "its key is longer than {MAX_KEY} bytes"),
        }
    }
}

impl Mistake {
    /// What is wrong, in a sentence that names the field and, if it matters, the job.
    #[must_use]
    pub fn title(&self, job: &str) -> String {
        self.why.title(self.field.rsplit('.').next().unwrap_or(self.field), job)
    }

    /// All of it in one sentence, for those who have no file to point into.
    #[must_use]
    pub fn sentence(&self, job: &str) -> String {
        format!("{} ({})", self.title(job), self.why.right())
    }
}

impl Why {
    /// What is wrong with the key of this name.
    #[must_use]
    pub fn title(&self, name: &str, job: &str) -> String {
        match self {
            Self::OutOfRange(_) => format!("`{name}` is out of range"),
            Self::Zero => format!("`{name}` cannot be zero"),
            Self::TooShort(_) => format!("`{name}` is too short"),
            Self::TooLong(_) => format!("`{name}` is too long"),
            Self::UnknownWord { word, .. } => format!("`{name}` cannot be \"{word}\""),
            Self::Twice(field) => format!("`{name}` names `{field}` twice"),
            Self::Names { .. } => format!("`{name}` names argument fields"),
            Self::BesideOverlap(_) => format!("`{name}` beside `overlap`, which writes it"),
            Self::Monitoring { by_name: true } => {
                format!("`{name}` in job `{job}`, which is a monitoring job by its name")
            }
            Self::Monitoring { by_name: false } => format!("`{name}` in job `{job}`, which is a monitoring job"),
            Self::NothingGetsIn => {
                format!("`max_waiting = 0` lets nothing into job `{job}`: its `max_concurrent` is unlimited")
            }
            Self::DelayAboveMax { max, is_default, .. } => {
                let default = if *is_default { ", the default" } else { "" };
                format!("`delay` of job `{job}` is longer than its `max` of {}{default}", in_short(*max))
            }
            Self::NoKey { lack, .. } => format!("the ticks of job `{job}` have no key: {lack}"),
        }
    }

    /// What would be right, in a few words.
    #[must_use]
    pub fn right(&self) -> String {
        match self {
            Self::OutOfRange(takes) => takes.in_words(),
            Self::Zero => "longer than that".to_owned(),
            Self::TooShort(least) => format!("at least \"{}\"", in_short(*least)),
            Self::TooLong(most) => format!("at most \"{}\"", in_short(*most)),
            Self::UnknownWord { words, .. } => one_of(words),
            Self::Twice(_) => "each field once".to_owned(),
            Self::Names { most } => format!("at most {most}, none of them empty"),
            Self::BesideOverlap(_) => "one of the two".to_owned(),
            Self::Monitoring { .. } => "such a job has one live run at a time, retries included".to_owned(),
            Self::NothingGetsIn => "1 or more, or give `max_concurrent` a number".to_owned(),
            Self::DelayAboveMax { delay, .. } => format!("max = \"{}\" or longer", in_short(*delay)),
            Self::NoKey { .. } => "give the ticks these fields".to_owned(),
        }
    }

    /// What to do about it, if that is not plain.
    #[must_use]
    pub fn help(&self, job: &str) -> Option<String> {
        match self {
            Self::BesideOverlap(overlap) => Some(format!("overlap = \"{overlap}\" writes {}", overlap.in_words())),
            Self::Monitoring { .. } => {
                Some(format!("for a rule of its own write `monitoring = false` in [jobs.{job}]"))
            }
            Self::NoKey { fields, .. } => Some(format!("its runs are told apart by {}", fields.join(", "))),
            Self::OutOfRange(_)
            | Self::Zero
            | Self::TooShort(_)
            | Self::TooLong(_)
            | Self::UnknownWord { .. }
            | Self::Twice(_)
            | Self::Names { .. }
            | Self::NothingGetsIn
            | Self::DelayAboveMax { .. } => None,
        }
    }
}

/// `"a", "b" or "c"`.
#[must_use]
pub fn one_of(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.join(""),
    }
}
