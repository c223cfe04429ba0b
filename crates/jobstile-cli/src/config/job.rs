//! One job: what its tables and the environment say, put together.

mod handler;
pub(crate) mod rules;

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use jobstile::runner::Definition;
use jobstile_core::job::JobName;
use jobstile_core::policy::Policy;
use serde_json::Value;

use crate::config::diagnostic::{Diagnostic, Source};
use crate::config::environment::Environment;
use crate::config::handler::Work;
use crate::config::layer::Layer;
use crate::config::origin::{Origin, Section, Spot};
use crate::config::reader::At;
use crate::config::setting::Setting;

/// A job of the configuration.
#[derive(Debug, Clone)]
pub(crate) struct JobConfig {
    /// The rules.
    pub(crate) policy: Policy,
    /// What it runs; none in a scenario.
    pub(crate) definition: Option<Definition>,
    /// Whether the log may quote what it prints.
    pub(crate) log_output: bool,
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

    /// As it was written, if somebody wrote it.
    pub(crate) fn written(&self, key: &str) -> Option<String> {
        self.setting(key).filter(|setting| setting.origin != Origin::Default).map(Setting::shown)
    }
}

/// What is known of a job before it is put together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts<'a> {
    pub(crate) name: &'a JobName,
    /// The head of its table.
    pub(crate) spot: &'a Spot,
    /// What was written of the job itself, the newest first.
    pub(crate) own: &'a [Layer],
    /// `[defaults]`.
    pub(crate) defaults: &'a Layer,
    pub(crate) environment: &'a Environment,
    /// The folder of the file; none where jobs need no handler.
    pub(crate) folder: Option<&'a Path>,
}

/// Puts a job together. What is wrong is added to `found`; `None` means that it has no policy.
pub(crate) fn build(parts: Parts<'_>, found: &mut Vec<Diagnostic>) -> Option<JobConfig> {
    let mut job = Job { parts, source: &parts.spot.source, found, settings: vec![], instead: vec![] };
    let written = job.written();
    job.means_nothing_without_a_schedule(&written);
    let policy = job.policy(&written);
    if let Some(policy) = &policy {
        job.note_policy(&written, policy);
    }
    let definition = job.definition();
    let log_output = job.log_output();
    Some(JobConfig { policy: policy?, definition, log_output, settings: job.settings, spot: parts.spot.clone() })
}

struct Job<'a, 'f> {
    parts: Parts<'a>,
    source: &'a Arc<Source>,
    found: &'f mut Vec<Diagnostic>,
    settings: Vec<Setting>,
    /// What the environment says: of which key, the value of the file, and the variable.
    instead: Vec<(&'static str, Option<Value>, Origin)>,
}

impl<'a> Job<'a, '_> {
    /// Everything that was written, the most specific first.
    fn layers(&self) -> impl Iterator<Item = &'a Layer> {
        self.parts.own.iter().chain([self.parts.defaults])
    }

    /// What the most specific layer that has this key says.
    fn work<T>(&self, key: impl Fn(&'a Work) -> Option<&'a At<T>>) -> Option<&'a At<T>> {
        self.layers().find_map(|layer| key(&layer.work))
    }

    /// Where the key stands in the job's own table.
    fn own_key<T: 'a>(&self, key: impl Fn(&'a Work) -> Option<&'a At<T>>) -> Option<Range<usize>> {
        self.work(key).filter(|at| at.section == Section::Own).map(|at| at.key.clone())
    }

    /// Notes a value: as it was written, or a default.
    fn note<T>(&mut self, key: &'static str, value: impl Into<Value>, at: Option<&At<T>>) {
        let origin = at.map_or(Origin::Default, |at| at.origin(self.source));
        self.settings.push(Setting::new(key, value, origin));
    }

    /// One of these keys was written in a way that cannot be read, which was said already.
    fn is_wrong(&self, keys: &[&str]) -> bool {
        self.layers().any(|layer| keys.iter().any(|key| layer.wrong.contains(*key)))
    }

    fn wrong(&mut self, span: &Range<usize>, title: String, right: &str) {
        self.found.push(Diagnostic::error(title).at(self.source, span.clone(), right));
    }

    fn name(&self) -> &'a str {
        self.parts.name.as_str()
    }
}
