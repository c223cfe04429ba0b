//! The head of the page: whose store, whether anybody works on it, what is wrong, who works, and how much.

use jobstile::answer::{Live, Node, Overview};
use jobstile::client::Liveness;

use crate::cmd::open::Opened;
use crate::text::duration::measured;
use crate::text::fit::{Form, Piece, cut_front};
use crate::text::table::Paint;
use crate::text::time::Times;
use crate::text::words::{attention, count, number, pattern};

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
    pub(super) fn of(opened: &Opened, state: &Overview, before: Option<&Overview>, form: Form) -> Self {
        let times = Times::here(state.at);
        let alive: Vec<&Node> = state.nodes.iter().filter(|node| node.alive()).collect();
        let title: [Piece; 4] = [
            "jobstile".into(),
            form.width.map_or(opened.shown.clone(), |most| cut_front(&opened.shown, most / 2)).into(),
            times.moment().into(),
            live(state, &times),
        ];
        let mut first = form.flow("", &title, BETWEEN);
        first.extend(status(state, &alive, &times, form));
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

fn live(state: &Overview, times: &Times) -> Piece {
    let nodes = &state.nodes;
    let bad = |said: String| Piece::new(said, Paint::Bad);
    match state.live {
        Live::Yes => Piece::new("live", Paint::Good),
        Live::Never => bad("NOT LIVE: no daemon has ever worked on this store".to_owned()),
        Live::Silent => bad(nodes.iter().find(|node| node.silent).map_or(String::new(), |node| {
            let (who, seen) = (with_pid(node), times.ago(node.info.seen_at));
            format!("NOT ANSWERING: {who} is there, but was last seen {seen}: is it stopped?")
        })),
        Live::Unsure => bad(nodes.iter().find(|node| node.info.liveness == Liveness::Unknown).map_or(String::new(), |node| {
            let (who, seen) = (with_pid(node), times.ago(node.info.seen_at));
            format!("LIVE? the lock of {who} cannot be looked at; last seen {seen}")
        })),
        Live::Left => {
            let last = nodes.iter().max_by_key(|node| node.until(state.at));
            bad(format!("NOT LIVE: {}", last.map_or(String::new(), |node| gone(node, times))))
        }
    }
}

fn with_pid(node: &Node) -> String {
    format!("{} (pid {})", node.info.row.name, node.info.row.pid)
}

fn gone(node: &Node, times: &Times) -> String {
    let who = with_pid(node);
    let Some(at) = node.info.ended_at else {
        return format!("{who} was last seen {} and is gone", times.ago(node.info.seen_at));
    };
    let left = match times.now().since(at).as_secs() {
        0 => "has just left".to_owned(),
        _ => format!("left {}", times.ago(at)),
    };
    match node.info.end_reason.as_deref() {
        None | Some("stopped") => format!("{who} {left}"),
        Some(reason) => format!("{who} {left}: {reason}"),
    }
}

fn status(state: &Overview, alive: &[&Node], times: &Times, form: Form) -> Vec<String> {
    const LABEL: &str = "status    ";
    if alive.is_empty() {
        return form.flow(LABEL, &[Piece::new(nobody(state), Paint::Bad)], BETWEEN);
    }
    let mut worries = attention::in_short(&state.attention());
    if let Some(first) = worries.first_mut() {
        first.insert_str(0, "attention: ");
    }
    let said = match worries.is_empty() {
        true => vec![Piece::new("all is well", Paint::Good)],
        false => worries.iter().map(|worry| Piece::new(worry, Paint::Attention)).collect(),
    };
    let workers = workers(state, alive, times);
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

fn nobody(state: &Overview) -> String {
    let running = state.orphans();
    let unsure = state.live == Live::Unsure;
    let mut said = vec![];
    if running > 0 {
        let (were, start) = if running == 1 { ("was", "starts") } else { ("were", "start") };
        said.push(format!("{} {were} running and {start} again when a daemon comes back", count(running, "run")));
    }
    if state.overdue() > 0 {
        said.push(format!("{} passed", count(state.overdue(), "tick")));
    }
    let first = if unsure { "nobody is known to work here." } else { "no worker: nothing starts." };
    if said.is_empty() { first.to_owned() } else { format!("{first} {}", said.join("; ")) }
}

// After `workers `: how many, and each with its age.
fn workers(state: &Overview, alive: &[&Node], times: &Times) -> Vec<(String, Paint)> {
    let text = |node: &Node| {
        let (seen, up) = (times.ago(node.info.seen_at), measured(state.at.since(node.info.started_at)));
        format!("{}, seen {seen}, up {up}, {} of {} busy", node.name, node.busy, node.info.row.workers)
    };
    let paint = |node: &Node| if node.silent { Paint::Bad } else { Paint::Plain };
    let mut said: Vec<(String, Paint)> =
        alive.iter().take(WORKERS).map(|node| (text(node), paint(node))).collect();
    if let Some((first, _)) = said.first_mut() {
        first.insert_str(0, &format!("{}: ", alive.len()));
    }
    if alive.len() > WORKERS {
        said.push((format!("and {} more: jobstile nodes", alive.len() - WORKERS), Paint::Plain));
    }
    said
}

fn switches(state: &Overview) -> Vec<Piece> {
    let piece = |name: &str, on: bool| match on {
        true => Piece::from(format!("{name} on")),
        false => Piece::new(format!("{name} OFF"), Paint::Attention),
    };
    let s = state.switches;
    let monitoring = state.jobs.iter().filter(|job| job.is_monitoring()).count() as u64;
    vec![
        piece("deduplication", s.deduplication),
        piece("aggressive", s.aggressive),
        piece("stacking prevention", s.stacking_prevention),
        format!("monitoring (M) {}", count(monitoring, "job")).into(),
    ]
}

fn now(state: &Overview, times: &Times) -> Vec<String> {
    let retrying = state.retrying();
    let of = if retrying > 0 { format!(" ({} retrying)", number(retrying)) } else { String::new() };
    let mut said = vec![format!("active {}", number(state.active()))];
    if state.orphans() > 0 {
        said.push(format!("was running {}", number(state.orphans())));
    }
    said.push(format!("pending {}{of}", number(state.queued() + retrying)));
    said.push(format!("dead {}", number(state.dead() as u64)));
    let mut counts = pattern::counts(state.counts());
    counts[0].insert_str(0, &format!("{}: ", pattern::window(state.window, times)));
    said.extend(counts);
    said
}

fn trend(state: &Overview, before: &Overview) -> Vec<String> {
    let more = state.counts_since(before);
    let change = |name: &str, of: &dyn Fn(&Overview) -> u64| {
        format!("{name} {} to {}", number(of(before)), number(of(state)))
    };
    vec![
        format!("in {}: {}", measured(state.at.since(before.at)), change("active", &Overview::active)),
        change("pending", &|look| look.queued() + look.retrying()),
        change("dead", &|look| look.dead() as u64),
        more_of(more.runs(), "run"),
        more_of(more.skips(), "skip"),
    ]
}

fn more_of(n: u64, noun: &str) -> String {
    count(n, &format!("more {noun}"))
}
