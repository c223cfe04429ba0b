//! What a job's policy says, in the simulation's own words: the world turns it into a policy of the product, the model
//! reads it as it is.

use std::time::Duration;

use jobstile::core::policy::{
    Backoff, Concurrency, Dedup, KeyRule, OnDuplicate, OnFull, Policy, Priority, Switches, Until,
};
use jobstile::core::schedule::{CatchUp, First, Schedule};

use crate::rng::Rng;

pub(crate) const S: i64 = 1_000_000;
pub(crate) const MIN: i64 = 60 * S;
pub(crate) const HOUR: i64 = 60 * MIN;

/// The identity rule. `fields`: none means all arguments.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Same {
    pub(crate) fields: Option<Vec<&'static str>>,
    pub(crate) until_start: bool,
    pub(crate) fails: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Spec {
    pub(crate) monitoring: bool,
    pub(crate) same: Option<Same>,
    /// None: unlimited.
    pub(crate) slots: Option<u32>,
    pub(crate) max_waiting: u32,
    pub(crate) full_fails: Option<bool>,
    /// Index into `Priority::ALL`.
    pub(crate) priority: usize,
    pub(crate) attempts: u32,
    pub(crate) delay: i64,
    pub(crate) factor: u32,
    pub(crate) longest_delay: i64,
    pub(crate) timeout: Option<i64>,
    pub(crate) every: Option<i64>,
    pub(crate) first_later: bool,
    pub(crate) catches_up: bool,
    pub(crate) enabled: bool,
    /// Index into [`ARGS`].
    pub(crate) tick_args: usize,
}

/// What one may be given as arguments: text, and the fields `wallet` and `n` as a key of them reads them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ArgsText {
    pub(crate) text: &'static str,
    /// Canonical, as it is stored; none: no arguments or unreadable ones.
    pub(crate) stored: Option<&'static str>,
    pub(crate) wallet: Value,
    pub(crate) n: Value,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value {
    Absent,
    Text(&'static str),
    No,
}

const fn args(text: &'static str, stored: Option<&'static str>, wallet: Value, n: Value) -> ArgsText {
    ArgsText { text, stored, wallet, n }
}

pub(crate) const NOT_JSON: usize = 10;

pub(crate) const ARGS: [ArgsText; 11] = [
    args(r#"{"wallet":"a","n":1}"#, Some(r#"{"n":1,"wallet":"a"}"#), Value::Text(r#""a""#), Value::Text("1")),
    args(r#"{"n":1,"wallet":"b"}"#, Some(r#"{"n":1,"wallet":"b"}"#), Value::Text(r#""b""#), Value::Text("1")),
    args(r#"{"n":2, "wallet":"a"}"#, Some(r#"{"n":2,"wallet":"a"}"#), Value::Text(r#""a""#), Value::Text("2")),
    args(r#"{"n":2,"wallet":"c"}"#, Some(r#"{"n":2,"wallet":"c"}"#), Value::Text(r#""c""#), Value::Text("2")),
    args(
        r#"{"wallet":"a\",1","n":1}"#,
        Some(r#"{"n":1,"wallet":"a\",1"}"#),
        Value::Text(r#""a\",1""#),
        Value::Text("1"),
    ),
    args(r#"{"n":true,"wallet":"b"}"#, Some(r#"{"n":true,"wallet":"b"}"#), Value::Text(r#""b""#), Value::Text("true")),
    args("null", None, Value::Absent, Value::Absent),
    args(r#"{"wallet":"a"}"#, Some(r#"{"wallet":"a"}"#), Value::Text(r#""a""#), Value::Absent),
    args(r#"{"wallet":null,"n":3}"#, Some(r#"{"n":3,"wallet":null}"#), Value::Absent, Value::Text("3")),
    args(r#"{"wallet":[1],"n":1.5}"#, Some(r#"{"n":1.5,"wallet":[1]}"#), Value::No, Value::No),
    args(r#"{"wallet":"#, None, Value::Absent, Value::Absent),
];

fn duration(micros: i64) -> Duration {
    Duration::from_micros(micros as u64)
}

pub(crate) fn priority(index: usize) -> Priority {
    Priority::ALL[index]
}

pub(crate) fn switches(of: [bool; 3]) -> Switches {
    Switches { deduplication: of[0], aggressive: of[1], stacking_prevention: of[2] }
}

impl Spec {
    /// As the product has it.
    pub(crate) fn policy(&self) -> Policy {
        let fails = |f| if f { OnFull::Fail } else { OnFull::Skip };
        let mut policy = Policy::new(self.monitoring, None);
        policy.dedup = self.same.as_ref().map(|same| Dedup {
            key: match &same.fields {
                None => KeyRule::AllArguments,
                Some(fields) => KeyRule::Fields(fields.iter().map(|f| (*f).to_owned()).collect()),
            },
            until: if same.until_start { Until::Start } else { Until::Finish },
            on_duplicate: if same.fails { OnDuplicate::Fail } else { OnDuplicate::Skip },
        });
        policy.max_concurrent = self.slots.map_or(Concurrency::Unlimited, Concurrency::Limited);
        policy.max_waiting = self.max_waiting;
        policy.on_full = self.full_fails.map(fails);
        policy.priority = priority(self.priority);
        policy.attempts = self.attempts;
        policy.backoff =
            Backoff { delay: duration(self.delay), factor: f64::from(self.factor), max: duration(self.longest_delay) };
        policy.timeout = self.timeout.map(duration);
        policy.schedule = self.every.map(|every| Schedule {
            every: duration(every),
            first: if self.first_later { First::AfterInterval } else { First::Now },
            catch_up: if self.catches_up { CatchUp::Latest } else { CatchUp::None },
        });
        policy.enabled = self.enabled;
        policy.args = ARGS[self.tick_args].stored.map(str::to_owned);
        policy
    }

    /// A job that makes sense.
    pub(crate) fn random(rng: &mut Rng) -> Self {
        let monitoring = rng.chance(0.3);
        let scheduled = rng.chance(if monitoring { 0.8 } else { 0.4 });
        let same = (!monitoring && rng.chance(0.6)).then(|| Same::random(rng));
        let slots = if rng.chance(0.75) || scheduled { Some(rng.spread(1, 4) as u32) } else { None };
        let least = u32::from(slots.is_none());
        let max_waiting = *rng.pick(&[least, least, 1, 2, 3, 8, 100_000]);
        let delay = rng.spread(S, 60 * S);
        Self {
            monitoring,
            same,
            slots,
            max_waiting,
            full_fails: *rng.pick(&[None, None, Some(true), Some(false)]),
            priority: if rng.chance(0.7) { 1 } else { rng.below(5) },
            attempts: *rng.pick(&[1, 1, 2, 3, 3, 5]),
            delay,
            factor: rng.between(1, 3) as u32,
            longest_delay: delay * rng.between(1, 6),
            timeout: rng.chance(0.9).then(|| rng.spread(2 * S, 3 * MIN)),
            every: scheduled.then(|| rng.spread(2 * S, 5 * MIN)),
            first_later: rng.chance(0.3),
            catches_up: rng.chance(0.6),
            enabled: rng.chance(0.9),
            // A schedule whose arguments lack a field of the key is a configuration error.
            tick_args: rng.below(6),
        }
    }

    /// Another one, by one change.
    pub(crate) fn change(&mut self, rng: &mut Rng) {
        let other = Self::random(rng);
        match rng.below(14) {
            0 | 1 | 12 | 13 => self.slots = Some(rng.between(1, 4) as u32),
            2 if self.every.is_none() => (self.slots, self.max_waiting) = (None, self.max_waiting.max(1)),
            3 => self.max_waiting = other.max_waiting.max(u32::from(self.slots.is_none())),
            4 | 5 if !self.monitoring => self.same = other.same,
            6 => {
                self.monitoring = !self.monitoring;
                self.same = if self.monitoring { None } else { other.same };
            }
            7 => self.every = if self.slots.is_some() { other.every } else { None },
            8 => self.enabled = !self.enabled,
            9 => self.attempts = other.attempts,
            10 => self.timeout = other.timeout,
            11 => *self = other,
            _ => (self.catches_up, self.full_fails) = (other.catches_up, other.full_fails),
        }
        if let Some(same) = &mut self.same
            && rng.chance(0.3)
        {
            same.until_start = !same.until_start;
        }
    }
}

impl Same {
    fn random(rng: &mut Rng) -> Self {
        let fields = rng.pick(&[None, Some(vec![]), Some(vec!["wallet"]), Some(vec!["wallet", "n"])]).clone();
        Self { fields, until_start: rng.chance(0.5), fails: rng.chance(0.2) }
    }
}
