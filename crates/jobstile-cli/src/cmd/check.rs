//! `check`: is the configuration good, what looks wrong, and when do its jobs fire next?

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use jobstile::client::{Client, JobInfo};
use jobstile::clock::Clock;
use jobstile::runner::{Context, Runners};
use jobstile_core::job::JobName;
use jobstile_core::schedule::Schedule;
use jobstile_core::time::Time;
use serde_json::{Value, json};

use crate::args::{Global, Output};
use crate::cmd::first;
use crate::config::diagnostic::{Diagnostic, Failed, Severity, render_all};
use crate::config::file::gather;
use crate::config::job::JobConfig;
use crate::config::lint;
use crate::config::locate::Place;
use crate::config::Loaded;
use crate::error::Error;
use crate::exit::Code;
use crate::text;
use crate::text::columns::columns;
use crate::text::json;
use crate::text::time::{Times, rfc3339};

/// Next instants that are shown.
const INSTANTS: u32 = 3;

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  jobstile check --env-file .env     with the variables of a file
Exits with 78 if there is an error, with 0 if there are only warnings.")]
pub(crate) struct Args {
    /// Also read variables from this file
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
}

pub(crate) fn run(args: Args, global: &Global) -> Result<Code, Error> {
    let gathered = gather(global, args.env_file.as_deref())?;
    let mut loaded = match gathered.read() {
        Ok(loaded) => loaded,
        Err(failed) if global.output == Output::Table => return Err(counted(&failed)),
        Err(failed) => {
            text::out(&diagnostics(&failed.found, global.output))?;
            return Ok(Code::Configuration);
        }
    };
    let place = gathered.place(global, &loaded)?;
    lint::look_around(&mut loaded, &runners());
    let known = known(&mut loaded, &place);
    let starting = first::start_now(&loaded, |name| !has_instants(&known, name));
    let starts: Vec<String> = starting.iter().map(|(name, _)| (*name).to_owned()).collect();
    let mut seldom = first::warnings(&starting);
    loaded.warnings.append(&mut seldom);
    let times = Times::here(Clock::system().now());
    let forecast = Forecast { loaded: &loaded, place: &place, known: &known, starts: &starts, times };
    if global.output != Output::Table {
        text::out(&forecast.as_json(global.output))?;
        return Ok(Code::Done);
    }
    if !loaded.warnings.is_empty() {
        text::say(&format!("{}\n\n", render_all(&loaded.warnings, text::colour_on_stderr())));
    }
    text::out(&forecast.report())?;
    Ok(Code::Done)
}

/// What the store knows of its jobs; nothing where there is no store yet.
fn known(loaded: &mut Loaded, place: &Place) -> BTreeMap<Arc<str>, JobInfo> {
    if matches!(place.store.try_exists(), Ok(false)) {
        return BTreeMap::new();
    }
    match Client::open(&place.store).and_then(|client| client.jobs()) {
        Ok(jobs) => jobs.into_iter().map(|job| (Arc::clone(&job.name), job)).collect(),
        Err(error) => {
            let warning = Diagnostic::warning(format!("the store cannot be asked for its schedules: {error}"));
            loaded.warnings.push(warning.help("the times below are those of a first start now"));
            BTreeMap::new()
        }
    }
}

/// Runners that are asked what they could run, and start nothing.
fn runners() -> Runners {
    let keeper = Some(PathBuf::from("/proc/self/exe"));
    Runners::new(Context { keeper, ..Context::new("check", std::env::temp_dir()) })
}

/// The errors, and how many there are.
fn counted(failed: &Failed) -> Error {
    let errors = failed.found.iter().filter(|d| d.severity == Severity::Error).count();
    let warnings = failed.found.len() - errors;
    let text = failed.render(text::colour_on_stderr());
    Error::problems(Code::Configuration, failed.problems(format!("{text}\n\n{}", count(errors, warnings))))
}

fn count(errors: usize, warnings: usize) -> String {
    let many = |n, what: &str| match n {
        0 => format!("no {what}s"),
        1 => format!("1 {what}"),
        n => format!("{n} {what}s"),
    };
    match errors {
        0 => many(warnings, "warning"),
        _ if warnings == 0 => many(errors, "error"),
        _ => format!("{}, {}", many(errors, "error"), many(warnings, "warning")),
    }
}

/// A good configuration, and what is to be said about it.
struct Forecast<'a> {
    loaded: &'a Loaded,
    place: &'a Place,
    /// Jobs that the store knows.
    known: &'a BTreeMap<Arc<str>, JobInfo>,
    /// Jobs that start as soon as they are loaded.
    starts: &'a [String],
    times: Times,
}

impl Forecast<'_> {
    fn report(&self) -> String {
        let (loaded, place) = (self.loaded, self.place);
        let jobs = match loaded.jobs.len() {
            1 => "1 job".to_owned(),
            n => format!("{n} jobs"),
        };
        let mut text = format!("{} is good: {jobs}, {}\n", loaded.source.name, count(0, loaded.warnings.len()));
        text.push_str(&format!("store  {} ({})\n", place.store.display(), place.origin));
        if !self.starts.is_empty() {
            text.push_str(&format!("starts now: {}\n", self.starts.join(", ")));
        }
        if loaded.jobs.is_empty() {
            return text;
        }
        let mut rows = vec![vec!["JOB".into(), "EVERY".into(), format!("NEXT, in {}", self.times.zone())]];
        for (name, job) in &loaded.jobs {
            let every = job.policy.schedule.map_or("-".into(), |_| shown(job, "every"));
            rows.push(vec![name.to_string(), every, self.next(name, job)]);
        }
        format!("{text}\n{}\n{}", columns(&rows), self.below())
    }

    /// The time now, and for which jobs it counts as the first.
    fn below(&self) -> String {
        let fires = |job: &JobConfig| job.policy.schedule.is_some() && job.policy.enabled;
        let names = |is_new: bool| {
            let jobs = self.loaded.jobs.iter().filter(|(name, job)| fires(job) && is_new != has_instants(self.known, name.as_str()));
            jobs.map(|(name, _)| name.as_str()).collect::<Vec<_>>()
        };
        let now = self.times.moment();
        match (names(true).as_slice(), names(false).as_slice()) {
            ([], []) => String::new(),
            ([], _) => format!("now it is {now}\n"),
            (_, []) => format!("as on a first start now, {now}\n"),
            (new, _) => format!("now it is {now}; new to the store, so as on a start now: {}\n", new.join(", ")),
        }
    }

    /// When a job fires, or why it does not.
    fn next(&self, name: &JobName, job: &JobConfig) -> String {
        match job.policy.schedule {
            None => "when it is triggered".into(),
            Some(_) if !job.policy.enabled => {
                let why = job.setting("enabled").map_or(String::new(), |setting| setting.origin.to_string());
                format!("off: enabled = false ({why})")
            }
            Some(schedule) => {
                let shown = self.instants(name, schedule).into_iter().map(|at| self.times.at(at));
                shown.collect::<Vec<_>>().join(", ")
            }
        }
    }

    /// The next instants of a schedule if it were put into force now.
    fn instants(&self, name: &JobName, schedule: Schedule) -> Vec<Time> {
        let known = self.known.get(name.as_str());
        let old = known.and_then(|job| job.policy.as_ref()?.schedule);
        let (next, last) = known.map_or((None, None), |job| (job.next_at, job.last_at));
        let cursor = schedule.pass(schedule.put(old.as_ref(), next, last, self.times.now()), self.times.now());
        (0..INSTANTS).map(|n| cursor.next.plus(schedule.every.saturating_mul(n))).collect()
    }

    fn as_json(&self, output: Output) -> String {
        let jobs = self.loaded.jobs.iter().map(|(name, job)| {
            let enabled = job.policy.enabled;
            let schedule = job.policy.schedule.filter(|_| enabled);
            let next = schedule.map_or(vec![], |schedule| self.instants(name, schedule));
            let next: Vec<String> = next.into_iter().map(rfc3339).collect();
            json!({
                "job": name.as_str(),
                "every": job.setting("every").map(|setting| &setting.value),
                "enabled": enabled,
                "timezone": self.times.zone(),
                "next": next,
            })
        });
        let warnings = self.loaded.warnings.iter().map(Diagnostic::to_json);
        if output == Output::Jsonl {
            return warnings.chain(jobs).map(|one| json::document(&one, true)).collect();
        }
        let all = json!({
            "good": true,
            "file": self.loaded.source.name,
            "store": self.place.store,
            "starts_now": self.starts,
            "jobs": jobs.collect::<Vec<_>>(),
            "diagnostics": warnings.collect::<Vec<_>>(),
        });
        json::document(&all, false)
    }
}

/// Whether the store knows a schedule of this job.
fn has_instants(known: &BTreeMap<Arc<str>, JobInfo>, name: &str) -> bool {
    known.get(name).is_some_and(|job| job.next_at.or(job.last_at).is_some())
}

fn shown(job: &JobConfig, key: &str) -> String {
    job.setting(key).map_or(String::new(), |setting| setting.shown())
}

fn diagnostics(found: &[Diagnostic], output: Output) -> String {
    let all: Vec<Value> = found.iter().map(Diagnostic::to_json).collect();
    match output {
        Output::Jsonl => all.iter().map(|one| json::document(one, true)).collect(),
        _ => json::document(&json!({ "good": false, "diagnostics": all }), false),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use insta::assert_snapshot;
    use jobstile_core::id::{JobId, Version};

    use super::*;
    use crate::config::diagnostic::Source;
    use crate::config::environment::Environment;
    use crate::config::origin::Origin;

    /// Fifty seconds before midnight.
    #[test]
    fn times_of_another_day_say_so() {
        let file = "[defaults]\ncommand = [\"df\"]\ntimeout = \"5m\"\n[jobs.daily]\nevery = \"1d\"\n\
                    [jobs.later]\nevery = \"1m 30s\"\nfirst = \"after_interval\"\n[jobs.off]\nevery = \"30s\"\nenabled = false\n\
                    [jobs.soon]\nevery = \"30s\"\n";
        let source = Source::new("jobstile.toml", file);
        let loaded = crate::config::read(&source, Path::new("/srv/app"), &Environment::default());
        let loaded = loaded.unwrap_or_else(|failed| panic!("{}", failed.render(false)));
        let place = Place { config: None, store: "a.db".into(), origin: Origin::Default };
        let now = Time(1_795_478_350_000_000);
        let times = |zone: &str| Times::in_zone(now, zone);
        let known = BTreeMap::new();
        let forecast =
            Forecast { loaded: &loaded, place: &place, known: &known, starts: &[], times: times("UTC") };
        assert_snapshot!(format!("{}{}", forecast.report(), forecast.as_json(Output::Jsonl)));

        // In the store: one as it is here, one that fired every 20 s until now, one that was looked at long ago.
        let job = |name: &str, every: u64, next: Option<u64>, last: u64| {
            let mut policy = loaded.jobs[name].policy.clone();
            policy.schedule = policy.schedule.map(|s| Schedule { every: Duration::from_secs(every), ..s });
            let info = JobInfo {
                id: JobId(1),
                name: name.into(),
                policy: Some(policy),
                damage: None,
                owner: None,
                version: Version(1),
                origins: "{}".into(),
                next_at: next.map(|seconds| now.plus(Duration::from_secs(seconds))),
                last_at: Some(now.minus(Duration::from_secs(last))),
                pause: None,
                tally: jobstile_core::decide::Tally::default(),
            };
            (Arc::from(name), info)
        };
        let mut known = BTreeMap::from([
            job("daily", 86_400, Some(3), 86_397),
            job("soon", 20, Some(15), 5),
            job("later", 90, None, 100),
        ]);
        let mixed = Forecast { known: &known, times: times("UTC"), ..forecast };
        assert_snapshot!("instants_of_the_store", mixed.report());
        known.retain(|name, _| **name == *"soon");
        assert_snapshot!("some_instants_of_the_store", Forecast { known: &known, times: times("UTC"), ..forecast }.below());
        // In the zone of whoever asks.
        let rome = Forecast { known: &known, times: times("Europe/Rome"), ..forecast }.report();
        assert!(rome.contains("NEXT, in CET") && rome.contains("now it is") && rome.contains("CET"), "{rome}");
    }
}
