//! `config`: every effective setting and where it came from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::{Map, Value, json};

use crate::args::{Global, Output};
use crate::config::Loaded;
use crate::config::diagnostic::render_all;
use crate::config::file::gather;
use crate::config::locate::Place;
use crate::config::origin::Origin;
use crate::config::schema::schema;
use crate::config::setting::{Setting, shown};
use crate::error::Error;
use crate::exit::Code;
use crate::text;
use crate::text::columns::columns;
use crate::text::json;

/// Names of variables that are shown; the others are counted.
const NAMES: usize = 6;
/// Settings of the whole that have a line of their own even where nobody wrote them.
const SHOWN: [&str; 4] = ["store", "deduplication", "aggressive deduplication", "stacking prevention"];
/// Characters of defaults in a line.
const WIDTH: usize = 84;

/// Arguments of `config`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Variables, also as AIBTC_…; <JOB> is a job's name in upper case, - and . as _:
  JOBSTILE_JOB_DEDUPLICATION_ENABLED         false: duplicates are admitted too
  JOBSTILE_AGGRESSIVE_DEDUPLICATION_ENABLED  false: monitoring jobs are ordinary
  JOBSTILE_JOB_STACKING_PREVENTION_ENABLED   false: no final execution check
  JOBSTILE_<JOB>_INTERVAL_SECONDS            the job's `every`
  JOBSTILE_<JOB>_ENABLED                     false: off, `trigger` still works
  JOBSTILE_STORE                             as --store

Example:
  jobstile config --env-file .env      what a file of variables would change
  jobstile config --schema             a JSON Schema of the file, for editors")]
pub(crate) struct Args {
    /// Also read variables from this file
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
    /// Print a JSON Schema of the configuration file, for editors
    #[arg(long, conflicts_with = "env_file")]
    schema: bool,
}

pub(crate) fn run(args: Args, global: &Global) -> Result<Code, Error> {
    if args.schema {
        text::out(&json::document(&schema(), false))?;
        return Ok(Code::Done);
    }
    let gathered = gather(global, args.env_file.as_deref())?;
    let mut loaded = gathered.read()?;
    let place = gathered.place(global, &loaded)?;
    set_store(&mut loaded, &place);
    if !loaded.warnings.is_empty() {
        text::say(&format!("{}\n\n", render_all(&loaded.warnings, text::colour_on_stderr())));
    }
    let text = match global.output {
        Output::Table => table(&loaded),
        Output::Json => json::document(&as_json(&loaded), false),
        Output::Jsonl => lines(&loaded),
    };
    text::out(&text)?;
    Ok(Code::Done)
}

/// The store where it is at last, by flag, variable, file or default.
fn set_store(loaded: &mut Loaded, place: &Place) {
    let written = loaded.settings.iter().position(|s| s.key == "store").map(|at| loaded.settings.remove(at));
    let mut setting = Setting::new("store", place.store.display().to_string(), place.origin.clone());
    setting.instead_of = written.filter(|s| s.origin != place.origin).map(|s| (s.value, s.origin));
    loaded.settings.insert(0, setting);
}

/// A line for each value that somebody gave. Defaults are folded: those that are the same for every job into one line.
fn table(loaded: &Loaded) -> String {
    let always = |setting: &Setting| setting.origin != Origin::Default || SHOWN.contains(&setting.key);
    let (given, defaults): (Vec<&Setting>, Vec<&Setting>) = loaded.settings.iter().partition(|s| always(s));
    let mut rows: Vec<Vec<String>> = given.into_iter().map(|s| row(s.key.to_owned(), s)).collect();
    rows.extend(folded("all else", &defaults));
    let common = common_defaults(loaded);
    for (name, job) in &loaded.jobs {
        let is_common = |s: &Setting| s.origin == Origin::Default && common.contains_key(s.key);
        let own = job.settings.iter().filter(|s| !is_common(s) && s.shown() != "-");
        rows.extend(own.map(|s| row(format!("{name}.{}", s.key), s)));
    }
    rows.extend(folded("all else, of every job", &common.into_values().collect::<Vec<_>>()));
    let survey = &loaded.survey;
    let mut more = vec![];
    if !survey.no_job.is_empty() {
        more.push(vec!["no job of that name".into(), names(&survey.no_job)]);
    }
    if !survey.foreign.is_empty() {
        more.push(vec!["not ours, not read".into(), format!("{} (values not shown)", names(&survey.foreign))]);
    }
    for (i, sentence) in survey.read_differently.iter().enumerate() {
        let head = if i == 0 { "read differently before" } else { "" };
        more.push(vec![head.into(), sentence.clone()]);
    }
    let gap = if more.is_empty() { "" } else { "\n" };
    format!("{}{gap}{}", columns(&rows), columns(&more))
}

fn row(name: String, setting: &Setting) -> Vec<String> {
    let mut origin = setting.origin.to_string();
    if let Some((value, from)) = &setting.instead_of {
        origin.push_str(&format!("   ({}: {})", from.word(), shown(value)));
    }
    vec![name, setting.shown(), origin]
}

/// Defaults that are the same for every job that has them, in the order of their keys.
fn common_defaults(loaded: &Loaded) -> BTreeMap<&'static str, &Setting> {
    let mut common: BTreeMap<&'static str, &Setting> = BTreeMap::new();
    let mut differ = BTreeSet::new();
    let all = loaded.jobs.values().flat_map(|job| &job.settings);
    for setting in all.filter(|setting| setting.origin == Origin::Default) {
        let first = common.entry(setting.key).or_insert(setting);
        if first.value != setting.value {
            differ.insert(setting.key);
        }
    }
    common.retain(|key, _| !differ.contains(key));
    common
}

/// Defaults together, in lines.
fn folded(name: &str, settings: &[&Setting]) -> Vec<Vec<String>> {
    let mut lines: Vec<String> = vec![];
    for setting in settings.iter().filter(|setting| setting.shown() != "-") {
        let one = format!("{} = {}", setting.key, setting.shown());
        match lines.last_mut() {
            Some(line) if line.len() + one.len() <= WIDTH => line.push_str(&format!(", {one}")),
            _ => lines.push(one),
        }
    }
    let last = lines.len().saturating_sub(1);
    let rows = lines.into_iter().enumerate().map(|(i, line)| {
        let name = if i == 0 { name } else { "" };
        vec![name.to_owned(), format!("{line}{}", if i == last { "   (default)" } else { "," })]
    });
    rows.collect()
}

fn names(all: &[String]) -> String {
    let some = all.iter().take(NAMES).map(String::as_str).collect::<Vec<_>>().join(", ");
    match all.len().checked_sub(NAMES) {
        None | Some(0) => some,
        Some(more) => format!("{some} and {more} more"),
    }
}

fn as_json(loaded: &Loaded) -> Value {
    let object = |settings: &[Setting]| -> Map<String, Value> {
        settings.iter().map(|setting| (setting.key.to_owned(), setting.to_json())).collect()
    };
    let jobs: Map<String, Value> =
        loaded.jobs.iter().map(|(name, job)| (name.to_string(), object(&job.settings).into())).collect();
    json!({
        "file": loaded.source.name,
        "settings": object(&loaded.settings),
        "jobs": jobs,
        "no_job_of_that_name": loaded.survey.no_job,
        "not_ours": loaded.survey.foreign,
        "read_differently_before": loaded.survey.read_differently,
    })
}

fn lines(loaded: &Loaded) -> String {
    let jobs = loaded.jobs.iter().flat_map(|(name, job)| job.settings.iter().map(move |s| (format!("{name}.{}", s.key), s)));
    let all = loaded.settings.iter().map(|s| (s.key.to_owned(), s)).chain(jobs);
    all
        .map(|(name, setting)| {
            let mut json = setting.to_json();
            json["setting"] = name.into();
            json::document(&json, true)
        })
        .collect()
}
