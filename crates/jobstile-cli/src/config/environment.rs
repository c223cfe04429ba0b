//! The environment: the process's variables and those of `--env-file`, and what of them is ours.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jobstile::runner::variables::{self, Mistake};
use jobstile_core::job::JobName;

use crate::config::diagnostic::{Diagnostic, Source};
use crate::config::origin::{Origin, Spot};
use crate::config::suggest::nearest;
use crate::text::duration::LONGEST;

/// The switches, without prefix and `_ENABLED`.
pub(crate) const SWITCHES: [&str; 3] = ["JOB_DEDUPLICATION", "AGGRESSIVE_DEDUPLICATION", "JOB_STACKING_PREVENTION"];
/// What a job's variables end in.
const ENABLED: &str = "_ENABLED";
const INTERVAL: &str = "_INTERVAL_SECONDS";
/// Ours and no part of the configuration, or given to commands: a command may call `jobstile` itself.
const ALSO_OURS: [&str; 8] = ["STORE", "LOG", "JOB", "RUN_ID", "ATTEMPT", "FENCE", "NODE", "ARGS"];
/// The canonical prefix first.
const PREFIXES: [&str; 2] = ["JOBSTILE_", "AIBTC_"];

/// Variables with where they came from. One name may have several values: one of the process, one of a file.
#[derive(Debug, Clone, Default)]
pub(crate) struct Environment {
    variables: BTreeMap<String, Vec<Variable>>,
}

/// One value of a variable.
#[derive(Debug, Clone)]
struct Variable {
    value: String,
    /// Where it stands in an environment file.
    spot: Option<Spot>,
}

/// A variable that was read as what it stands for.
#[derive(Debug, Clone)]
pub(crate) struct Reading<T> {
    pub(crate) value: T,
    pub(crate) origin: Origin,
}

/// What else there is in the environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Survey {
    /// Named like a job's variable, of a job that does not exist.
    pub(crate) no_job: Vec<String>,
    /// `AIBTC_…` variables that belong to someone else.
    pub(crate) foreign: Vec<String>,
    /// What the predecessor read differently, in a sentence.
    pub(crate) read_differently: Vec<String>,
}

impl Environment {
    /// The variables of a process.
    pub(crate) fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let one = |value| vec![Variable { value, spot: None }];
        Self { variables: variables.into_iter().map(|(name, value)| (name, one(value))).collect() }
    }

    /// The variables of this process. What is not UTF-8 keeps its name but cannot be read.
    pub(crate) fn of_process() -> Self {
        Self::new(
            std::env::vars_os()
                .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned())),
        )
    }

    /// Adds those of an environment file.
    pub(crate) fn add_file(&mut self, source: &Arc<Source>, mistakes: &mut Vec<Diagnostic>) {
        let (entries, wrong) = variables::read(&source.text);
        for Mistake { what, span, right } in wrong {
            mistakes.push(Diagnostic::error(what).at(source, span, right));
        }
        for entry in entries {
            let spot = Some(Spot { source: Arc::clone(source), span: entry.span });
            self.variables.entry(entry.name).or_default().push(Variable { value: entry.value, spot });
        }
    }

    /// The variables of environment files, for commands that are given variables by `pass_env`.
    pub(crate) fn of_files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables.iter().filter_map(|(name, values)| {
            let last = values.iter().rfind(|variable| variable.spot.is_some())?;
            Some((name.as_str(), last.value.as_str()))
        })
    }

    /// Sets a variable, whatever it was.
    pub(crate) fn set(&mut self, name: &str, value: &str, spot: Spot) {
        self.variables.insert(name.to_owned(), vec![Variable { value: value.to_owned(), spot: Some(spot) }]);
    }

    /// Any variable by its name; empty is unset. Two values that differ are a mistake.
    pub(crate) fn get(&self, name: &str, mistakes: &mut Vec<Diagnostic>) -> Option<Reading<String>> {
        self.one([name.to_owned()], mistakes, |text| {
            if text.contains('\u{fffd}') { Err(Unreadable::new("is not UTF-8", "")) } else { Ok(text.to_owned()) }
        })
    }

    /// `…<name>_ENABLED`, in both spellings.
    pub(crate) fn enabled(&self, name: &str, mistakes: &mut Vec<Diagnostic>) -> Option<Reading<bool>> {
        self.one(PREFIXES.map(|prefix| format!("{prefix}{name}{ENABLED}")), mistakes, boolean)
    }

    /// `…<name>_INTERVAL_SECONDS`, in both spellings.
    pub(crate) fn interval(&self, name: &str, mistakes: &mut Vec<Diagnostic>) -> Option<Reading<Duration>> {
        self.one(PREFIXES.map(|prefix| format!("{prefix}{name}{INTERVAL}")), mistakes, seconds)
    }

    fn one<T: PartialEq>(
        &self,
        names: impl IntoIterator<Item = String>,
        mistakes: &mut Vec<Diagnostic>,
        read: impl Fn(&str) -> Result<T, Unreadable>,
    ) -> Option<Reading<T>> {
        let mut first: Option<(Reading<T>, String, &Variable)> = None;
        for name in names {
            for variable in self.variables.get(&name).into_iter().flatten().filter(|v| !v.value.is_empty()) {
                let value = match read(variable.value.trim()) {
                    Ok(value) => value,
                    Err(Unreadable { what, right }) => {
                        let title = format!("{name}={} {what}", variable.value);
                        mistakes.push(variable.mark(Diagnostic::error(title), right));
                        continue;
                    }
                };
                match &first {
                    None => {
                        let origin = Origin::Variable(name.clone(), variable.spot.clone());
                        first = Some((Reading { value, origin }, name.clone(), variable));
                    }
                    Some((reading, _, _)) if reading.value == value => {}
                    Some((_, other_name, other)) => {
                        mistakes.push(contradiction((&name, variable), (other_name, other)))
                    }
                }
            }
        }
        first.map(|(reading, _, _)| reading)
    }

    /// Looks at all `JOBSTILE_…` and `AIBTC_…` variables: an unknown one of ours is an error, a near miss a warning.
    pub(crate) fn survey(&self, jobs: &BTreeSet<JobName>, found: &mut Vec<Diagnostic>) -> Survey {
        let spelled: BTreeMap<String, &JobName> = jobs.iter().map(|job| (job.env_name(), job)).collect();
        let mut survey = Survey::default();
        for (name, values) in &self.variables {
            let Some(variable) = values.iter().find(|v| !v.value.is_empty() || values.len() == 1) else { continue };
            if let Some(rest) = name.strip_prefix("JOBSTILE_") {
                let chooses_a_bug = cfg!(feature = "bugs") && rest == "BUG";
                if !variable.value.is_empty() && !is_ours(rest, &spelled) && !chooses_a_bug {
                    found.push(unknown(name, rest, variable, &spelled));
                }
            } else if let Some(rest) = name.strip_prefix("AIBTC_") {
                theirs(name, rest, variable, &spelled, &mut survey, found);
            }
        }
        survey
    }
}

impl Variable {
    fn mark(&self, diagnostic: Diagnostic, right: &str) -> Diagnostic {
        match &self.spot {
            Some(spot) => diagnostic.at(&spot.source, spot.span.clone(), right),
            None if right.is_empty() => diagnostic,
            None => diagnostic.help(right),
        }
    }

    fn place(&self) -> String {
        self.spot.as_ref().map_or("environment".into(), |spot| format!("{}:{}", spot.source.name, spot.line()))
    }
}

struct Unreadable {
    what: &'static str,
    right: &'static str,
}

impl Unreadable {
    fn new(what: &'static str, right: &'static str) -> Self {
        Self { what, right }
    }
}

fn boolean(text: &str) -> Result<bool, Unreadable> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err(Unreadable::new("is neither true nor false", "true or false (also 1, 0, yes, no, on, off)")),
    }
}

fn seconds(text: &str) -> Result<Duration, Unreadable> {
    let right = "a positive whole number, as 90";
    let number = text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u64>().ok()).flatten();
    match number.map(Duration::from_secs) {
        None => Err(Unreadable::new("is not a whole number of seconds", right)),
        Some(Duration::ZERO) => Err(Unreadable::new("is not an interval", right)),
        Some(interval) if interval > LONGEST => Err(Unreadable::new("is more than ten years", right)),
        Some(interval) => Ok(interval),
    }
}

fn contradiction((a_name, a): (&str, &Variable), (b_name, b): (&str, &Variable)) -> Diagnostic {
    let (title, help) = if a_name == b_name {
        (
            format!(
                "{a_name}={} ({}) and {b_name}={} ({}) contradict each other",
                b.value,
                b.place(),
                a.value,
                a.place()
            ),
            "these are two values of one variable: take one away",
        )
    } else {
        (
            format!("{a_name}={} and {b_name}={} contradict each other", a.value, b.value),
            if a_name.ends_with(INTERVAL) {
                "they are two names of one interval: unset one"
            } else {
                "they are two names of one switch: unset one"
            },
        )
    };
    let spot = a.spot.as_ref().or(b.spot.as_ref());
    let diagnostic = Diagnostic::error(title).help(help);
    match spot {
        Some(spot) => diagnostic.at(&spot.source, spot.span.clone(), ""),
        None => diagnostic,
    }
}

/// What a variable of the form `<name>_ENABLED` or `<name>_INTERVAL_SECONDS` is about.
fn about(rest: &str) -> Option<(&str, &str)> {
    let ending = [INTERVAL, ENABLED].into_iter().find(|ending| rest.ends_with(ending))?;
    Some((rest.strip_suffix(ending)?, ending)).filter(|(name, _)| !name.is_empty())
}

fn is_ours(rest: &str, jobs: &BTreeMap<String, &JobName>) -> bool {
    ALSO_OURS.contains(&rest)
        || about(rest)
            .is_some_and(|(name, ending)| jobs.contains_key(name) || ending == ENABLED && SWITCHES.contains(&name))
}

fn unknown(name: &str, rest: &str, variable: &Variable, jobs: &BTreeMap<String, &JobName>) -> Diagnostic {
    let settings = jobs.keys().flat_map(|job| [format!("{job}{ENABLED}"), format!("{job}{INTERVAL}")]);
    let switches = SWITCHES.iter().map(|switch| format!("{switch}{ENABLED}"));
    let ours = ["STORE", "LOG"].map(String::from);
    let all: Vec<String> = settings.chain(switches).chain(ours).collect();
    let begun = all.iter().find(|whole| whole.strip_prefix(rest).is_some_and(|ending| ending.starts_with('_')));
    let near = nearest(rest, all.iter().map(String::as_str)).or(begun.map(String::as_str));
    let right = match near {
        Some(near) => format!("did you mean JOBSTILE_{near}?"),
        None => "all that there are: jobstile config --help".into(),
    };
    let title = match about(rest) {
        Some(_) => format!("{name} belongs to no job"),
        None => format!("there is no variable {name}"),
    };
    variable.mark(Diagnostic::error(title), &right)
}

fn theirs(
    name: &str,
    rest: &str,
    variable: &Variable,
    jobs: &BTreeMap<String, &JobName>,
    survey: &mut Survey,
    found: &mut Vec<Diagnostic>,
) {
    let Some((of, ending)) = about(rest) else {
        if let Some(right) = half_written(rest, jobs) {
            let title = format!("{name} is not read; did you mean AIBTC_{right}?");
            found.push(variable.mark(Diagnostic::warning(title), ""));
        }
        survey.foreign.push(name.to_owned());
        return;
    };
    let is_switch = ending == ENABLED && SWITCHES.contains(&of);
    if jobs.contains_key(of) || is_switch {
        if ending == ENABLED {
            survey.read_differently.extend(read_differently(name, &variable.value));
        }
        return;
    }
    survey.no_job.push(name.to_owned());
    if variable.value.is_empty() {
        return;
    }
    let switches = SWITCHES.iter().filter(|_| ending == ENABLED).copied();
    if let Some(near) = nearest(of, jobs.keys().map(String::as_str).chain(switches)) {
        let meant = jobs.get(near).map_or(format!("AIBTC_{near}{ENABLED}"), |job| job.to_string());
        let title = format!("{name}={} belongs to no job; did you mean {meant}?", variable.value);
        found.push(variable.mark(Diagnostic::warning(title), ""));
    }
}

/// `<JOB>_INTERVAL` and the like: a job's name with an ending that is nearly one of ours.
fn half_written(rest: &str, jobs: &BTreeMap<String, &JobName>) -> Option<String> {
    jobs.keys().find_map(|job| {
        let ending = rest.strip_prefix(job.as_str())?;
        match ending {
            "_INTERVAL" | "_SECONDS" => Some(format!("{job}{INTERVAL}")),
            _ => nearest(ending, [ENABLED, INTERVAL]).map(|near| format!("{job}{near}")),
        }
    })
}

/// The predecessor took `true` in any case as true and everything else as false, nothing included.
fn read_differently(name: &str, value: &str) -> Option<String> {
    if value.is_empty() {
        return Some(format!("{name}= (empty): the predecessor took it as false; Jobstile takes it as not set"));
    }
    let before = value.eq_ignore_ascii_case("true");
    let now = boolean(value.trim()).ok()?;
    (now != before).then(|| {
        format!("{name}={value}: the predecessor took anything but `true` as false; Jobstile takes {value} as true")
    })
}
