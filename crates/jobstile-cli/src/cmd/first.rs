//! Jobs that fire as soon as a daemon loads them, because their schedule is new to the store.

use std::time::Duration;

use jobstile_core::schedule::First;

use crate::config::Loaded;
use crate::config::diagnostic::Diagnostic;
use crate::config::job::JobConfig;
use crate::text::duration::short;

/// A job that runs less often than this may not be meant to run at any time of the day.
const SELDOM: Duration = Duration::from_secs(3600);

/// The jobs that start now; `is_new` says whether the store does not know the schedule of a job.
pub(crate) fn start_now(loaded: &Loaded, is_new: impl Fn(&str) -> bool) -> Vec<(&str, &JobConfig)> {
    let all = loaded.jobs.iter().map(|(name, job)| (name.as_str(), job));
    all.filter(|(name, job)| {
        let starts = job.policy.schedule.is_some_and(|schedule| schedule.first == First::Now);
        starts && job.policy.enabled && is_new(name)
    })
    .collect()
}

/// A warning for each of them that runs seldom.
pub(crate) fn warnings(jobs: &[(&str, &JobConfig)]) -> Vec<Diagnostic> {
    let seldom = jobs.iter().filter_map(|(name, job)| {
        let every = job.policy.schedule?.every;
        let spot = job.setting("every").and_then(|setting| setting.origin.spot()).unwrap_or(&job.spot);
        let title = format!("`{name}` starts now, then every {}", short(every));
        let warning = Diagnostic::warning(title).at(&spot.source, spot.span.clone(), "counted from its first start");
        (every >= SELDOM).then(|| warning.help("to let the first interval pass: first = \"after_interval\""))
    });
    seldom.collect()
}
