//! What the model says: facts and answers, in plain words and numbers.

use crate::{Code, Decision, Outcome, Source, State};

/// What became of a trigger, as its caller hears it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    pub decision: Decision,
    pub code: Code,
    pub run: Option<i64>,
    pub by: Option<i64>,
    pub replayed: bool,
}

/// When a run is due. Some of it is chance: from then on, and not later than.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    pub from: i64,
    pub to: i64,
}

impl Due {
    /// At that instant.
    #[must_use]
    pub fn at(at: i64) -> Self {
        Self { from: at, to: at }
    }
}

/// A fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    Decided {
        job: String,
        source: Source,
        answer: Decided,
        count: Option<u64>,
        aggressive: bool,
        later: bool,
        waiting: usize,
        running: usize,
    },
    Came {
        job: String,
        run: i64,
        state: State,
        attempt: Option<u32>,
        code: Option<Code>,
        by: Option<i64>,
        outcome: Option<Outcome>,
        due: Option<Due>,
    },
}

/// The answer to an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Decided(Decided),
    /// The state that followed. `None`: nothing was changed.
    Settled(Option<State>),
    Changed {
        from: State,
        to: State,
        asked: bool,
    },
    Moved(usize),
    Names(Vec<String>),
    Runs(Vec<i64>),
    Rows(u64),
    NotFound,
    /// What the model never says.
    Other(String),
}
