//! The two rules of a job, its retries, and the arguments of its ticks.

use std::time::Duration;

use jobstile::args::Args;
use jobstile_core::policy::{
    Concurrency, DEFAULT_MAX_WAITING, Dedup, KeyRule, MONITORING, OnDuplicate, Policy, Switches, Until,
};
use serde_json::Value;

use super::Job;
use crate::config::diagnostic::Diagnostic;
use crate::config::origin::Origin;
use crate::config::setting::{Setting, of_duration};
use crate::config::value;
use crate::config::written::{self, Overlap};
use crate::text::duration::short;

/// Below every layer: what nobody wrote.
const NO_LAYER: usize = usize::MAX;

impl Job<'_, '_> {
    /// A monitoring job, by word or by name; not beside `dedup` or `overlap` that are as specific, or more.
    pub(super) fn monitoring(&mut self) -> bool {
        let written = self.find(|w| w.monitoring.as_ref());
        let listed = MONITORING.contains(&self.name());
        let (value, layer) = written.map_or((listed, NO_LAYER), |(layer, at)| (at.value, layer));
        match written {
            None if listed => self.settings.push(Setting::new("monitoring", true, Origin::BuiltInList)),
            _ => self.note("monitoring", value, written.map(|(_, at)| at)),
        }
        if value {
            self.beside_monitoring(layer);
        }
        value
    }

    fn beside_monitoring(&mut self, layer: usize) {
        let dedup = self.find(|w| w.dedup.as_ref()).map(|(at, dedup)| ("dedup", at, dedup.key.clone()));
        let overlap = self.find(|w| w.overlap.as_ref()).map(|(at, overlap)| ("overlap", at, overlap.key.clone()));
        let name = self.name();
        let why = if layer == NO_LAYER { "a monitoring job by its name" } else { "a monitoring job" };
        for (key, at, span) in [dedup, overlap].into_iter().flatten() {
            if at <= layer {
                let error = Diagnostic::error(format!("`{key}` in job `{name}`, which is {why}"))
                    .at(self.source, span, "such a job has one live run at a time, retries included")
                    .help(format!("for a rule of its own write `monitoring = false` in [jobs.{name}]"));
                self.found.push(error);
            }
        }
    }

    pub(super) fn rules(&mut self, policy: &mut Policy) {
        // `overlap` writes three keys, so it displaces all three in the layers below it.
        let overlap = self.find(|w| w.overlap.as_ref());
        let depth = overlap.map_or(NO_LAYER, |(layer, _)| layer);
        let overlap = overlap.map(|(_, at)| at);
        let word = overlap.map(|at| at.value);

        let dedup = self.find(|w| w.dedup.as_ref()).filter(|(layer, _)| *layer < depth).map(|(_, at)| at);
        policy.dedup = match (dedup, word.and_then(Overlap::until)) {
            _ if policy.monitoring => None,
            (Some(at), _) => Some(self.dedup(&at.value)),
            (None, Some(until)) => {
                let on_duplicate = OnDuplicate::Skip;
                self.note::<()>("dedup.key", "all arguments", None);
                self.note("dedup.until", until.as_str(), overlap);
                self.note::<()>("dedup.on_duplicate", on_duplicate.as_str(), None);
                Some(Dedup { key: KeyRule::AllArguments, until, on_duplicate })
            }
            (None, None) => None,
        };

        let at = self.find(|w| w.max_concurrent.as_ref()).filter(|(layer, _)| *layer < depth).map(|(_, at)| at);
        let by_overlap = word.map(Overlap::max_concurrent);
        policy.max_concurrent = at.map(|at| at.value).or(by_overlap).unwrap_or(policy.max_concurrent);
        let value = match policy.max_concurrent {
            Concurrency::Limited(n) => Value::from(n),
            Concurrency::Unlimited => "unlimited".into(),
        };
        match (at, overlap) {
            (None, Some(_)) => self.note("max_concurrent", value, overlap),
            _ => self.note("max_concurrent", value, at),
        }

        let at = self.find(|w| w.max_waiting.as_ref()).filter(|(layer, _)| *layer < depth).map(|(_, at)| at);
        let by_overlap = word.and_then(Overlap::max_waiting);
        policy.max_waiting = at.map(|at| at.value).or(by_overlap).unwrap_or_else(|| default_max_waiting(policy));
        match (at, by_overlap) {
            (None, Some(_)) => self.note("max_waiting", policy.max_waiting, overlap),
            _ => self.note("max_waiting", policy.max_waiting, at),
        }
        if let Some(at) = at.filter(|_| policy.max_waiting == 0 && policy.max_concurrent == Concurrency::Unlimited) {
            let title =
                format!("`max_waiting = 0` lets nothing into job `{}`: its `max_concurrent` is unlimited", self.name());
            self.wrong(&at.key, title, "1 or more, or give `max_concurrent` a number");
        }

        let at = self.value(|w| w.on_full.as_ref());
        policy.on_full = at.map(|at| at.value);
        self.note("on_full", policy.rules(Switches::default()).on_full.as_str(), at);
        let at = self.value(|w| w.priority.as_ref());
        policy.priority = at.map_or(policy.priority, |at| at.value);
        self.note("priority", policy.priority.as_str(), at);
    }

    fn dedup(&mut self, written: &written::Dedup) -> Dedup {
        let key = written.key.as_ref().map_or(KeyRule::AllArguments, |at| KeyRule::Fields(at.value.clone()));
        let shown = match &key {
            KeyRule::AllArguments => "all arguments".into(),
            KeyRule::Fields(fields) => Value::from(fields.clone()),
        };
        let until = written.until.as_ref().map_or(Until::Finish, |at| at.value);
        let on_duplicate = written.on_duplicate.as_ref().map_or(OnDuplicate::Skip, |at| at.value);
        self.note("dedup.key", shown, written.key.as_ref());
        self.note("dedup.until", until.as_str(), written.until.as_ref());
        self.note("dedup.on_duplicate", on_duplicate.as_str(), written.on_duplicate.as_ref());
        Dedup { key, until, on_duplicate }
    }

    pub(super) fn attempts(&mut self, policy: &mut Policy) {
        let at = self.value(|w| w.attempts.as_ref());
        policy.attempts = at.map_or(policy.attempts, |at| at.value);
        self.note("attempts", policy.attempts, at);

        let table = self.value(|w| w.backoff.as_ref()).map(|at| &at.value);
        let delay = table.and_then(|table| table.delay.as_ref());
        let factor = table.and_then(|table| table.factor.as_ref());
        let max = table.and_then(|table| table.max.as_ref());
        let backoff = &mut policy.backoff;
        backoff.delay = delay.map_or(backoff.delay, |at| at.value);
        backoff.factor = factor.map_or(backoff.factor, |at| at.value);
        backoff.max = max.map_or(backoff.max, |at| at.value);
        if let Some(span) = max.or(delay).map(|at| at.span.clone()).filter(|_| backoff.delay > backoff.max) {
            let default = if max.is_none() { ", which is its default" } else { "" };
            let title =
                format!("`delay` of job `{}` is longer than its `max` of {}{default}", self.name(), short(backoff.max));
            self.wrong(&span, title, &format!("max = \"{}\" or longer", short(backoff.delay)));
        }
        self.note("backoff.delay", of_duration(backoff.delay), delay);
        self.note("backoff.factor", number(backoff.factor), factor);
        self.note("backoff.max", of_duration(backoff.max), max);

        let at = self.value(|w| w.timeout.as_ref());
        policy.timeout = at.map_or(policy.timeout, |at| at.value);
        let none = |timeout: Option<Duration>| timeout.map_or("none".into(), of_duration);
        self.note("timeout", none(policy.timeout), at);
    }

    /// The arguments of its ticks, which have the fields of its key.
    pub(super) fn args(&mut self, policy: &Policy) -> Option<String> {
        let at = self.value(|w| w.args.as_ref());
        let args = at.map(|at| &at.value);
        self.note("args", args.cloned().unwrap_or(Value::Null), at);
        let dedup = policy.dedup.as_ref().filter(|_| policy.schedule.is_some());
        if let Some(KeyRule::Fields(fields)) = dedup.map(|dedup| &dedup.key)
            && !self.is_wrong(&["args"])
            && let Some(why) = value::missing_field(args, fields)
        {
            let title = format!("the ticks of job `{}` have no key: {why}", self.name());
            let (span, right) = match at {
                Some(at) => (at.key.clone(), "the ticks have these"),
                None => (self.parts.spot.span.clone(), "write `args` beside `every`"),
            };
            let help = format!("its runs are told apart by {}", fields.join(", "));
            self.found.push(Diagnostic::error(title).at(self.source, span, right).help(help));
        }
        // What reads them bounds them, so that they are good here.
        args.and_then(|args| Args::of(args.clone()).ok()?.stored()).map(|args| args.to_string())
    }
}

fn number(number: f64) -> Value {
    if number.fract() == 0.0 { Value::from(number as i64) } else { Value::from(number) }
}

/// The seed's level 1: where a schedule or monitoring has nothing else written there is no place to wait.
fn default_max_waiting(policy: &Policy) -> u32 {
    let one_at_a_time = policy.monitoring || policy.schedule.is_some();
    let limited = policy.max_concurrent != Concurrency::Unlimited;
    if one_at_a_time && limited && policy.dedup.is_none() { 0 } else { DEFAULT_MAX_WAITING }
}
