//! The numbers of a job in one hour, folded from facts. Monitor, stats and API read them through this one type.

use std::collections::BTreeMap;
use std::time::Duration;

use jobstile_core::decide::{Code, Decision};
use jobstile_core::stats::Histogram;
use jobstile_core::trigger::Source;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};
use crate::fact::{Came, Decided, Fact};

/// Counts, sums and histograms; adding two of them gives those of both times.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Numbers {
    /// Decisions by source, decision and code: `schedule/skipped/duplicate_running`. The first version of the schema kept
    /// them without the decision.
    pub decisions: BTreeMap<String, u64>,
    /// Runs that came into a terminal state, by state.
    pub ended: BTreeMap<String, u64>,
    /// Attempts by outcome.
    pub attempts: BTreeMap<String, u64>,
    /// How long attempts took that did their work or failed.
    pub run: Spread,
    /// How long runs waited from due to their first claim.
    pub wait: Spread,
}

/// How long something took.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Spread {
    /// How often.
    pub count: u64,
    /// In all, in microseconds.
    pub sum_us: u64,
    /// The longest, in microseconds, exact.
    pub max_us: u64,
    /// Bucket → count; see [`Histogram`].
    pub buckets: BTreeMap<u16, u64>,
}

impl Spread {
    fn add(&mut self, duration: Duration) {
        let us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.count += 1;
        self.sum_us = self.sum_us.saturating_add(us);
        self.max_us = self.max_us.max(us);
        let mut histogram = Histogram { buckets: std::mem::take(&mut self.buckets) };
        histogram.add(duration);
        self.buckets = histogram.buckets;
    }

    fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.sum_us = self.sum_us.saturating_add(other.sum_us);
        self.max_us = self.max_us.max(other.max_us);
        for (bucket, count) in &other.buckets {
            *self.buckets.entry(*bucket).or_default() += count;
        }
    }

    /// The mean; none where there is nothing.
    #[must_use]
    pub fn mean(&self) -> Option<Duration> {
        (self.count > 0).then(|| Duration::from_micros(self.sum_us / self.count))
    }

    /// The longest; none where there is nothing.
    #[must_use]
    pub fn max(&self) -> Option<Duration> {
        (self.count > 0).then(|| Duration::from_micros(self.max_us))
    }

    /// A quantile (0 to 1), right within 5 %, never above the longest.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        let histogram = Histogram { buckets: self.buckets.clone() };
        histogram.quantile(share).map(|d| d.min(Duration::from_micros(self.max_us)))
    }
}

impl Numbers {
    /// The numbers of a text.
    ///
    /// # Errors
    /// If the text is damaged.
    pub fn read(text: &str) -> Result<Self> {
        serde_json::from_str(text)
            .map_err(|e| Error::new(Kind::Store, "the numbers of a job cannot be read").because(e))
    }

    /// Takes one fact in; false: it counts for nothing.
    pub fn fold(&mut self, fact: &Fact) -> bool {
        match fact {
            Fact::Decided(decided) => self.decided(decided),
            Fact::Came(came) => self.came(came),
        }
    }

    fn decided(&mut self, fact: &Decided) -> bool {
        if !fact.replayed {
            let name = [fact.source.as_str(), fact.decision.as_str(), fact.code.as_str()].join("/");
            *self.decisions.entry(name).or_default() += fact.count.unwrap_or(1);
        }
        !fact.replayed
    }

    fn came(&mut self, fact: &Came) -> bool {
        if let Some(waited) = fact.waited {
            self.wait.add(waited);
        }
        if fact.state.is_terminal() {
            count(&mut self.ended, fact.state.as_str());
        }
        if let Some(ended) = &fact.ended {
            count(&mut self.attempts, ended.outcome.as_str());
            use jobstile_core::outcome::Outcome::{Failure, Success, Timeout};
            if matches!(ended.outcome, Success | Failure | Timeout) {
                self.run.add(ended.took);
            }
        }
        fact.waited.is_some() || fact.state.is_terminal() || fact.ended.is_some()
    }

    /// Takes the numbers of another time in.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in [
            (&mut self.decisions, &other.decisions),
            (&mut self.ended, &other.ended),
            (&mut self.attempts, &other.attempts),
        ] {
            for (name, count) in theirs {
                *mine.entry(name.clone()).or_default() += count;
            }
        }
        self.run.merge(&other.run);
        self.wait.merge(&other.wait);
    }

    /// Decisions that this picks by source, decision and code.
    #[must_use]
    pub fn count(&self, pick: impl Fn(Source, Decision, Code) -> bool) -> u64 {
        let picked = |name: &str| read(name).is_some_and(|(source, decision, code)| pick(source, decision, code));
        self.decisions.iter().filter(|(name, _)| picked(name)).map(|(_, count)| count).sum()
    }
}

fn read(name: &str) -> Option<(Source, Decision, Code)> {
    let parts: Vec<&str> = name.split('/').collect();
    match parts.as_slice() {
        [source, decision, code] => Some((source.parse().ok()?, decision.parse().ok()?, code.parse().ok()?)),
        [source, code] => {
            let code = code.parse().ok()?;
            Some((source.parse().ok()?, without_decision(code), code))
        }
        _ => None,
    }
}

// What most triggers of this code became: a refusal that was rejected and not skipped cannot be told any more.
fn without_decision(code: Code) -> Decision {
    match code {
        Code::WithinLimits => Decision::Admitted,
        Code::Missed => Decision::Missed,
        Code::QueueFull | Code::UnknownJob | Code::BadArguments | Code::MissingKeyField | Code::TriggerIdReused => {
            Decision::Rejected
        }
        _ => Decision::Skipped,
    }
}

fn count(names: &mut BTreeMap<String, u64>, name: &'static str) {
    match names.get_mut(name) {
        Some(count) => *count += 1,
        None => drop(names.insert(name.to_owned(), 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_without_a_decision_are_still_read() {
        let decisions = [
            ("cli/rejected/duplicate_running", 1),
            ("cli/skipped/duplicate_running", 2),
            ("cli/duplicate_running", 4),
            ("schedule/within_limits", 8),
            ("schedule/missed", 16),
            ("cli/queue_full", 32),
            ("nobody/knows", 64),
        ];
        let decisions = decisions.into_iter().map(|(name, count)| (name.to_owned(), count)).collect();
        let numbers = Numbers { decisions, ..Numbers::default() };
        let of = |which: Decision| numbers.count(|_, decision, _| decision == which);
        assert_eq!(of(Decision::Rejected), 1 + 32);
        assert_eq!(of(Decision::Skipped), 2 + 4);
        assert_eq!(of(Decision::Admitted), 8);
        assert_eq!(of(Decision::Missed), 16);
        assert_eq!(numbers.count(|source, _, _| source == Source::Cli), 1 + 2 + 4 + 32);
    }
}
