//! A look in words: the page for people, and the same facts as JSON.

use jobstile::client::{Liveness, NodeInfo};
use jobstile_core::run;
use serde_json::{Value, json};

use super::state::{Job, State};
use crate::cmd::open::{Opened, SILENCE};
use crate::text::duration::{compact, short};
use crate::text::json as form;
use crate::text::table::{Cell, Paint, Table};
use crate::text::time::Times;
use crate::text::words::count;

/// Columns that are left out on a narrow terminal, in this order.
const LEFT_OUT: [&str; 6] = ["MAX", "P50", "LAST END", "AVG", "OK", "EVERY"];
/// Hints below the table.
const HINTS: usize = 4;

pub(super) fn page(opened: &Opened, state: &State, before: Option<&State>, colour: bool, width: Option<usize>) -> String {
    let times = Times::here(state.now);
    let paint = |how: Paint, text: &str| if colour { how.over(text) } else { text.to_owned() };
    let mut page = String::new();
    let mut line = |text: String| {
        page.push_str(&text);
        page.push('\n');
    };
    let alive: Vec<&NodeInfo> = state.nodes.iter().filter(|node| node.liveness == Liveness::Alive).collect();
    let silent: Vec<&NodeInfo> =
        alive.iter().copied().filter(|node| state.now.since(node.seen_at) > SILENCE).collect();
    let live = match (alive.len() == silent.len(), state.nodes.iter().max_by_key(|node| node.ended_at.unwrap_or(node.seen_at))) {
        (false, _) => paint(Paint::Good, "live"),
        (true, _) if !silent.is_empty() => paint(Paint::Bad, &not_answering(silent[0], &times)),
        (true, None) => paint(Paint::Bad, "NOT LIVE: no daemon has ever worked on this store"),
        (true, Some(node)) => paint(Paint::Bad, &gone(node, &times)),
    };
    line(format!("jobstile · {} · {} · {live}", opened.shown, times.moment()));
    line(format!("status    {}", status(state, &alive, silent.len(), &times, &paint)));
    line(format!("switches  {}", switches(state)));
    line(format!("now       {}", now(state, &times)));
    if let Some(before) = before {
        line(format!("trend     {}", trend(state, before)));
    }
    line(String::new());
    line(table(state, &times, colour, width).trim_end().to_owned());
    let hints = hints(state);
    if !hints.is_empty() {
        line(String::new());
    }
    hints.into_iter().take(HINTS).for_each(&mut line);
    if !state.events.is_empty() {
        line(String::new());
    }
    for event in &state.events {
        let by = event.by.map_or(String::new(), |by| format!(" by run {by}"));
        let times_said = event.count.max(1);
        let more = if times_said > 1 { format!(" ({times_said} times)") } else { String::new() };
        line(jobstile::text::clean(&format!(
            "{}  {} {} {}{by}{more}  {}",
            times.at(event.last_at),
            event.job,
            if event.source.as_str() == "schedule" { "tick" } else { "trigger" },
            event.decision,
            event.code
        )).into_owned());
    }
    page
}

fn gone(node: &NodeInfo, times: &Times) -> String {
    let (name, pid) = (&node.row.name, node.row.pid);
    match node.ended_at {
        Some(at) => format!("NOT LIVE: {name} (pid {pid}) left {}: {}", times.ago(at), node.end_reason.as_deref().unwrap_or("stopped")),
        None if node.liveness == Liveness::Unknown => {
            format!("LIVE? the lock of {name} (pid {pid}) cannot be looked at; last seen {}", times.ago(node.seen_at))
        }
        None => format!("NOT LIVE: {name} (pid {pid}) was last seen {} and is gone", times.ago(node.seen_at)),
    }
}

fn not_answering(node: &NodeInfo, times: &Times) -> String {
    let (name, pid, seen) = (&node.row.name, node.row.pid, times.ago(node.seen_at));
    format!("NOT ANSWERING: {name} (pid {pid}) is there, but was last seen {seen}: is it stopped?")
}

fn status(state: &State, alive: &[&NodeInfo], silent: usize, times: &Times, paint: &impl Fn(Paint, &str) -> String) -> String {
    if alive.is_empty() {
        let (running, _, _) = state.counts();
        let mut said = "no worker: nothing starts.".to_owned();
        if running > 0 {
            let (runs, were) = (count(running, "run"), if running == 1 { "was" } else { "were" });
            said.push_str(&format!("  {runs} {were} running and will start again when a daemon comes back;"));
        }
        return paint(Paint::Bad, &format!("{said}  {} missed", count(state.overdue(), "tick")));
    }
    let dead = state.dead();
    let slow = state.jobs.iter().filter(|job| job.cannot_keep_up()).count();
    let unable = state.jobs.iter().filter(|job| job.unable.is_some()).count();
    let stacking = state.jobs.iter().filter(|job| job.stacking).count();
    let worries = [(silent, "not answering"), (state.late(), "overdue"), (dead, "dead"), (slow, "cannot keep up"), (unable, "cannot run"), (stacking, "STACKING")];
    let worries: Vec<String> = worries.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    let said = match worries.is_empty() {
        true => paint(Paint::Good, "all is well"),
        false => paint(Paint::Attention, &format!("attention: {}", worries.join(", "))),
    };
    let workers: Vec<String> = alive
        .iter()
        .take(3)
        .map(|node| {
            let busy = state.running.iter().filter(|run| run.row.node.as_deref() == Some(&node.row.id)).count();
            format!(
                "{}, seen {}, up {}, {busy} of {} busy",
                node.row.name,
                times.ago(node.seen_at),
                compact(state.now.since(node.started_at)),
                node.row.workers
            )
        })
        .collect();
    let workers = format!("workers {}: {}", alive.len(), workers.join("; "));
    format!("{said}       {}", jobstile::text::clean(&workers))
}

fn switches(state: &State) -> String {
    let word = |on: bool| if on { "on" } else { "OFF" };
    let s = state.switches;
    let monitoring = state.jobs.iter().filter(|job| job.info.policy.as_ref().is_some_and(|p| p.monitoring)).count();
    format!(
        "deduplication {} · aggressive {} · stacking prevention {} · monitoring (M) {}",
        word(s.deduplication),
        word(s.aggressive),
        word(s.stacking_prevention),
        count(monitoring as u64, "job")
    )
}

fn now(state: &State, times: &Times) -> String {
    let (running, queued, retrying) = state.counts();
    let (ticks, runs, skips) = state.since_hour();
    let of = if retrying > 0 { format!(" ({retrying} retrying)") } else { String::new() };
    format!(
        "active {running} · pending {}{of} · dead {} · since {} {}, {}, {}",
        queued + retrying,
        state.dead(),
        times.at(state.this_hour),
        count(ticks, "tick"),
        count(runs, "run"),
        count(skips, "skip")
    )
}

fn trend(state: &State, before: &State) -> String {
    let ((a, q, r), (a0, q0, r0)) = (state.counts(), before.counts());
    let ((_, runs, skips), (_, runs0, skips0)) = (state.since_hour(), before.since_hour());
    let in_ = compact(state.now.since(before.now));
    format!(
        "in {in_}: active {a0} to {a}, pending {} to {}, dead {} to {}, {} more runs, {} more skips",
        q0 + r0,
        q + r,
        before.dead(),
        state.dead(),
        runs.saturating_sub(runs0),
        skips.saturating_sub(skips0)
    )
}

fn table(state: &State, times: &Times, colour: bool, most: Option<usize>) -> String {
    let mut left_out = 0;
    loop {
        let out = &LEFT_OUT[..left_out];
        let rendered = render(state, times, colour, out);
        let plain = if colour { render(state, times, false, out) } else { rendered.clone() };
        let widest = plain.lines().map(crate::text::table::width).max().unwrap_or(0);
        if most.is_none_or(|most| widest <= most) || left_out == LEFT_OUT.len() {
            return rendered;
        }
        left_out += 1;
    }
}

fn render(state: &State, times: &Times, colour: bool, out: &[&str]) -> String {
    let skips = format!("SKIPS SINCE {}", times.at(state.this_hour));
    let head = ["JOB", "M", ">EVERY", "NOW", "LAST END", ">OK", ">AVG", ">P50", ">P95", ">MAX", ">LOAD", &skips];
    let keep: Vec<bool> = head.iter().map(|name| !out.contains(&name.trim_start_matches('>'))).collect();
    let kept = |all: Vec<Cell>| all.into_iter().zip(&keep).filter(|(_, keep)| **keep).map(|(cell, _)| cell).collect::<Vec<_>>();
    let names: Vec<&str> = head.iter().zip(&keep).filter(|(_, keep)| **keep).map(|(name, _)| *name).collect();
    let mut table = Table::new(&names);
    for job in &state.jobs {
        table.row(kept(row(state, job, times)));
    }
    table.render(colour)
}

fn row(state: &State, job: &Job, times: &Times) -> Vec<Cell> {
    let policy = job.info.policy.as_ref();
    let monitoring = policy.is_some_and(|policy| policy.monitoring);
    let off = policy.is_some_and(|policy| policy.schedule.is_some() && !policy.enabled);
    let every = if off { "off".to_owned() } else { job.every().map_or(String::new(), short) };
    let took = |duration: Option<std::time::Duration>| Cell::from(duration.map_or(String::new(), compact));
    let slow = job.cannot_keep_up();
    let load = job.load.filter(|_| job.every().is_some()).map_or(String::new(), |load| format!("{load:.2}"));
    let skips = match (job.skips(), slow) {
        (0, false) => String::new(),
        (n, false) => n.to_string(),
        (n, true) => format!("{n} cannot keep up"),
    };
    let worry = if slow { Paint::Attention } else { Paint::Plain };
    vec![
        Cell::from(&*job.info.name),
        Cell::from(if monitoring { "M" } else { "" }),
        Cell::from(every),
        doing(state, job, times),
        Cell::new(last(job, times), Paint::Faint),
        Cell::from(job.success().map_or(String::new(), |percent| format!("{percent:.1} %"))),
        took(job.all.run.mean()),
        took(job.all.run.quantile(0.5)),
        took(job.all.run.quantile(0.95)),
        took(job.all.run.max()),
        Cell::new(load, worry),
        Cell::new(skips, worry),
    ]
}

fn doing(state: &State, job: &Job, times: &Times) -> Cell {
    let tally = job.info.tally;
    let mut said = vec![];
    if let Some(pause) = job.info.paused(state.now) {
        said.push(format!("PAUSED by {}", pause.by));
    }
    match job.running.as_slice() {
        [] => {}
        [run] => said.push(format!("running {}", compact(state.now.since(run.row.claimed_at.unwrap_or(run.row.due))))),
        runs => said.push(format!("{} running", runs.len())),
    }
    if let Some(run) = &job.retrying {
        let of = job.info.policy.as_ref().map_or(1, |policy| policy.attempts);
        said.push(format!("retry {} {}/{of}", times.ago(run.row.due), run.row.failures + 1));
    }
    if tally.queued > 0 {
        said.push(format!("{} waiting", tally.queued));
    }
    if job.stacking {
        said.push("STACKING".to_owned());
    }
    if job.unable.is_some() {
        said.push("CANNOT RUN".to_owned());
    }
    let bad = job.stacking || job.unable.is_some();
    if said.is_empty() {
        said.push(if job.info.policy.is_none() { "out of the policy".to_owned() } else { "idle".to_owned() });
    }
    let dead = job.unrecovered().count();
    if let Some(last) = job.unrecovered().map(|dead| dead.run.row.id).max() {
        said.push(if dead > 1 { format!("{dead} DEAD, last run {last}") } else { format!("DEAD run {last}") });
    }
    let paint = match (bad || dead > 0, tally.running > 0) {
        (true, _) => Paint::Bad,
        (false, true) => Paint::Good,
        _ => Paint::Plain,
    };
    Cell::new(said.join(", "), paint)
}

fn last(job: &Job, times: &Times) -> String {
    let Some((run, at)) = job.last.as_ref().and_then(|run| Some((run, run.row.ended_at?))) else { return String::new() };
    let how = match run.row.state {
        run::State::Succeeded => "ok",
        state => state.as_str(),
    };
    let took = run.row.claimed_at.map_or(String::new(), |start| format!(" {}", compact(at.since(start))));
    format!("{} {how}{took}", times.at(at))
}

fn hints(state: &State) -> Vec<String> {
    let mut hints = vec![];
    if state.late() > 0 {
        hints.push("jobs are overdue: nobody could fire them.   jobstile doctor".to_owned());
    }
    for job in &state.jobs {
        let name = &job.info.name;
        if let Some(reason) = &job.unable {
            hints.push(jobstile::text::clean(&format!("{name}: {reason}")).into_owned());
        }
        if let (true, Some(mean), Some(every)) = (job.cannot_keep_up(), job.all.run.mean(), job.every()) {
            hints.push(format!(
                "{name} cannot keep up: takes {}, fires every {}.   jobstile explain {name}",
                compact(mean),
                short(every)
            ));
        }
        if let Some(dead) = job.unrecovered().map(|dead| &dead.run.row).max_by_key(|row| row.id) {
            hints.push(format!("{name} has a dead run.   jobstile logs {0} · jobstile retry {0}", dead.id));
        }
    }
    hints
}

pub(super) fn as_json(opened: &Opened, state: &State) -> Value {
    let (running, queued, retrying) = state.counts();
    let (ticks, runs, skips) = state.since_hour();
    let seconds = |duration: Option<std::time::Duration>| duration.map(|d| d.as_secs_f64());
    let jobs: Vec<Value> = state
        .jobs
        .iter()
        .map(|job| {
            json!({
                "job": &*job.info.name,
                "monitoring": job.info.policy.as_ref().is_some_and(|policy| policy.monitoring),
                "enabled": job.info.policy.as_ref().is_some_and(|policy| policy.enabled),
                "every_s": seconds(job.every()),
                "active": job.info.tally.running,
                "pending": job.info.tally.waiting(),
                "queued": job.info.tally.queued,
                "retrying": job.info.tally.retrying,
                "scheduled": job.info.tally.scheduled,
                "stacking": job.stacking,
                "paused": job.info.paused(state.now).is_some(),
                "cannot_run": job.unable,
                "dead": job.unrecovered().map(|dead| dead.run.row.id.to_string()).collect::<Vec<_>>(),
                "recovered": job.dead.iter().filter(|dead| dead.recovered_by.is_some()).count(),
                "success_percent": job.success(),
                "run_mean_s": seconds(job.all.run.mean()),
                "run_p50_s": seconds(job.all.run.quantile(0.5)),
                "run_p95_s": seconds(job.all.run.quantile(0.95)),
                "run_max_s": seconds(job.all.run.max()),
                "load": job.load,
                "skips": job.skips(),
                "last_end": job.last.as_ref().map(form::run),
                "running": job.running.iter().map(form::run).collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({
        "store": opened.client.path(),
        "at": form::time(state.now),
        "live": !opened.alive.is_empty(),
        "switches": form::switches(state.switches),
        "active": running,
        "pending": queued + retrying,
        "dead": state.dead(),
        "since": form::time(state.this_hour),
        "averages_since": form::time(state.since),
        "ticks": ticks,
        "runs": runs,
        "skips": skips,
        "nodes": state.nodes.iter().filter(|node| node.liveness != Liveness::Ended).map(|node| form::node(node, &[])).collect::<Vec<_>>(),
        "jobs": jobs,
        "events": state.events.iter().map(form::decision).collect::<Vec<_>>(),
    })
}
