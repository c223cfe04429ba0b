//! The head of the page: whose store, whether anybody works on it, what is wrong, who works, and how much.

use jobstile::client::{Liveness, NodeInfo};

use super::state::State;
use crate::cmd::open::{Opened, SILENCE};
use crate::text::duration::compact;
use crate::text::fit::{Form, Piece, cut_front};
use crate::text::table::Paint;
use crate::text::time::Times;
use crate::text::words::{count, number};

/// Workers that are named.
const WORKERS: usize = 3;
const BETWEEN: &str = " · ";

/// Its lines, the less important ones apart: a small screen may leave them out.
pub(super) struct Head {
    pub(super) first: Vec<String>,
    pub(super) now: Vec<String>,
    pub(super) switches: Vec<String>,
    pub(super) trend: Vec<String>,
}

impl Head {
    pub(super) fn of(opened: &Opened, state: &State, before: Option<&State>, form: Form) -> Self {
        let times = Times::here(state.now);
        let alive: Vec<&NodeInfo> = state.nodes.iter().filter(|node| node.liveness == Liveness::Alive).collect();
        let silent: Vec<&NodeInfo> =
            alive.iter().copied().filter(|node| state.now.since(node.seen_at) > SILENCE).collect();
        let title: [Piece; 4] = [
            "jobstile".into(),
            form.width.map_or(opened.shown.clone(), |most| cut_front(&opened.shown, most / 2)).into(),
            times.moment().into(),
            live(opened, state, &alive, &silent, &times),
        ];
        let mut first = form.flow("", &title, BETWEEN);
        first.extend(status(opened, state, &alive, silent.len(), &times, form));
        let now: Vec<Piece> = now(state, &times).into_iter().map(Piece::from).collect();
        let trend: Vec<Piece> =
            before.map_or(vec![], |before| trend(state, before)).into_iter().map(Piece::from).collect();
        Self {
            first,
            now: form.flow("now       ", &now, BETWEEN),
            switches: form.flow("switches  ", &switches(state), BETWEEN),
            trend: if trend.is_empty() { vec![] } else { form.flow("trend     ", &trend, ", ") },
        }
    }
}

fn live(opened: &Opened, state: &State, alive: &[&NodeInfo], silent: &[&NodeInfo], times: &Times) -> Piece {
    let last = state.nodes.iter().max_by_key(|node| node.ended_at.unwrap_or(node.seen_at));
    match (silent.first(), last) {
        _ if alive.len() > silent.len() => Piece::new("live", Paint::Good),
        (Some(node), _) => {
            let (who, seen) = (with_pid(node), times.ago(node.seen_at));
            let said = format!("NOT ANSWERING: {who} is there, but was last seen {seen}: is it stopped?");
            Piece::new(said, Paint::Bad)
        }
        (None, None) => Piece::new("NOT LIVE: no daemon has ever worked on this store", Paint::Bad),
        (None, Some(_)) if opened.unsure => {
            let unsure = state.nodes.iter().find(|node| node.liveness == Liveness::Unknown);
            let said = unsure.map_or(String::new(), |node| {
                let seen = times.ago(node.seen_at);
                format!("LIVE? the lock of {} cannot be looked at; last seen {seen}", with_pid(node))
            });
            Piece::new(said, Paint::Bad)
        }
        (None, Some(node)) => Piece::new(format!("NOT LIVE: {}", gone(node, times)), Paint::Bad),
    }
}

fn with_pid(node: &NodeInfo) -> String {
    format!("{} (pid {})", node.row.name, node.row.pid)
}

fn gone(node: &NodeInfo, times: &Times) -> String {
    let who = with_pid(node);
    let Some(at) = node.ended_at else {
        return format!("{who} was last seen {} and is gone", times.ago(node.seen_at));
    };
    let left = match times.now().since(at).as_secs() {
        0 => "has just left".to_owned(),
        _ => format!("left {}", times.ago(at)),
    };
    match node.end_reason.as_deref() {
        None | Some("stopped") => format!("{who} {left}"),
        Some(reason) => format!("{who} {left}: {reason}"),
    }
}

fn status(opened: &Opened, state: &State, alive: &[&NodeInfo], silent: usize, times: &Times, form: Form) -> Vec<String> {
    const LABEL: &str = "status    ";
    if alive.is_empty() {
        return form.flow(LABEL, &[Piece::new(nobody(opened, state), Paint::Bad)], BETWEEN);
    }
    let worries = worries(state, silent);
    let said = match worries.is_empty() {
        true => vec![Piece::new("all is well", Paint::Good)],
        false => worries.iter().map(|worry| Piece::new(worry, Paint::Attention)).collect(),
    };
    let workers = workers(opened, state, alive, times);
    let text: Vec<String> = workers.iter().map(|(text, _)| text.clone()).collect();
    let pieces: Vec<Piece> = workers.into_iter().map(|(text, paint)| Piece::new(text, paint)).collect();
    // Side by side where both have room.
    let both = format!("{LABEL}{}       workers {}", worries.join(", "), text.join("; "));
    if form.fits(&both) {
        let left = form.flow(LABEL, &said, ", ").concat();
        let right = Form { width: None, ..form }.flow("workers ", &pieces, "; ").concat();
        return vec![format!("{left}       {right}")];
    }
    let mut lines = form.flow(LABEL, &said, ", ");
    lines.extend(form.flow("workers   ", &pieces, "; "));
    lines
}

fn nobody(opened: &Opened, state: &State) -> String {
    let (running, ..) = state.tally();
    let mut said = vec![];
    if running > 0 && !opened.unsure {
        let (were, start) = if running == 1 { ("was", "starts") } else { ("were", "start") };
        said.push(format!("{} {were} running and {start} again when a daemon comes back", count(running, "run")));
    }
    if state.overdue() > 0 {
        said.push(format!("{} passed", count(state.overdue(), "tick")));
    }
    let first = if opened.unsure { "nobody is known to work here." } else { "no worker: nothing starts." };
    if said.is_empty() { first.to_owned() } else { format!("{first} {}", said.join("; ")) }
}

// `attention: 1 dead`, `1 cannot keep up`.
fn worries(state: &State, silent: usize) -> Vec<String> {
    let jobs = |of: fn(&super::state::Job) -> bool| state.jobs.iter().filter(|job| of(job)).count();
    let worries = [
        (silent, "not answering"),
        (jobs(|job| job.unable.is_some()), "cannot run"),
        (state.late().count(), "overdue"),
        (state.dead(), "dead"),
        (jobs(|job| job.stacking), "STACKING"),
        (state.jobs.iter().filter(|job| job.info.paused(state.now).is_some()).count(), "paused"),
        (jobs(super::state::Job::cannot_keep_up), "cannot keep up"),
    ];
    let mut said: Vec<String> =
        worries.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{} {what}", number(*n as u64))).collect();
    if let Some(first) = said.first_mut() {
        first.insert_str(0, "attention: ");
    }
    said
}

// After `workers `: how many, and each with its age.
fn workers(opened: &Opened, state: &State, alive: &[&NodeInfo], times: &Times) -> Vec<(String, Paint)> {
    let mut said: Vec<(String, Paint)> = alive
        .iter()
        .take(WORKERS)
        .map(|node| {
            let busy = state.running.iter().filter(|run| run.row.node.as_deref() == Some(&node.row.id)).count();
            let text = format!(
                "{}, seen {}, up {}, {busy} of {} busy",
                opened.named(node),
                times.ago(node.seen_at),
                compact(state.now.since(node.started_at)),
                node.row.workers
            );
            let silent = state.now.since(node.seen_at) > SILENCE;
            (text, if silent { Paint::Bad } else { Paint::Plain })
        })
        .collect();
    if let Some((first, _)) = said.first_mut() {
        first.insert_str(0, &format!("{}: ", alive.len()));
    }
    if alive.len() > WORKERS {
        said.push((format!("and {} more: jobstile nodes", alive.len() - WORKERS), Paint::Plain));
    }
    said
}

fn switches(state: &State) -> Vec<Piece> {
    let piece = |name: &str, on: bool| match on {
        true => Piece::from(format!("{name} on")),
        false => Piece::new(format!("{name} OFF"), Paint::Attention),
    };
    let s = state.switches;
    let monitoring = state.jobs.iter().filter(|job| job.monitoring()).count() as u64;
    vec![
        piece("deduplication", s.deduplication),
        piece("aggressive", s.aggressive),
        piece("stacking prevention", s.stacking_prevention),
        format!("monitoring (M) {}", count(monitoring, "job")).into(),
    ]
}

fn now(state: &State, times: &Times) -> Vec<String> {
    let (running, queued, retrying) = state.tally();
    let of = if retrying > 0 { format!(" ({} retrying)", number(retrying)) } else { String::new() };
    let mut said = vec![
        format!("active {}", number(running)),
        format!("pending {}{of}", number(queued + retrying)),
        format!("dead {}", number(state.dead() as u64)),
    ];
    let mut counts = state.counts().in_words();
    counts[0].insert_str(0, &format!("since {} ", times.hour(state.recent)));
    said.extend(counts);
    said
}

fn trend(state: &State, before: &State) -> Vec<String> {
    let ((a, q, r), (a0, q0, r0)) = (state.tally(), before.tally());
    let more = state.counts_since(before);
    let change = |name: &str, from: u64, to: u64| format!("{name} {} to {}", number(from), number(to));
    vec![
        format!("in {}: {}", compact(state.now.since(before.now)), change("active", a0, a)),
        change("pending", q0 + r0, q + r),
        change("dead", before.dead() as u64, state.dead() as u64),
        more_of(more.runs(), "run"),
        more_of(more.skips(), "skip"),
    ]
}

fn more_of(n: u64, noun: &str) -> String {
    count(n, &format!("more {noun}"))
}
