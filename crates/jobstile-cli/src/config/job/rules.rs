//! The rules of a job: what its layers and the environment come to, and where each value came from.

use jobstile_core::policy::keys::{self, Table, Takes};
use jobstile_core::policy::{MONITORING, Mistake, Policy, Why, Written};
use serde_json::Value;

use super::Job;
use crate::config::diagnostic::Diagnostic;
use crate::config::origin::{Origin, Section};
use crate::config::reader::At;
use crate::config::setting::{Setting, of_duration};
use crate::text::json::plain;

impl<'a> Job<'a, '_> {
    /// What was written of the job, in its own tables, the defaults and the environment. Notes what the environment
    /// says instead of the file.
    pub(super) fn written(&mut self) -> Written {
        let own = self.parts.own.iter().fold(Written::default(), |newer, layer| newer.or(layer.written.clone()));
        let mut written = own.over(&self.parts.defaults.written);
        let spelled = self.parts.name.env_name();
        if let Some(reading) = self.parts.environment.interval(&spelled, self.found) {
            self.instead.push(("every", written.every.map(of_duration), reading.origin));
            written.every = Some(reading.value);
        }
        if let Some(reading) = self.parts.environment.enabled(&spelled, self.found) {
            self.instead.push(("enabled", written.enabled.map(Value::from), reading.origin));
            written.enabled = Some(reading.value);
        }
        written
    }

    /// The policy, with what is wrong with it shown in the file.
    pub(super) fn policy(&mut self, written: &Written) -> Option<Policy> {
        match written.policy(self.name()) {
            Ok(policy) => Some(policy),
            Err(mistakes) => {
                for mistake in mistakes {
                    self.show(&mistake);
                }
                None
            }
        }
    }

    fn show(&mut self, mistake: &Mistake) {
        let Mistake { field, why } = mistake;
        if let Why::NoKey { .. } = why
            && self.is_wrong(&["args"])
        {
            return;
        }
        let name = self.name();
        let error = Diagnostic::error(mistake.title(name));
        let error = match (self.stands(field), why) {
            (Some(at), Why::OutOfRange(_) | Why::DelayAboveMax { .. }) => {
                error.at(self.source, at.span.clone(), why.right())
            }
            (Some(at), _) => error.at(self.source, at.key.clone(), why.right()),
            (None, _) => error.at(self.source, self.parts.spot.span.clone(), why.right()),
        };
        self.found.push(why.help(name).into_iter().fold(error, Diagnostic::help));
    }

    /// Where the most specific layer that has this key has it.
    fn stands(&self, path: &str) -> Option<&'a At<()>> {
        self.layers().find_map(|layer| layer.places.get(path))
    }

    /// Notes every value of the policy, and where it came from.
    pub(super) fn note_policy(&mut self, written: &Written, policy: &Policy) {
        for (path, value) in keys::values(policy) {
            let mut setting = Setting::new(path, plain(&value), self.origin(path, written));
            if let Some(at) = self.instead.iter().position(|(instead, ..)| *instead == path) {
                let (_, value, origin) = self.instead.swap_remove(at);
                let file = self.stands(path).map(|at| at.origin(self.source));
                setting.origin = origin;
                setting.instead_of = value.zip(file);
            }
            self.settings.push(setting);
        }
    }

    fn origin(&self, path: &str, written: &Written) -> Origin {
        let says = |written: &Written| {
            let mut all = keys::KEYS.iter().filter(|key| key.path == path).filter_map(|key| key.field());
            all.any(|field| (field.written)(written).is_some())
        };
        if says(written)
            && let Some(at) = self.stands(path)
        {
            return at.origin(self.source);
        }
        // By `overlap`, which may have been written out where a key beside it was displaced.
        let overlap = self.layers().find_map(|layer| Some((layer.written.overlap?, layer.places.get("overlap")?)));
        match overlap {
            Some((word, at)) if says(&word.writes()) && (written.overlap.is_some() || says(written)) => {
                at.origin(self.source)
            }
            _ if path == "monitoring" && MONITORING.contains(&self.name()) => Origin::BuiltInList,
            _ => Origin::Default,
        }
    }

    /// Keys of the job's own table that only a schedule gives a meaning.
    pub(super) fn means_nothing_without_a_schedule(&mut self, written: &Written) {
        if written.every.is_some() || self.is_wrong(&["every", "cron"]) {
            return;
        }
        for key in ["first", "catch_up", "args", "enabled"] {
            let Some(at) = self.stands(key).filter(|at| at.section == Section::Own) else { continue };
            let title = format!("`{key}` means nothing in job `{}`, which has no schedule", self.name());
            self.found.push(Diagnostic::warning(title).at(self.source, at.key.clone(), "belongs to `every`"));
        }
    }
}

/// The bounds of a key at the top of the file.
pub(crate) fn of_the_file(name: &str) -> Takes {
    keys::find(Table::File, name).map_or(Takes::Text, |key| key.takes)
}
