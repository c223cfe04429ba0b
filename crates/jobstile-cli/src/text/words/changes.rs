//! What a configuration that was read again changed, in words.

use jobstile::answer::{Changes, Held};

use super::count;

/// A line each; none if nothing changed.
pub(crate) fn lines(changes: &Changes) -> Vec<String> {
    let named = |what: &str, jobs: &[String]| (!jobs.is_empty()).then(|| format!("{what}: {}", jobs.join(", ")));
    let removed = changes.removed.iter().map(|(job, held)| match self::held(*held) {
        None => format!("removed: {job}"),
        Some(held) => format!("removed: {job}, which still holds {held}: jobstile runs {job}"),
    });
    let switches = changes.switches.then(|| "other switches: jobstile config".to_owned());
    let set = [named("new", &changes.new), named("changed", &changes.changed), switches];
    set.into_iter().flatten().chain(removed).collect()
}

/// In one line, for the list of what happened.
pub(super) fn in_short(changes: &Changes) -> String {
    let named = |what: &str, jobs: &[String]| (!jobs.is_empty()).then(|| format!("{what} {}", jobs.join(", ")));
    let removed: Vec<String> = changes.removed.keys().cloned().collect();
    let switches = changes.switches.then(|| "other switches".to_owned());
    let set = [named("new", &changes.new), named("changed", &changes.changed), named("removed", &removed), switches];
    let set: Vec<String> = set.into_iter().flatten().collect();
    if set.is_empty() { "nothing changed".to_owned() } else { set.join("; ") }
}

fn held(held: Held) -> Option<String> {
    let states = [
        (held.running, "running run"),
        (held.queued, "queued run"),
        (held.retrying, "retrying run"),
        (held.scheduled, "scheduled run"),
    ];
    let held: Vec<String> = states.iter().filter(|(n, _)| *n > 0).map(|(n, runs)| count(*n, runs)).collect();
    (!held.is_empty()).then(|| held.join(", "))
}
