//! A look as a page for people. Where the terminal has fewer lines than the page, what needs action stays, then the jobs
//! that do something, then the rest; whatever is left out is counted.

use jobstile::answer::{Event, Job, Overview};
use jobstile_core::policy::Switches;

use super::head::Head;
use super::rows;
use super::worries::{self, Worry};
use crate::cmd::open::Opened;
use crate::text::fit::Form;
use crate::text::table::Paint;
use crate::text::time::Times;
use crate::text::words::events;
use crate::text::words::{count, number};

/// Events on a page without an end.
const EVENTS: usize = 12;
/// Worries there.
const WORRIES: usize = 100;
/// Lines that are kept for events where there are enough of them for that: a blank one and some.
const FOR_EVENTS: usize = 4;
/// From so many on.
const ENOUGH: usize = 14;
/// This part of a screen that is too small is left to the head.
const HEAD: usize = 3;

pub(super) fn of(opened: &Opened, state: &Overview, before: Option<&Overview>, form: Form) -> Vec<String> {
    let head = Head::of(opened, state, before, form);
    let worries = worries::of(state);
    let events: Vec<String> = state.events.iter().map(|event| happened(event, state, form)).collect();
    match form.height {
        None => {
            let shown = worries_in(&worries, usize::MAX, "jobstile ls", form);
            let events = events[events.len().saturating_sub(EVENTS)..].to_vec();
            let all: Vec<&Job> = state.current().collect();
            let Head { first, switches, now, trend } = head;
            let head = [first, switches, now, trend].concat();
            parts([head, rows::of(state, &all, form), shown, events])
        }
        Some(height) => fitted(height, head, &worries, state, events, form),
    }
}

// With a blank line between two parts.
fn parts<const N: usize>(parts: [Vec<String>; N]) -> Vec<String> {
    let parts: Vec<Vec<String>> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join(&String::new())
}

fn fitted(
    height: usize,
    head: Head,
    worries: &[Worry],
    state: &Overview,
    events: Vec<String>,
    form: Form,
) -> Vec<String> {
    // Where not all fits, the head gives way first: its lines about what changes seldom.
    let Head { first, now, switches, trend } = head;
    let all_on = state.switches == Switches::default();
    let mut optional = [switches, now, trend];
    let action: usize = worries.iter().map(|worry| worry.lines(form).len()).sum();
    // Two blank lines, and the head of the table.
    let below = action + state.current().count() + 3;
    for at in if all_on { [0, 2, 1] } else { [2, 1, 0] } {
        let lines = first.len() + optional.iter().map(Vec::len).sum::<usize>();
        if lines + below > height && lines > height / HEAD + 1 {
            optional[at].clear();
        }
    }
    let mut top = [first, optional.concat()].concat();
    top.truncate(height);
    let left = height - top.len();
    let rows = state.current().count() + 2;
    let for_worries = (left / 2).max(left.saturating_sub(rows + FOR_EVENTS + 1));
    let action = worries_in(worries, for_worries.saturating_sub(1), "jobstile monitor", form);
    let left = left.saturating_sub(if action.is_empty() { 0 } else { action.len() + 1 });
    let for_events = if left >= ENOUGH { FOR_EVENTS.min(events.len() + 1) } else { 0 };
    let table = jobs_in(state, left.saturating_sub(for_events + 1), form);
    let left = left.saturating_sub(table.len() + 1);
    let events = events[events.len().saturating_sub(left.saturating_sub(1))..].to_vec();
    let mut page = parts([top, action, table, events]);
    page.truncate(height);
    page
}

// As many as fit, and how many more there are.
fn worries_in(worries: &[Worry], lines: usize, others: &str, form: Form) -> Vec<String> {
    let whole: Vec<Vec<String>> = worries.iter().take(WORRIES).map(|worry| worry.lines(form)).collect();
    let fit = whole.iter().map(Vec::len).sum::<usize>() <= lines;
    let all = if fit { whole } else { worries.iter().take(WORRIES).map(|worry| worry.few_lines(form)).collect() };
    let mut shown: Vec<String> = vec![];
    for (at, those) in all.into_iter().enumerate() {
        let for_the_rest = usize::from(at + 1 < worries.len());
        if shown.len() + those.len() + for_the_rest > lines {
            return and_more(shown, at, worries.len(), others, form);
        }
        shown.extend(those);
    }
    if worries.len() > WORRIES { and_more(shown, WORRIES, worries.len(), others, form) } else { shown }
}

fn and_more(mut shown: Vec<String>, at: usize, all: usize, others: &str, form: Form) -> Vec<String> {
    let more = match at {
        0 => format!("{} to look at", count(all as u64, "thing")),
        _ => format!("and {} more", number((all - at) as u64)),
    };
    shown.push(form.line(&format!("{more}: {others}"), Paint::Attention));
    shown
}

// The table in so many lines, the jobs that do something first where not all have room.
fn jobs_in(state: &Overview, lines: usize, form: Form) -> Vec<String> {
    let mut jobs: Vec<&Job> = state.current().collect();
    if jobs.len() < lines {
        return rows::of(state, &jobs, form);
    }
    jobs.sort_by_key(|job| (!job.needs_action(state.at), job.is_idle(), !job.is_on()));
    let shown = lines.saturating_sub(2);
    let (first, rest) = jobs.split_at(shown.min(jobs.len()));
    let mut table = rows::of(state, first, form);
    let idle = rest.iter().filter(|job| job.is_idle()).count();
    let more = format!("and {} more, {} idle: jobstile ls", number(rest.len() as u64), number(idle as u64));
    table.push(form.line(&more, Paint::Faint));
    table
}

fn happened(event: &Event, state: &Overview, form: Form) -> String {
    let times = Times::here(state.at);
    let said = events::event(event, &times);
    let code = if said.code.is_empty() || form.narrow() { String::new() } else { format!("  {}", said.code) };
    let at = times.about(event.at);
    let job = event.job.as_deref().map_or(String::new(), |job| format!("{job} "));
    form.line(&format!("{at}  {job}{}{code}", said.text), said.paint)
}
