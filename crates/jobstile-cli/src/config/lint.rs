//! What can be used and is probably not what was meant.

use std::collections::BTreeMap;
use std::time::Duration;

use jobstile::runner::{Definition, Runners};
use jobstile_core::job::JobName;
use jobstile_core::policy::{Concurrency, Places, Policy, Switches, Until};
use jobstile_core::retry;

use crate::config::Loaded;
use crate::config::diagnostic::Diagnostic;
use crate::config::job::JobConfig;
use crate::text::duration::short;

/// An attempt may take this many intervals before that looks wrong.
const INTERVALS: u32 = 10;

/// Adds what looks wrong.
pub(crate) fn look(loaded: &mut Loaded) {
    let mut found = vec![];
    for (name, job) in &loaded.jobs {
        found.extend(late_retry(name, job));
        found.extend(useless_limit(name, job));
        found.extend(taken_literally(name, job));
    }
    found.extend(long_timeouts(loaded));
    loaded.warnings.append(&mut found);
}

/// Adds the jobs that cannot run on this machine as it is now. Looks at files.
pub(crate) fn look_around(loaded: &mut Loaded, runners: &Runners) {
    for (name, job) in &loaded.jobs {
        let Some(definition) = &job.definition else { continue };
        let Err(why) = runners.can_run(definition) else {
            if let Some(never) = runners.would_fail(definition) {
                let title = format!("`{name}` can never start: {}", never.reason);
                loaded.warnings.push(at(
                    job,
                    "command",
                    title,
                    format!("its runs would fail with {}", never.code).as_str(),
                ));
            }
            continue;
        };
        let key = match definition {
            _ if why.starts_with("folder") || why.starts_with("not a folder") => "cwd",
            _ if why.starts_with("env_file") => "env_file",
            Definition::Shell(_) => "shell",
            _ => "command",
        };
        let title = match why.strip_prefix("folder not found: ") {
            Some(folder) => format!("the `cwd` of `{name}` does not exist: {folder}"),
            None => format!("`{name}` cannot run here: {why}"),
        };
        loaded.warnings.push(at(job, key, title, "its runs would wait until it can"));
    }
}

/// A warning at the place of one of the job's values, or at its head.
fn at(job: &JobConfig, key: &str, title: String, label: &str) -> Diagnostic {
    let spot = job.setting(key).and_then(|setting| setting.origin.spot()).unwrap_or(&job.spot);
    Diagnostic::warning(title).at(&spot.source, spot.span.clone(), label)
}

/// With one place, or one live run of a key, ticks are skipped while a retry waits.
fn late_retry(name: &JobName, job: &JobConfig) -> Option<Diagnostic> {
    let (policy, every) = (&job.policy, job.policy.schedule?.every);
    if policy.attempts < 2 || policy.backoff.delay <= every || !skips_while_waiting(policy) {
        return None;
    }
    let delays: Vec<Duration> = (1..policy.attempts).map(|n| retry::delay(&policy.backoff, n, 0.0)).collect();
    let total: Duration = delays.iter().sum();
    let skipped = (total.as_secs_f64() / every.as_secs_f64()) as u64;
    let waits: Vec<String> = delays.iter().take(3).map(|delay| short(*delay)).collect();
    let more = if delays.len() > 3 { ", and longer" } else { "" };
    let title = format!("a failed run of `{name}` is retried later than its next tick would run it");
    let note = format!(
        "retries wait {}{more}; it fires every {}, and ticks are skipped while a retry waits ({skipped} of them)",
        waits.join(", then "),
        short(every)
    );
    Some(at(job, "backoff.delay", title, "").note(note).help("attempts = 1"))
}

fn skips_while_waiting(policy: &Policy) -> bool {
    let rules = policy.rules(Switches::default());
    rules.places == Places::Taking(1) || rules.dedup.is_some_and(|dedup| dedup.until == Until::Finish)
}

/// An attempt that hangs is in the way of many ticks. Jobs that have their timeout from one place share a warning.
fn long_timeouts(loaded: &Loaded) -> Vec<Diagnostic> {
    let mut places: BTreeMap<Option<usize>, Vec<(&JobName, &JobConfig)>> = BTreeMap::new();
    for (name, job) in &loaded.jobs {
        let Some(schedule) = job.policy.schedule else { continue };
        if job.policy.timeout.is_none_or(|timeout| timeout > schedule.every * INTERVALS) {
            let spot = job.setting("timeout").and_then(|setting| setting.origin.spot());
            places.entry(spot.map(|spot| spot.span.start)).or_default().push((name, job));
        }
    }
    places.into_iter().filter_map(|(place, jobs)| long_timeout(place.is_some(), &jobs)).collect()
}

fn long_timeout(is_written: bool, jobs: &[(&JobName, &JobConfig)]) -> Option<Diagnostic> {
    let (first, job) = jobs.first()?;
    let end = match job.policy.timeout {
        Some(timeout) => format!("ended after {}", short(timeout)),
        None => "never ended".into(),
    };
    let title = match jobs {
        [_] => format!("a run of `{first}` that hangs is {end}: it fires every {}", short(job.policy.schedule?.every)),
        [_, (second, _)] => format!("runs of `{first}` and `{second}` that hang are {end}: they fire more often"),
        [_, (second, _), rest @ ..] => {
            format!("runs of `{first}`, `{second}` and {} more that hang are {end}: they fire more often", rest.len())
        }
        [] => return None,
    };
    let label = format!("ten intervals of `{first}` are {}", short(job.policy.schedule?.every * INTERVALS));
    let warning = at(job, if is_written { "timeout" } else { "every" }, title, &label);
    Some(if is_written {
        warning
    } else {
        warning.help("nobody wrote a `timeout`; for all jobs: [defaults] timeout = \"5m\"")
    })
}

/// A monitoring job has one live run, whatever its limit.
fn useless_limit(name: &JobName, job: &JobConfig) -> Option<Diagnostic> {
    if !job.policy.monitoring {
        return None;
    }
    match job.policy.max_concurrent {
        Concurrency::Limited(1) => None,
        _ => {
            let title = format!("`max_concurrent` of `{name}` has no effect: a monitoring job has one live run");
            let help = "for more at once: monitoring = false";
            Some(at(job, "max_concurrent", title, "").help(help))
        }
    }
}

/// `~` and variables mean something to a shell only.
fn taken_literally(name: &JobName, job: &JobConfig) -> Vec<Diagnostic> {
    let (program, place) = match job.definition.as_ref() {
        Some(Definition::Command(command)) => (command.argv.first(), &command.place),
        Some(Definition::Shell(shell)) => (None, &shell.place),
        Some(Definition::Http(http)) => (None, &http.place),
        Some(Definition::Function(_)) | None => return vec![],
    };
    let env_file = place.env_file.as_ref().map(|file| file.display().to_string());
    let paths = [("cwd", job.written("cwd")), ("command", program.cloned()), ("env_file", env_file)];
    let warn = |(key, path): (&str, Option<String>)| {
        let path = path?;
        // A relative `cwd` is shown behind the folder of the file.
        let is_home = path.split('/').next() == Some("~") || key == "cwd" && path.split('/').any(|part| part == "~");
        let what = if is_home { "~" } else { variable(&path)? };
        let title = format!("`{what}` in `{key}` of `{name}` is taken literally: nothing expands it");
        Some(at(job, key, title, "write the whole path"))
    };
    paths.into_iter().filter_map(warn).collect()
}

/// The first `$NAME` or `${NAME}` of a path.
fn variable(path: &str) -> Option<&str> {
    let start = path.find('$')?;
    let rest = &path[start + 1..];
    let (open, name) = rest.strip_prefix('{').map_or((1, rest), |name| (2, name));
    let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
    let close = usize::from(open == 2 && name[end..].starts_with('}'));
    (end > 0).then(|| &path[start..start + open + end + close])
}
