//! Policies of the simulation: drawn as the model has them, and turned into those of the product.

use std::time::Duration;

use jobstile::args::{Args, BadArgs};
use jobstile::core::policy::{
    Backoff, Concurrency, Dedup, KeyRule, OnDuplicate, OnFull, Policy, Priority, Switches, Until,
};
use jobstile::core::schedule::{CatchUp, First, Schedule};
use jobstile_model::{self as model, S, Same, Spec};

use crate::rng::Rng;

/// A policy, as the world puts it in force. Jobs that it does not name are taken out.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) switches: model::Switches,
    pub(crate) jobs: Vec<(String, Spec)>,
}

/// What one may be given as arguments. The first six have all fields of every key.
pub(crate) const ARGS: [&str; 11] = [
    r#"{"wallet":"a","n":1}"#,
    r#"{"n":1,"wallet":"b"}"#,
    r#"{"n":2, "wallet":"a"}"#,
    r#"{"n":2,"wallet":"c"}"#,
    r#"{"wallet":"a\",1","n":1}"#,
    r#"{"n":true,"wallet":"b"}"#,
    "null",
    r#"{"wallet":"a"}"#,
    r#"{"wallet":null,"n":3}"#,
    r#"{"wallet":[1],"n":1.5}"#,
    NOT_JSON,
];

/// How many of them have all fields.
pub(crate) const WHOLE: usize = 6;

pub(crate) const NOT_JSON: &str = r#"{"wallet":"#;

/// The text that such arguments may have been read from.
pub(crate) fn text_of(args: &Result<Args, BadArgs>) -> &str {
    args.as_ref().map_or(NOT_JSON, |args| args.canonical())
}

fn duration(micros: i64) -> Duration {
    Duration::from_micros(micros as u64)
}

pub(crate) fn priority(index: usize) -> Priority {
    Priority::ALL[index]
}

pub(crate) fn switches(of: model::Switches) -> Switches {
    Switches { deduplication: of.dedup, aggressive: of.aggressive, stacking_prevention: of.stacking }
}

/// As the product has it.
pub(crate) fn policy(spec: &Spec) -> Policy {
    let fails = |f| if f { OnFull::Fail } else { OnFull::Skip };
    let mut policy = Policy::new(spec.monitoring, None);
    policy.dedup = spec.same.as_ref().map(|same| Dedup {
        key: match &same.fields {
            None => KeyRule::AllArguments,
            Some(fields) => KeyRule::Fields(fields.clone()),
        },
        until: if same.until_start { Until::Start } else { Until::Finish },
        on_duplicate: if same.fails { OnDuplicate::Fail } else { OnDuplicate::Skip },
    });
    policy.max_concurrent = spec.slots.map_or(Concurrency::Unlimited, Concurrency::Limited);
    policy.max_waiting = spec.max_waiting;
    policy.on_full = spec.full_fails.map(fails);
    policy.priority = priority(spec.priority);
    policy.attempts = spec.attempts;
    policy.backoff = Backoff { delay: duration(spec.delay), factor: spec.factor, max: duration(spec.longest_delay) };
    policy.timeout = spec.timeout.map(duration);
    policy.schedule = spec.every.map(|every| Schedule {
        every: duration(every),
        first: if spec.first_later { First::AfterInterval } else { First::Now },
        catch_up: if spec.catches_up { CatchUp::Latest } else { CatchUp::None },
    });
    policy.enabled = spec.enabled;
    policy.args = spec.tick_args.stored();
    policy
}

/// A job that makes sense.
pub(crate) fn random(rng: &mut Rng) -> Spec {
    let monitoring = rng.chance(0.3);
    let scheduled = rng.chance(if monitoring { 0.8 } else { 0.4 });
    let same = (!monitoring && rng.chance(0.6)).then(|| random_same(rng));
    let slots = if rng.chance(0.75) || scheduled { Some(rng.spread(1, 4) as u32) } else { None };
    let least = u32::from(slots.is_none());
    let max_waiting = *rng.pick(&[least, least, 1, 2, 3, 8, 100_000]);
    let delay = rng.spread(S, 60 * S);
    Spec {
        monitoring,
        same,
        slots,
        max_waiting,
        full_fails: *rng.pick(&[None, None, Some(true), Some(false)]),
        priority: if rng.chance(0.7) { 1 } else { rng.below(5) },
        attempts: *rng.pick(&[1, 1, 2, 3, 3, 5]),
        delay,
        factor: rng.between(1, 3) as f64,
        longest_delay: delay * rng.between(1, 6),
        timeout: rng.chance(0.9).then(|| rng.spread(2 * S, 180 * S)),
        every: scheduled.then(|| rng.spread(2 * S, 300 * S)),
        first_later: rng.chance(0.3),
        catches_up: rng.chance(0.6),
        enabled: rng.chance(0.9),
        // A schedule whose arguments lack a field of the key is a configuration error.
        tick_args: model::Args::parse(ARGS[rng.below(WHOLE)]),
    }
}

/// Another one, by one change.
pub(crate) fn change(spec: &mut Spec, rng: &mut Rng) {
    let other = random(rng);
    match rng.below(14) {
        0 | 1 | 12 | 13 => spec.slots = Some(rng.between(1, 4) as u32),
        2 if spec.every.is_none() => (spec.slots, spec.max_waiting) = (None, spec.max_waiting.max(1)),
        3 => spec.max_waiting = other.max_waiting.max(u32::from(spec.slots.is_none())),
        4 | 5 if !spec.monitoring => spec.same = other.same,
        6 => {
            spec.monitoring = !spec.monitoring;
            spec.same = if spec.monitoring { None } else { other.same };
        }
        7 => spec.every = if spec.slots.is_some() { other.every } else { None },
        8 => spec.enabled = !spec.enabled,
        9 => spec.attempts = other.attempts,
        10 => spec.timeout = other.timeout,
        11 => *spec = other,
        _ => (spec.catches_up, spec.full_fails) = (other.catches_up, other.full_fails),
    }
    if let Some(same) = &mut spec.same
        && rng.chance(0.3)
    {
        same.until_start = !same.until_start;
    }
}

fn random_same(rng: &mut Rng) -> Same {
    let fields = *rng.pick(&[None, Some(&[][..]), Some(&["wallet"][..]), Some(&["wallet", "n"][..])]);
    let fields = fields.map(|fields| fields.iter().map(|field| (*field).to_owned()).collect());
    Same { fields, until_start: rng.chance(0.5), fails: rng.chance(0.2) }
}
