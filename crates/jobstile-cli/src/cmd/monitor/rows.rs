//! The table: one row a job. Where it is wider than the terminal, columns are left out, and then cells are cut.

use std::time::Duration;

use jobstile::answer::{Job, Overview};
use jobstile::client::AttemptInfo;
use jobstile_core::outcome::Outcome;

use crate::text::duration::{measured, short};
use crate::text::fit::{Form, cut};
use crate::text::table::{Cell, Paint, Table, width};
use crate::text::time::Times;
use crate::text::words::{number, standing};

/// Columns that are left out on a narrow terminal, in this order.
const LEFT_OUT: [&str; 9] = ["P50", "MAX", "AVG", "P95", "LOAD", "EVERY", "OK", "SKIPS", "LAST END"];
/// What is left for NOW, at the least, before names are cut.
const NOW: usize = 22;
/// JOB, M and NOW, without the first and the last.
const GAPS: usize = 2 + 1 + 2;
/// How much of a message stands in LAST END, in characters.
const MESSAGE: usize = 24;

/// How the table is drawn.
#[derive(Debug, Clone, Copy)]
struct Shape {
    /// With everything that is worth a wide terminal.
    wide: bool,
    /// How many of the columns are left out.
    out: usize,
    job: usize,
    now: usize,
}

impl Shape {
    fn leaves_out(&self, column: &str) -> bool {
        LEFT_OUT[..self.out].contains(&column)
    }
}

/// The lines of the table, the head first.
pub(super) fn of(state: &Overview, jobs: &[&Job], form: Form) -> Vec<String> {
    let times = Times::here(state.at);
    let wide = Shape { wide: true, out: 0, job: usize::MAX, now: usize::MAX };
    let narrower = (0..=LEFT_OUT.len()).map(|out| Shape { wide: false, out, ..wide });
    let all_out = Shape { wide: false, out: LEFT_OUT.len(), ..wide };
    let shape = std::iter::once(wide).chain(narrower).find(|shape| {
        let rendered = table(state, jobs, &times, *shape).render(false);
        rendered.lines().all(|line| form.fits(line))
    });
    let shape = shape.unwrap_or_else(|| {
        let most = form.width.unwrap_or(usize::MAX).saturating_sub(GAPS);
        let name = jobs.iter().map(|job| width(&job.info.name)).max().unwrap_or(0);
        let now = jobs.iter().map(|job| width(&doing(state, job, all_out).0)).max().unwrap_or(0);
        let job = name.min(most.saturating_sub(now.min(NOW)));
        Shape { job, now: most.saturating_sub(job), ..all_out }
    });
    table(state, jobs, &times, shape).render(form.colour).lines().map(ToOwned::to_owned).collect()
}

fn table(state: &Overview, jobs: &[&Job], times: &Times, shape: Shape) -> Table {
    let head = ["JOB", "M", ">EVERY", "NOW", "LAST END", ">OK", ">AVG", ">P50", ">P95", ">MAX", ">LOAD", "SKIPS"];
    let kept = |at: &usize| !shape.leaves_out(head[*at].trim_start_matches('>'));
    let kept: Vec<usize> = (0..head.len()).filter(kept).collect();
    let names: Vec<&str> = kept.iter().map(|at| head[*at]).collect();
    let mut table = Table::new(&names);
    for job in jobs {
        let cells = row(state, job, times, shape);
        table.row(kept.iter().map(|at| cells[*at].clone()));
    }
    table
}

fn row(state: &Overview, job: &Job, times: &Times, shape: Shape) -> [Cell; 12] {
    let every = if job.is_off() { "off".to_owned() } else { job.every().map_or(String::new(), short) };
    let took = |duration: Option<Duration>| Cell::from(duration.map_or(String::new(), measured));
    let load = job.load.filter(|_| job.every().is_some()).map_or(String::new(), |load| format!("{load:.2}"));
    let worry = if job.cannot_keep_up() { Paint::Attention } else { Paint::Plain };
    let (now, paint) = doing(state, job, shape);
    let last = job.last_attempt.as_ref().map_or(String::new(), |attempt| last_end(attempt, times, shape));
    let last_paint = if failed(job) { Paint::Attention } else { Paint::Faint };
    [
        Cell::from(cut(&job.info.name, shape.job)),
        Cell::from(if job.is_monitoring() { "M" } else { "" }),
        Cell::from(every),
        Cell::new(cut(&jobstile::text::clean(&now), shape.now), paint),
        Cell::new(last, last_paint),
        Cell::from(job.success().map_or(String::new(), |percent| format!("{percent:.1} %"))),
        took(job.numbers.run.mean()),
        took(job.numbers.run.quantile(0.5)),
        took(job.numbers.run.quantile(0.95)),
        took(job.numbers.run.max()),
        Cell::new(load, worry),
        Cell::new(skips(job, shape), worry),
    ]
}

fn skips(job: &Job, shape: Shape) -> String {
    let counts = &job.counts;
    let missed = counts.ticks.missed + counts.triggers.missed;
    let rejected = counts.ticks.rejected + counts.triggers.rejected;
    let mut said: Vec<String> = vec![];
    if counts.skips() > 0 {
        said.push(number(counts.skips()));
    }
    for (n, what) in [(counts.refused, "refused"), (missed, "missed"), (rejected, "rejected")] {
        if n > 0 {
            said.push(format!("{} {what}", number(n)));
        }
    }
    if shape.wide && job.cannot_keep_up() {
        // `26 cannot keep up`, but `26, 4 refused, cannot keep up`.
        let alone = said.len() == 1 && counts.skips() > 0;
        return format!("{}{}cannot keep up", said.join(", "), if alone { " " } else if said.is_empty() { "" } else { ", " });
    }
    said.join(", ")
}

fn doing(state: &Overview, job: &Job, shape: Shape) -> (String, Paint) {
    let tally = job.info.tally;
    let mut said = vec![];
    let paused = job.info.paused(state.at).is_some();
    if paused {
        said.push("PAUSED".to_owned());
    }
    let orphans = usize::try_from(job.orphans()).unwrap_or_default();
    match (job.running.as_slice(), orphans) {
        ([], _) => {}
        ([_], 1) => said.push("was running".to_owned()),
        ([run], _) => {
            said.push(format!("running {}", measured(run.for_)));
        }
        (runs, 0) => said.push(format!("{} running", runs.len())),
        (runs, gone) if gone == runs.len() => said.push(format!("{gone} were running")),
        (runs, gone) => said.push(format!("{} running, {gone} were", runs.len() - gone)),
    }
    if let Some(run) = job.retrying() {
        let of = job.info.policy.as_ref().map_or(1, |policy| policy.attempts);
        let left = run.row.due.since(state.at);
        let when = if left.is_zero() { "now".to_owned() } else { format!("in {}", measured(left)) };
        said.push(format!("retry {when} {}/{of}", run.row.failures + 1));
        if tally.retrying > 1 {
            said.push(format!("{} more retrying", number(tally.retrying - 1)));
        }
    }
    if tally.queued > 0 {
        said.push(format!("{} waiting", number(tally.queued)));
    }
    if tally.scheduled > 0 {
        said.push(format!("{} for later", number(tally.scheduled)));
    }
    if job.info.policy.is_none() && job.is_current() {
        said.push("NO CONFIGURATION".to_owned());
    }
    if job.running.iter().any(|run| run.unusual.is_some() && !run.is_orphan()) {
        said.push("UNUSUALLY LONG".to_owned());
    }
    if job.stacking {
        said.push("STACKING".to_owned());
    }
    if job.stuck().is_some() {
        said.push("CANNOT RUN".to_owned());
    }
    let dead = job.unrecovered().count();
    if said.is_empty() {
        let says_last = shape.leaves_out("LAST END") && failed(job) && dead == 0;
        said.push(match (&job.info.policy, job.switched_off()) {
            (None, _) => "no configuration".to_owned(),
            (Some(_), Some(source)) => standing::switched_off(&source),
            (Some(_), None) => match job.last_attempt.as_ref().filter(|_| says_last) {
                Some(attempt) => format!("idle, last {}", how(attempt)),
                None => "idle".to_owned(),
            },
        });
    }
    if let Some(last) = job.unrecovered().map(|dead| dead.run.row.id).max() {
        said.push(match (dead, shape.wide) {
            (1, _) => format!("DEAD run {last}"),
            (_, true) => format!("{} DEAD, last run {last}", number(dead as u64)),
            (_, false) => format!("{} DEAD", number(dead as u64)),
        });
    }
    let paint = match (job.stacking || job.stuck().is_some() || dead > 0, paused || orphans > 0, tally.running > 0) {
        (true, ..) => Paint::Bad,
        (_, true, _) => Paint::Attention,
        (_, _, true) => Paint::Good,
        _ => Paint::Plain,
    };
    (said.join(", "), paint)
}

/// Its last attempt failed.
fn failed(job: &Job) -> bool {
    let outcome = job.last_attempt.as_ref().and_then(|attempt| attempt.outcome);
    !matches!(outcome, None | Some(Outcome::Success | Outcome::Cancelled | Outcome::Interrupted))
}

fn last_end(attempt: &AttemptInfo, times: &Times, shape: Shape) -> String {
    let at = attempt.ended_at.unwrap_or(attempt.claimed_at);
    let at = if shape.wide { times.at(at) } else { times.about(at) };
    format!("{at} {}", how(attempt))
}

// `ok 4m00s`, `exit 1`, `timeout 10m`.
fn how(attempt: &AttemptInfo) -> String {
    let took = attempt.took().unwrap_or_default();
    let message = attempt.message.as_deref().unwrap_or_default();
    match attempt.outcome {
        None | Some(Outcome::Success) => format!("ok {}", measured(took)),
        Some(Outcome::Timeout) => format!("timeout {}", measured(took)),
        Some(Outcome::Failure) => match (message.strip_prefix("ended by signal "), attempt.exit_code) {
            (Some(signal), _) => format!("signal {}", signal.split([' ', ',']).next().unwrap_or_default()),
            (None, Some(code)) => format!("exit {code}"),
            (None, None) => jobstile::text::clean_to(message, MESSAGE),
        },
        Some(outcome) => outcome.as_str().replace('_', " "),
    }
}
