//! The configuration: a TOML file and the environment, every value with where it came from, every mistake with its
//! place.
//!
//! [`read`] is pure: text and variables are arguments. [`mod@file`] reads the file; [`locate`] knows which one, and where
//! the store is.

pub(crate) mod diagnostic;
pub(crate) mod environment;
pub(crate) mod file;
mod handler;
pub(crate) mod job;
mod keys;
mod layer;
pub(crate) mod lint;
pub(crate) mod locate;
pub(crate) mod origin;
pub(crate) mod reader;
pub(crate) mod scenario;
pub(crate) mod schema;
pub(crate) mod setting;
pub(crate) mod suggest;
#[cfg(test)]
mod tests;
mod value;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jobstile_core::job::JobName;
use jobstile_core::policy::Switches;
use serde_json::Value;
use toml::de::DeTable;

use self::diagnostic::{Diagnostic, Failed, Source};
use self::environment::{Environment, SWITCHES, Survey};
use self::job::rules::of_the_file;
use self::job::{JobConfig, Parts};
use self::keys::TOP;
use self::layer::Layer;
use self::origin::{Origin, Section, Spot};
use self::reader::{At, Item, Reader, items, type_name};
use self::setting::{Setting, of_duration};

/// How long runs may take to finish when the daemon is asked to end.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(25);
/// How long a command that was asked to end may take before it is killed.
const KILL_AFTER: Duration = Duration::from_secs(5);

/// A configuration that can be used.
#[derive(Debug, Clone)]
pub(crate) struct Loaded {
    /// The file.
    pub(crate) source: Arc<Source>,
    /// Where the store is, as it was written; `env:NAME` is resolved.
    pub(crate) store: Option<String>,
    pub(crate) shutdown_grace: Duration,
    pub(crate) kill_after: Duration,
    /// Attempts at once in this process; `None` means by kind.
    pub(crate) workers: Option<u32>,
    pub(crate) switches: Switches,
    /// The effective values of all this, and where they came from.
    pub(crate) settings: Vec<Setting>,
    pub(crate) jobs: BTreeMap<JobName, JobConfig>,
    /// What looks wrong.
    pub(crate) warnings: Vec<Diagnostic>,
    /// What else there is in the environment.
    pub(crate) survey: Survey,
}

impl Loaded {
    /// Where each of a list of settings came from, as the store keeps it.
    pub(crate) fn origins(settings: &[Setting]) -> String {
        let source = |setting: &Setting| jobstile::origin::Source {
            origin: setting.origin.kept(),
            instead_of: setting.instead_of.as_ref().map(|(value, origin)| (value.clone(), origin.kept())),
        };
        let all = settings.iter().map(|setting| (setting.key.to_owned(), source(setting)));
        jobstile::origin::Origins(all.collect()).write()
    }
}

/// What a file says before the environment has its say.
#[derive(Debug, Clone, Default)]
struct Top {
    store: Option<At<String>>,
    shutdown_grace: Option<At<Duration>>,
    kill_after: Option<At<Duration>>,
    workers: Option<At<u32>>,
    defaults: Layer,
    jobs: BTreeMap<JobName, (Spot, Layer)>,
}

/// Reads a configuration. `folder` is the one of the file: commands run there.
///
/// # Errors
/// Everything that is wrong with it, at once.
pub(crate) fn read(source: &Arc<Source>, folder: &Path, environment: &Environment) -> Result<Loaded, Failed> {
    let table = parse(source)?;
    let mut reader = Reader::new(source);
    let top = read_top(&table, &mut reader, &[]);
    let mut found = reader.found;
    let mut jobs = BTreeMap::new();
    for (name, (spot, written)) in &top.jobs {
        let own = std::slice::from_ref(written);
        let parts = Parts { name, spot, own, defaults: &top.defaults, environment, folder: Some(folder) };
        jobs.extend(job::build(parts, &mut found).map(|job| (name.clone(), job)));
    }
    let (switches, mut settings) = switches(environment, &mut found);
    let survey = survey(top.jobs.keys(), environment, &mut found);
    let mut top_settings = vec![];
    let store = top.store.as_ref().and_then(|at| resolve(at, source, environment, &mut top_settings, &mut found));
    let mut note = |key, value: Value, origin: Option<Origin>| {
        top_settings.push(Setting::new(key, value, origin.unwrap_or(Origin::Default)));
    };
    let shutdown_grace = top.shutdown_grace.as_ref().map_or(SHUTDOWN_GRACE, |at| at.value);
    note("shutdown_grace", of_duration(shutdown_grace), top.shutdown_grace.map(|at| at.origin(source)));
    let kill_after = top.kill_after.as_ref().map_or(KILL_AFTER, |at| at.value);
    note("kill_after", of_duration(kill_after), top.kill_after.map(|at| at.origin(source)));
    let workers = top.workers.as_ref().map(|at| at.value);
    note("workers", workers.map_or("by kind".into(), Value::from), top.workers.map(|at| at.origin(source)));
    top_settings.append(&mut settings);
    if jobs.is_empty() && found.is_empty() {
        found.push(Diagnostic::warning(format!("{} has no jobs", source.name)).help("jobstile init shows two"));
    }
    let warnings = Failed::unless_good(found)?;
    let mut loaded = Loaded {
        source: Arc::clone(source),
        store,
        shutdown_grace,
        kill_after,
        workers,
        switches,
        settings: top_settings,
        jobs,
        warnings,
        survey,
    };
    lint::look(&mut loaded);
    Ok(loaded)
}

/// The text as a table.
///
/// # Errors
/// What is no TOML in it.
pub(crate) fn parse(source: &Arc<Source>) -> Result<DeTable<'_>, Failed> {
    let (table, errors) = DeTable::parse_recoverable(&source.text);
    if errors.is_empty() {
        return Ok(table.into_inner());
    }
    let found = errors.iter().map(|error| {
        let end = source.text.len();
        no_toml(source, error.message(), error.span().unwrap_or(end..end))
    });
    Err(Failed { found: found.collect() })
}

/// What the parser says, with the key it is about and what would be right, where that can be told.
fn no_toml(source: &Arc<Source>, message: &str, span: Range<usize>) -> Diagnostic {
    let word = source.text.get(span.clone()).unwrap_or_default().trim();
    let before = source.text.get(..span.start).unwrap_or_default();
    let line = before.rsplit('\n').next().unwrap_or_default();
    let key = line.split_once('=').map(|(key, _)| key.trim()).filter(|key| !key.is_empty());
    let is_bare = word.starts_with(|c: char| c.is_ascii_alphanumeric()) && !word.contains('"');
    let (title, right) = match key {
        _ if message == "duplicate key" => (format!("`{word}` is written twice"), "one of them is too many".to_owned()),
        Some(key) if word.is_empty() && message.contains("must be quoted") => {
            (format!("`{key}` has no value"), String::new())
        }
        Some(key) if is_bare => (format!("the value of `{key}` is no TOML"), format!("in quotes: \"{word}\"?")),
        Some(key) => (format!("the value of `{key}` is no TOML: {message}"), String::new()),
        None => (message.to_owned(), String::new()),
    };
    Diagnostic::error(title).at(source, span, right)
}

/// Reads the top of the file, its `[defaults]` and its jobs. `besides`: keys that somebody else reads.
fn read_top(table: &DeTable<'_>, reader: &mut Reader, besides: &[&str]) -> Top {
    let mut top = Top::default();
    for item in items(table) {
        match item.name() {
            "store" => top.store = reader.text(item, "as \"sqlite:///var/lib/jobstile/jobstile.db\""),
            "owner" => {
                let title = "`owner` is for PostgreSQL, which is not in this version yet";
                reader.wrong(item.key.span(), title, "take it out: in an SQLite store this file owns its jobs");
            }
            "shutdown_grace" => top.shutdown_grace = reader.duration(item, &of_the_file(item.name())),
            "kill_after" => top.kill_after = reader.duration(item, &of_the_file(item.name())),
            "workers" => top.workers = reader.whole(item, &of_the_file(item.name())),
            "defaults" => {
                if let Some(table) = reader.table(item, "[defaults]") {
                    reader.section = Section::Defaults;
                    top.defaults = layer::read(table, "in [defaults]", reader);
                    reader.section = Section::Own;
                }
            }
            "jobs" => {
                if let Some(table) = reader.table(item, "[jobs.NAME]") {
                    top.jobs = read_jobs(table, reader);
                }
            }
            name if besides.contains(&name) => {}
            _ => drop(TOP.unknown(item, "at the top of the file", reader)),
        }
    }
    top
}

/// Reads the tables of jobs, in which no two may have the same variables.
fn read_jobs(table: &DeTable<'_>, reader: &mut Reader) -> BTreeMap<JobName, (Spot, Layer)> {
    let mut jobs = BTreeMap::new();
    let mut spelled: BTreeMap<String, String> = BTreeMap::new();
    for item in items(table) {
        let Some(name) = job_name(item, reader) else { continue };
        let variable = name.env_name();
        if SWITCHES.contains(&variable.as_str()) {
            let title = format!("job `{name}` is spelled like a switch: JOBSTILE_{variable}_ENABLED would be both");
            reader.wrong(item.key.span(), title, "another name");
        }
        match spelled.insert(variable.clone(), name.to_string()) {
            Some(other) => {
                let title = format!("jobs `{other}` and `{name}` have the same variables, JOBSTILE_{variable}_…");
                reader.wrong(item.key.span(), title, "another name for one of them");
            }
            None => {
                let Some(table) = item.value.get_ref().as_table() else {
                    let title = format!("job `{name}` is a table, not {}", type_name(item.value.get_ref()));
                    reader.wrong(item.value.span(), title, format!("[jobs.{name}] and its keys below it"));
                    continue;
                };
                let written = layer::read(table, &format!("in job `{name}`"), reader);
                let spot = Spot { source: Arc::clone(&reader.source), span: item.key.span() };
                jobs.insert(name, (spot, written));
            }
        }
    }
    jobs
}

fn job_name(item: Item<'_>, reader: &mut Reader) -> Option<JobName> {
    match JobName::new(item.name()) {
        Ok(name) => Some(name),
        Err(error) => {
            reader.wrong(item.key.span(), error.to_string(), "another name");
            None
        }
    }
}

/// The three switches, as the environment has them.
fn switches(environment: &Environment, found: &mut Vec<Diagnostic>) -> (Switches, Vec<Setting>) {
    let keys = ["deduplication", "aggressive deduplication", "stacking prevention"];
    let mut settings = vec![];
    let mut values = [true; 3];
    for ((key, name), value) in keys.into_iter().zip(SWITCHES).zip(&mut values) {
        let reading = environment.enabled(name, found);
        *value = reading.as_ref().is_none_or(|reading| reading.value);
        settings.push(Setting::new(key, *value, reading.map_or(Origin::Default, |reading| reading.origin)));
    }
    let [deduplication, aggressive, stacking_prevention] = values;
    (Switches { deduplication, aggressive, stacking_prevention }, settings)
}

fn survey<'a>(
    jobs: impl Iterator<Item = &'a JobName>,
    environment: &Environment,
    found: &mut Vec<Diagnostic>,
) -> Survey {
    let names: BTreeSet<JobName> = jobs.cloned().collect();
    environment.survey(&names, found)
}

/// `store` with its `env:NAME` read.
fn resolve(
    at: &At<String>,
    source: &Arc<Source>,
    environment: &Environment,
    settings: &mut Vec<Setting>,
    found: &mut Vec<Diagnostic>,
) -> Option<String> {
    let Some(name) = at.value.strip_prefix("env:") else {
        settings.push(Setting::new("store", locate::without_password(&at.value), at.origin(source)));
        return Some(at.value.clone());
    };
    match environment.get(name, found) {
        Some(reading) => {
            settings.push(Setting::new("store", locate::without_password(&reading.value), reading.origin));
            Some(reading.value)
        }
        None => {
            let title = format!("`store` is in the variable {name}, which is not set");
            found.push(Diagnostic::error(title).at(source, at.span.clone(), "set it, or write the store here"));
            None
        }
    }
}
