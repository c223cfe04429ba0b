//! One job: what its tables and the environment say, put together.

mod handler;
mod rules;

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use jobstile::runner::Definition;
use jobstile_core::job::JobName;
use jobstile_core::policy::Policy;
use jobstile_core::schedule::{CatchUp, First, Schedule};
use serde_json::Value;

use crate::config::diagnostic::{Diagnostic, Source};
use crate::config::environment::Environment;
use crate::config::origin::{Origin, Section, Spot};
use crate::config::reader::At;
use crate::config::setting::{Setting, of_duration};
use crate::config::written::Written;

/// A job of the configuration.
#[derive(Debug, Clone)]
pub(crate) struct JobConfig {
    /// The rules.
    pub(crate) policy: Policy,
    /// What it runs; none in a scenario.
    pub(crate) definition: Option<Definition>,
    /// Every effective value and where it came from.
    pub(crate) settings: Vec<Setting>,
    /// The head of its table.
    pub(crate) spot: Spot,
}

impl JobConfig {
    /// One of its values.
    pub(crate) fn setting(&self, key: &str) -> Option<&Setting> {
        self.settings.iter().find(|setting| setting.key == key)
    }
}

/// What is known of a job before it is put together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts<'a> {
    pub(crate) name: &'a JobName,
    /// The head of its table.
    pub(crate) spot: &'a Spot,
    /// What was written, the most specific first. A key displaces the same key of the layers below it whole.
    pub(crate) layers: &'a [&'a Written],
    pub(crate) environment: &'a Environment,
    /// The folder of the file; none where jobs need no handler.
    pub(crate) folder: Option<&'a Path>,
}

/// Puts a job together. What is wrong is added to `found`; what can be made of it is returned all the same.
pub(crate) fn build(parts: Parts<'_>, found: &mut Vec<Diagnostic>) -> JobConfig {
    let mut job = Job { parts, source: &parts.spot.source, found, settings: vec![] };
    let (schedule, enabled) = job.schedule();
    let monitoring = job.monitoring();
    let mut policy = Policy::new(monitoring, schedule);
    policy.enabled = enabled;
    job.rules(&mut policy);
    job.attempts(&mut policy);
    policy.args = job.args(&policy);
    let definition = job.definition();
    JobConfig { policy, definition, settings: job.settings, spot: parts.spot.clone() }
}

struct Job<'a, 'f> {
    parts: Parts<'a>,
    source: &'a Arc<Source>,
    found: &'f mut Vec<Diagnostic>,
    settings: Vec<Setting>,
}

impl<'a> Job<'a, '_> {
    /// The most specific layer that has this key, and what it says.
    fn find<T>(&self, key: impl Fn(&'a Written) -> Option<&'a At<T>>) -> Option<(usize, &'a At<T>)> {
        self.parts.layers.iter().enumerate().find_map(|(layer, written)| Some((layer, key(written)?)))
    }

    /// What the most specific layer that has this key says.
    fn value<T>(&self, key: impl Fn(&'a Written) -> Option<&'a At<T>>) -> Option<&'a At<T>> {
        self.find(key).map(|(_, at)| at)
    }

    /// Where the key stands in the job's own table.
    fn own_key<T: 'a>(&self, key: impl Fn(&'a Written) -> Option<&'a At<T>>) -> Option<Range<usize>> {
        self.value(key).filter(|at| at.section == Section::Own).map(|at| at.key.clone())
    }

    /// Notes a value: as it was written, or a default.
    fn note<T>(&mut self, key: &'static str, value: impl Into<Value>, at: Option<&At<T>>) {
        let origin = at.map_or(Origin::Default, |at| at.origin(self.source));
        self.settings.push(Setting::new(key, value, origin));
    }

    /// Notes a value that the environment may override.
    fn note_over<T>(&mut self, key: &'static str, value: impl Into<Value>, by: Origin, file: Option<(Value, &At<T>)>) {
        let mut setting = Setting::new(key, value, by);
        setting.instead_of = file.map(|(value, at)| (value, at.origin(self.source)));
        self.settings.push(setting);
    }

    /// One of these keys was written in a way that cannot be read, which was said already.
    fn is_wrong(&self, keys: &[&str]) -> bool {
        self.parts.layers.iter().any(|written| keys.iter().any(|key| written.wrong.contains(*key)))
    }

    fn wrong(&mut self, span: &Range<usize>, title: String, right: &str) {
        self.found.push(Diagnostic::error(title).at(self.source, span.clone(), right));
    }

    fn name(&self) -> &'a str {
        self.parts.name.as_str()
    }

    fn schedule(&mut self) -> (Option<Schedule>, bool) {
        let spelled = self.parts.name.env_name();
        let written = self.value(|w| w.every.as_ref());
        let reading = self.parts.environment.interval(&spelled, self.found);
        let every = reading.as_ref().map(|r| r.value).or(written.map(|at| at.value));
        match reading {
            Some(reading) => {
                let file = written.map(|at| (of_duration(at.value), at));
                self.note_over("every", of_duration(reading.value), reading.origin, file);
            }
            None => self.note("every", every.map_or(Value::Null, of_duration), written),
        }
        let Some(every) = every else {
            self.means_nothing_without_a_schedule();
            return (None, self.enabled(&spelled));
        };
        let first_at = self.value(|w| w.first.as_ref());
        let first = first_at.map_or(First::Now, |at| at.value);
        self.note("first", first.as_str(), first_at);
        let catch_up_at = self.value(|w| w.catch_up.as_ref());
        let catch_up = catch_up_at.map_or(CatchUp::Latest, |at| at.value);
        self.note("catch_up", catch_up.as_str(), catch_up_at);
        (Some(Schedule { every, first, catch_up }), self.enabled(&spelled))
    }

    fn enabled(&mut self, spelled: &str) -> bool {
        let written = self.value(|w| w.enabled.as_ref());
        match self.parts.environment.enabled(spelled, self.found) {
            Some(reading) => {
                let file = written.map(|at| (at.value.into(), at));
                self.note_over("enabled", reading.value, reading.origin, file);
                reading.value
            }
            None => {
                let value = written.is_none_or(|at| at.value);
                self.note("enabled", value, written);
                value
            }
        }
    }

    /// Keys of the job's own table that only a schedule gives a meaning.
    fn means_nothing_without_a_schedule(&mut self) {
        if self.is_wrong(&["every", "cron"]) {
            return;
        }
        let spans = [
            ("first", self.own_key(|w| w.first.as_ref())),
            ("catch_up", self.own_key(|w| w.catch_up.as_ref())),
            ("args", self.own_key(|w| w.args.as_ref())),
            ("enabled", self.own_key(|w| w.enabled.as_ref())),
        ];
        for (key, span) in spans {
            let Some(span) = span else { continue };
            let title = format!("`{key}` means nothing in job `{}`, which has no schedule", self.name());
            self.found.push(Diagnostic::warning(title).at(self.source, span, "belongs to `every`"));
        }
    }
}
