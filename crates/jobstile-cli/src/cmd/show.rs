//! `show`: the rules of one job, all written out, and where each came from.

use std::collections::BTreeMap;

use jobstile::client::{JobInfo, RunFilter, VersionInfo};
use jobstile_core::policy::{KeyRule, Places, Policy, Rules, Switches, Until};
use jobstile_core::run::State;
use serde_json::{Value, json};

use crate::cmd::able::cannot_run;
use crate::cmd::open::{Opened, open};
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
/// Live runs that are named.
const LIVE: usize = 3;

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
    let opened = open(global)?;
    let job = opened.job(&args.job)?;
    let switches = opened.client.switches_from()?;
    let now = opened.client.now();
    let shown = Shown { opened: &opened, job: &job, switches, times: Times::here(now) };
    let text = match global.output {
        Output::Table => shown.report()?,
        Output::Json => text::json::document(&shown.as_json()?, false),
        Output::Jsonl => json::document(&shown.as_json()?, true),
    };
    text::out(&text)?;
    if job.policy.is_some() {
        shown.differs();
    }
    Ok(Code::Done)
}

struct Shown<'a> {
    opened: &'a Opened,
    job: &'a JobInfo,
    switches: Option<VersionInfo>,
    times: Times,
}

impl Shown<'_> {
    fn in_force(&self) -> Switches {
        self.switches.as_ref().and_then(|version| version.switches).unwrap_or_default()
    }

    fn report(&self) -> Result<String, Error> {
        let (job, times) = (self.job, &self.times);
        let Some(policy) = &job.policy else {
            return Ok(format!(
                "{} is not in the policy any more: version {} took it out. Its history stays: jobstile runs {0}\n",
                job.name, job.version
            ));
        };
        let rules = policy.rules(self.in_force());
        let row = |head: &str, text: String| vec![format!("  {head}"), jobstile::text::clean(&text).into_owned()];
        let mut rows = vec![row("in words", in_words(policy, &rules))];
        rows.push(row("now", self.now()?));
        if let Some(pause) = job.paused(times.now()) {
            let until = pause.until.map_or("until somebody resumes it".to_owned(), |at| format!("until {}", times.at(at)));
            let why = pause.why.as_ref().map_or(String::new(), |why| format!(": {why}"));
            rows.push(row("paused", format!("{until}, by {} {}{why}", pause.by, times.ago(pause.at))));
        }
        rows.push(row("next", self.next(policy)));
        if let Some(why) = cannot_run(self.opened)?.remove(&*job.name) {
            rows.push(row("stuck", format!("no node can run it: {why}")));
        }
        rows.push(row("switches", self.switches()));
        rows.push(row("from", self.version()?));
        let mut settings = vec![vec!["SETTING".to_owned(), "VALUE".into(), "FROM".into()]];
        for (key, value) in flat(policy) {
            let from = jobstile::text::clean(&words::origin_of(&job.origins, &key)).into_owned();
            settings.push(vec![key, jobstile::text::clean(&shown(&value)).into_owned(), from]);
        }
        Ok(format!("{}\n{}\n{}", job.name, columns(&rows), columns(&settings)))
    }

    fn now(&self) -> Result<String, Error> {
        let states = vec![State::Running, State::Retrying, State::Queued];
        let filter = RunFilter {
            job: Some(self.job.name.to_string()),
            states,
            limit: LIVE,
            ..RunFilter::default()
        };
        let runs = self.opened.client.runs(&filter)?;
        let named: Vec<String> =
            runs.iter().map(|run| format!("run {} {}", run.row.id, words::doing(run, &self.times))).collect();
        Ok(match named.as_slice() {
            [] => words::live(self.job.tally),
            named => format!("{}: {}", words::live(self.job.tally), named.join(", ")),
        })
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
        let switches = self.in_force();
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
        all["switches"] = json::switches(self.in_force());
        let slots = self.opened.client.slots(job.id)?;
        all["slots"] = slots.iter().map(json::slot).collect::<Vec<_>>().into();
        all["loaded"] = self.loaded()?.as_ref().map_or(Value::Null, json::version);
        all["origins"] = json::kept(Some(&job.origins));
        all["cannot_run"] = cannot_run(self.opened)?.remove(&*job.name).map_or(Value::Null, Value::from);
        if let Some(policy) = &job.policy {
            let rules = policy.rules(self.in_force());
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

/// The rules as one sentence.
pub(crate) fn in_words(policy: &Policy, rules: &Rules) -> String {
    if rules.aggressive && rules.dedup.is_some() {
        return "at most one live run, retries included; every other trigger is skipped (monitoring job)".into();
    }
    let slots = match policy.slots() {
        None => "any number at once".to_owned(),
        Some(1) => "one at a time".to_owned(),
        Some(n) => format!("{} at a time", words::number(n.into())),
    };
    let full = match rules.on_full.as_str() {
        "skip" => "skipped",
        _ => "rejected",
    };
    let wait = match places(rules).saturating_sub(if taking(rules) { policy.slots().unwrap_or(0).into() } else { 0 }) {
        0 => format!("none waits: what comes meanwhile is {full}"),
        n => format!("up to {} wait, what comes then is {full}", words::number(n)),
    };
    let same = match &rules.dedup {
        None => String::new(),
        Some(dedup) => {
            let same = match &dedup.key {
                KeyRule::AllArguments => " of the same arguments".to_owned(),
                KeyRule::Fields(fields) if fields.is_empty() => String::new(),
                KeyRule::Fields(fields) => format!(" of the same {}", fields.join(", ")),
            };
            let what = match dedup.until == Until::Start {
                true => format!("one{same} may wait while one runs"),
                false => format!("one{same} is live at a time"),
            };
            let then = if dedup.on_duplicate.as_str() == "fail" { "rejected" } else { "skipped" };
            format!("; {what}, others are {then}")
        }
    };
    let off = if policy.dedup.is_some() && rules.dedup.is_none() { "; its `dedup` is switched off" } else { "" };
    format!("{slots}; {wait}{same}{off}")
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
