//! A look as JSON.

use jobstile::client::Liveness;
use serde_json::{Value, json};

use super::counts::Became;
use super::events::Event;
use super::state::State;
use super::worries;
use crate::cmd::open::Opened;
use crate::text::json as form;

pub(super) fn of(opened: &Opened, state: &State) -> Value {
    let (running, queued, retrying) = state.tally();
    let counts = state.counts();
    let seconds = |duration: Option<std::time::Duration>| duration.map(|d| d.as_secs_f64());
    let jobs: Vec<Value> = state
        .jobs
        .iter()
        .map(|job| {
            json!({
                "job": &*job.info.name,
                "monitoring": job.monitoring(),
                "enabled": job.on(),
                "switched_off_by": job.switched_off_by(),
                "every_s": seconds(job.every()),
                "active": job.info.tally.running,
                "pending": job.info.tally.waiting(),
                "queued": job.info.tally.queued,
                "retrying": job.info.tally.retrying,
                "scheduled": job.info.tally.scheduled,
                "stacking": job.stacking,
                "paused": job.info.paused(state.now).is_some(),
                "pause": job.info.paused(state.now).map(form::pause),
                "cannot_run": job.unable,
                "dead": job.unrecovered().map(|dead| dead.run.row.id.to_string()).collect::<Vec<_>>(),
                "recovered": job.dead.iter().filter(|dead| dead.recovered_by.is_some()).count(),
                "success_percent": job.success(),
                "run_mean_s": seconds(job.all.run.mean()),
                "run_p50_s": seconds(job.all.run.quantile(0.5)),
                "run_p95_s": seconds(job.all.run.quantile(0.95)),
                "run_max_s": seconds(job.all.run.max()),
                "load": job.load,
                "cannot_keep_up": job.cannot_keep_up(),
                "skips": job.counts.skips(),
                "ticks": became(job.counts.ticks),
                "triggers": became(job.counts.triggers),
                "refused": job.counts.refused,
                "last_end": job.last.as_ref().map(form::run),
                "last_attempt": job.last_attempt.as_ref().map(form::attempt),
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
        "since": form::time(state.recent),
        "averages_since": form::time(state.since),
        "ticks": counts.ticks.all(),
        "runs": counts.runs(),
        "skips": counts.skips(),
        "refused": counts.refused,
        "of_ticks": became(counts.ticks),
        "of_triggers": became(counts.triggers),
        "worries": worries::of(state).iter().map(|one| json!({ "says": one.says, "try": one.commands })).collect::<Vec<_>>(),
        "nodes": state.nodes.iter().filter(|node| node.liveness != Liveness::Ended).map(|node| form::node(node, &[])).collect::<Vec<_>>(),
        "jobs": jobs,
        "events": state.refusals.iter().map(form::decision).collect::<Vec<_>>(),
        "recent": state.events.iter().map(event).collect::<Vec<_>>(),
    })
}

fn became(of: Became) -> Value {
    json!({ "all": of.all(), "runs": of.runs, "skips": of.skips, "missed": of.missed, "rejected": of.rejected })
}

fn event(event: &Event) -> Value {
    json!({
        "at": form::time(event.at),
        "first_at": form::time(event.first_at),
        "times": event.times,
        "job": &*event.job,
        "run": event.run.map(form::id),
        "says": event.text,
        "code": (!event.code.is_empty()).then_some(event.code),
    })
}
