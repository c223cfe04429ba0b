//! How a job has fared, and what to do about it.

use jobstile::answer::{Advice, Became, Counts, Pattern, Window};

use super::{count, number};
use crate::text::duration::{measured, short};
use crate::text::time::Times;

/// The window of numbers: `since 13:00`, or `in 2m, all there is`.
pub(crate) fn window(window: Window, times: &Times) -> String {
    match window.all_there_is {
        true => format!("in {}, all there is", measured(times.now().since(window.since))),
        false => format!("since {}", times.hour(window.since)),
    }
}

/// `1,062 ticks, 1,034 runs, 28 skips`, and what else there was.
pub(crate) fn counts(counts: Counts) -> Vec<String> {
    let mut said = vec![became(counts.ticks, "tick")];
    if counts.triggers != Became::default() {
        said.push(became(counts.triggers, "trigger"));
    }
    if counts.refused > 0 {
        said.push(format!("{} refused", count(counts.refused, "run")));
    }
    said
}

fn became(of: Became, noun: &str) -> String {
    let mut said = vec![count(of.all, noun), count(of.runs, "run"), count(of.skips, "skip")];
    for (n, what) in [(of.taken_in, "taken in"), (of.missed, "missed"), (of.rejected, "rejected")] {
        if n > 0 {
            said.push(format!("{} {what}", number(n)));
        }
    }
    said.join(", ")
}

/// How a job has fared; nothing if it has neither a schedule nor any trigger.
pub(crate) fn pattern(pattern: &Pattern, times: &Times) -> Option<String> {
    let c = pattern.counts;
    if c.ticks.all + c.triggers.all == 0 {
        return None;
    }
    let parts = match pattern.every {
        Some(_) => counts(c),
        None => counts(c).split_off(1),
    };
    let waiting =
        if pattern.waiting > 0 { format!("; {} of them waiting", number(pattern.waiting)) } else { String::new() };
    let took = match (pattern.mean, pattern.every) {
        (Some(mean), Some(every)) => format!(". Takes {}, fires every {}", measured(mean), short(every)),
        (Some(mean), None) => format!(". Takes {}", measured(mean)),
        (None, _) => String::new(),
    };
    let load = pattern.load.map_or(String::new(), |load| {
        format!(": load {load:.2}{}", if load > 1.0 { ", over 1 cannot keep up" } else { "" })
    });
    Some(format!("{}: {}{waiting}{took}{load}", window(pattern.window, times), parts.join(" · ")))
}

/// An advice: its word at the left, and what to do.
pub(crate) fn advice(advice: &Advice, job: &str) -> (&'static str, String) {
    match advice {
        Advice::LongerInterval { every, skips: true } => {
            ("to change", format!("every = \"{}\"   the same number of runs, no skips", short(*every)))
        }
        Advice::LongerInterval { every, skips: false } => {
            ("to change", format!("every = \"{}\"   its runs do not pile up", short(*every)))
        }
        Advice::NoRetries { delay, every } => {
            let (delay, every) = (short(*delay), short(*every));
            (
                "to change",
                format!(
                    "attempts = 1   its retry delay ({delay}) is longer than its interval ({every}): without retries the next tick would already have run it"
                ),
            )
        }
        Advice::RetryNow { run, attempt } => {
            ("now", format!("jobstile retry {run}   (starts attempt {attempt} at once)"))
        }
        Advice::Logs { run } => ("output", format!("jobstile logs {run}")),
        Advice::Retry { run } => ("again", format!("jobstile retry {run}")),
        Advice::Cancel { run } => ("to end it", format!("jobstile cancel {run}")),
        Advice::Resume => ("to change", format!("jobstile resume {job}")),
        Advice::Serve => ("to change", "jobstile serve".to_owned()),
        Advice::StartProgram => ("to change", "start the program that embeds it".to_owned()),
        Advice::NameAgain => (
            "to change",
            format!(
                "put it back into the configuration, or end what is left: jobstile cancel RUN   (jobstile runs {job})"
            ),
        ),
        Advice::Doctor => ("to change", "jobstile doctor   what holds the daemon up?".to_owned()),
    }
}
