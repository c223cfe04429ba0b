//! `show`: the rules of one job, all written out, and where each came from.

use std::collections::BTreeMap;

use jobstile::answer::Explained;
use jobstile::client::{JobInfo, VersionInfo};
use jobstile_core::policy::{Places, Policy, Rules};
use serde_json::{Value, json};

use crate::cmd::open::{Opened, open_or_imagine};
use crate::args::{Global, Output};
use crate::config::environment::Environment;
use crate::config::setting::shown;
use crate::error::Error;
use crate::exit::Code;
use crate::text;
use crate::text::columns::columns;
use crate::text::time::Times;
use crate::text::{json, words};

/// Next instants that are shown.
const INSTANTS: usize = 3;

/// Arguments of `show`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  jobstile show chain_state_monitor
Spells out what `overlap`, `monitoring` and defaults stand for. `jobstile config` shows a file that \
         nobody has loaded yet; this shows what is in force.")]
pub(crate) struct Args {
    /// The job
    job: String,
}

pub(crate) fn run(args: Args, global: &Global) -> Result<Code, Error> {
    let opened = open_or_imagine(global)?;
    let Some(all) = opened.client.explain(&args.job)? else { return Err(opened.no_job(&args.job)?) };
    let switches = opened.client.switches_from()?;
    let shown = Shown { opened: &opened, job: &all.job.info, switches, times: Times::here(all.overview.at), all: &all };
    let text = match global.output {
        Output::Table => shown.report()?,
        Output::Json => text::json::document(&shown.as_json()?, false),
        Output::Jsonl => json::document(&shown.as_json()?, true),
    };
    text::out(&text)?;
    shown.differs();
    Ok(Code::Done)
}

struct Shown<'a> {
    opened: &'a Opened,
    all: &'a Explained,
    job: &'a JobInfo,
    switches: Option<VersionInfo>,
    times: Times,
}

impl Shown<'_> {
    fn report(&self) -> Result<String, Error> {
        let (job, times) = (self.job, &self.times);
        let says = words::standing::says(self.all, times);
        let (Some(policy), Some(rule)) = (&job.policy, &self.all.rule) else {
            return Ok(format!("{} {says}. Its history stays: jobstile runs {0}\n", job.name));
        };
        let row = |head: &str, text: String| vec![format!("  {head}"), jobstile::text::clean(&text).into_owned()];
        let rows = [
            row("in words", words::standing::rule(rule)),
            row("now", says),
            row("next", self.next(policy)),
            row("switches", self.switches()),
            row("from", self.version()?),
        ];
        let mut settings = vec![vec!["SETTING".to_owned(), "VALUE".into(), "FROM".into()]];
        for (key, value) in flat(policy) {
            let from = jobstile::text::clean(&words::origin_of(&job.origins, &key)).into_owned();
            settings.push(vec![key, jobstile::text::clean(&shown(&value)).into_owned(), from]);
        }
        Ok(format!("{}\n{}\n{}", job.name, columns(&rows), columns(&settings)))
    }

    fn next(&self, policy: &Policy) -> String {
        let fires = self.job.fires(self.times.now(), INSTANTS);
        match policy.schedule {
            None => "when it is triggered".into(),
            Some(_) if !policy.enabled => format!("its schedule is off: {}", words::origin_of(&self.job.origins, "enabled")),
            Some(_) => {
                let fires: Vec<String> = fires.iter().map(|at| self.times.at(*at)).collect();
                format!("{} ({})", fires.join(", "), self.times.zone())
            }
        }
    }

    fn switches(&self) -> String {
        let switches = self.all.overview.switches;
        let origins = self.switches.as_ref().map_or("{}", |version| &version.origins);
        let one = |name: &str, on: bool, key: &str| {
            let from = words::origin_of(origins, key);
            format!("{name} {} ({from})", if on { "on" } else { "off" })
        };
        [
            one("deduplication", switches.deduplication, "deduplication"),
            one("aggressive", switches.aggressive, "aggressive deduplication"),
            one("stacking prevention", switches.stacking_prevention, "stacking prevention"),
        ]
        .join(" · ")
    }

    fn loaded(&self) -> Result<Option<VersionInfo>, Error> {
        let version = self.opened.client.versions(Some(self.job.version.next()), 1)?.pop();
        Ok(version.filter(|version| version.id == self.job.version))
    }

    fn version(&self) -> Result<String, Error> {
        Ok(match self.loaded()? {
            None => format!("version {}", self.job.version),
            Some(version) => {
                let at = self.times.at(version.at);
                format!("version {} of {}, loaded {at} by {}", version.id, version.owner, version.by)
            }
        })
    }

    fn as_json(&self) -> Result<Value, Error> {
        let job = self.job;
        let mut all = json::job(job, self.times.now(), INSTANTS);
        all["switches"] = json::switches(self.all.overview.switches);
        let slots = self.opened.client.slots(job.id)?;
        all["slots"] = slots.iter().map(json::slot).collect::<Vec<_>>().into();
        all["loaded"] = self.loaded()?.as_ref().map_or(Value::Null, json::version);
        all["origins"] = json::kept(Some(&job.origins));
        all["cannot_run"] = self.all.job.cannot_run.as_deref().map(words::standing::cannot_run).into();
        if let Some(policy) = &job.policy {
            let rules = policy.rules(self.all.overview.switches);
            all["policy"] = json::policy(policy).into();
            all["in_force"] = json!({
                "dedup": rules.dedup.as_ref().map(json::dedup),
                "places": places(&rules),
                "running_take_places": taking(&rules),
                "on_full": rules.on_full.as_str(),
                "final_execution_check": rules.final_check,
                "aggressive_deduplication": rules.aggressive,
            });
        }
        Ok(all)
    }

    /// Variables that are set here and say something else: they are the daemon's to read.
    fn differs(&self) {
        let Some(policy) = &self.job.policy else { return };
        let environment = Environment::of_process();
        let spelled = self.job.name.to_ascii_uppercase().replace(['-', '.'], "_");
        let every = policy.schedule.map(|schedule| schedule.every);
        let mut mistakes = vec![];
        if let Some(set) = environment.interval(&spelled, &mut mistakes).filter(|set| Some(set.value) != every) {
            text::say_line(&format!("{} says something else here, and is not in force: `serve` reads it", set.origin));
        }
        if let Some(set) = environment.enabled(&spelled, &mut mistakes).filter(|set| set.value != policy.enabled) {
            text::say_line(&format!("{} says something else here, and is not in force: `serve` reads it", set.origin));
        }
    }
}

fn places(rules: &Rules) -> u64 {
    match rules.places {
        Places::Taking(places) | Places::Waiting(places) => places,
    }
}

/// Running ones take a place as well.
fn taking(rules: &Rules) -> bool {
    matches!(rules.places, Places::Taking(_))
}

/// The policy with the keys of a configuration file, tables written out with dots.
fn flat(policy: &Policy) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    for (key, value) in json::policy(policy) {
        match value {
            Value::Object(table) if key != "args" => {
                all.extend(table.into_iter().map(|(inner, value)| (format!("{key}.{inner}"), value)));
            }
            value => drop(all.insert(key, value)),
        }
    }
    all
}
