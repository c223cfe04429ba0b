//! Identical skips and troubles: printed at once the first time, then counted, and said at most once in a while.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jobstile_core::decide::Code;
use jobstile_core::id::RunId;
use jobstile_core::time::Time;

use super::line::{Line, Stamp};

/// How often identical skips are said.
pub(super) const AT_MOST_EVERY: Duration = Duration::from_secs(10);
/// Different skips that are remembered at once; more of them are printed, each.
const MAX_REMEMBERED: usize = 10_000;

/// What makes two lines the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Same {
    /// A skip: its job, code and holder.
    Skip { job: Arc<str>, code: Code, holder: Option<RunId> },
    /// Anything else: all that it says.
    Said(String),
}

/// The skips of the last while.
#[derive(Debug, Default)]
pub(super) struct Repeats(HashMap<Same, Said>);

#[derive(Debug)]
struct Said {
    at: Time,
    /// How many since, and the last of them.
    held: Option<(u64, Line)>,
}

impl Said {
    // A clock that stepped back is no reason to be silent.
    fn may_speak(&self, now: Time) -> bool {
        now < self.at || now.since(self.at) >= AT_MOST_EVERY
    }
}

impl Repeats {
    /// The line to print for this one, if it is to be printed now.
    pub(super) fn take(&mut self, same: Same, line: Line) -> Option<Line> {
        let at = line.time();
        let full = self.0.len() >= MAX_REMEMBERED;
        let Some(said) = self.0.get_mut(&same) else {
            if !full {
                self.0.insert(same, Said { at, held: None });
            }
            return Some(line);
        };
        let count = said.held.as_ref().map_or(0, |(count, _)| *count) + 1;
        if !said.may_speak(at) {
            said.held = Some((count, line));
            return None;
        }
        *said = Said { at, held: None };
        Some(if count > 1 { line.repeated(count) } else { line })
    }

    /// What was held back for long enough.
    pub(super) fn due(&mut self, now: Time) -> Vec<Line> {
        let mut lines = Vec::new();
        self.0.retain(|_, said| {
            if !said.may_speak(now) {
                return true;
            }
            let Some((count, line)) = said.held.take() else { return false };
            lines.push(line.at(now).repeated(count));
            said.at = now;
            true
        });
        in_order(lines)
    }

    /// When the first of those held back is due.
    pub(super) fn next_due(&self) -> Option<Time> {
        self.0.values().filter(|said| said.held.is_some()).map(|said| said.at.plus(AT_MOST_EVERY)).min()
    }

    /// Forgets these, and gives what of them was held back, at its own time.
    pub(super) fn forget(&mut self, all: &[Same]) -> Vec<Line> {
        let held = all.iter().filter_map(|same| self.0.remove(same)?.held);
        in_order(held.map(|(count, line)| if count > 1 { line.repeated(count) } else { line }).collect())
    }

    /// All that is held back.
    pub(super) fn rest(&mut self, now: Time) -> Vec<Line> {
        let held = self.0.drain().filter_map(|(_, said)| said.held);
        in_order(held.map(|(count, line)| line.at(now).repeated(count)).collect())
    }
}

// A map has no order; lines of one moment have that of their text.
fn in_order(mut lines: Vec<Line>) -> Vec<Line> {
    lines.sort_by_cached_key(|line| (line.time(), line.to_text(&Stamp::Nothing)));
    lines
}
