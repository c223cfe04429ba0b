//! Answers as JSON: facts with a `kind` each, durations in seconds.

use std::time::Duration;

use jobstile::answer::{
    Advice, Attention, Became, Counts, Event, Explained, ExplainedRun, Holder, InTheWay, Job, KeyAnswer, ListedRun,
    Overview, Pattern, Remains, Rule, Running, Standing, Unusual, Waits, What, Window,
};
use jobstile::client::{Liveness, TurnedAway};
use jobstile_core::id::RunId;
use jobstile_core::time::Time;
use serde_json::{Map, Value, json};

use crate::text::words;

use super::{attempt, id, maybe_run, maybe_time, pause, run, switches, tally, time};

fn s(duration: Duration) -> f64 {
    // Whole microseconds are what the store has.
    duration.as_micros() as f64 / 1e6
}

fn maybe_s(duration: Option<Duration>) -> Option<f64> {
    duration.map(s)
}

fn with(mut base: Value, more: Value) -> Value {
    if let (Value::Object(base), Value::Object(more)) = (&mut base, more) {
        base.extend(more);
    }
    base
}

/// A job explained, with its one sentence.
pub(crate) fn explained(all: &Explained, sentence: &str) -> Value {
    json!({
        "job": &*all.job.info.name,
        "standing": standing(&all.standing),
        "in_the_way": all.in_the_way.as_ref().map(in_the_way),
        "next_tick": all.next_tick.map(|next| json!({
            "at": time(next.at),
            "would": { "decision": next.decision.as_str(), "code": next.code.as_str(), "by": maybe_run(next.by) },
        })),
        "rule": all.rule.as_ref().map(rule),
        "running": all.job.running.iter().map(running).collect::<Vec<_>>(),
        "waiting": all.waiting.iter().map(|run| id(run.row.id)).collect::<Vec<_>>(),
        "later": all.job.upcoming.iter().map(|run| json!({
            "run": id(run.row.id), "state": run.row.state.as_str(), "due_at": time(run.row.due),
        })).collect::<Vec<_>>(),
        "runs": tally(all.job.info.tally),
        "happened": all.happened.iter().map(event).collect::<Vec<_>>(),
        "may_miss_changes": maybe_run(all.may_miss),
        "catch_up": all.catch_up.as_ref().map(run),
        "pattern": pattern(&all.pattern),
        "advice": all.advice.iter().map(advice).collect::<Vec<_>>(),
        "sentence": sentence,
    })
}

/// A run explained, with its one sentence.
pub(crate) fn explained_run(all: &ExplainedRun, sentence: &str) -> Value {
    json!({
        "run": run_of(&all.overview, &all.run),
        "waits": all.waits.as_ref().map(waits),
        "happened": all.happened.iter().map(event).collect::<Vec<_>>(),
        "turned_away": turned_away(all.turned_away),
        "result": super::kept(all.result.as_deref()),
        "sentence": sentence,
    })
}

/// A key explained, with its one sentence.
pub(crate) fn key(answer: &KeyAnswer, sentence: &str) -> Value {
    json!({
        "job": &*answer.job.name,
        "key": super::kept(Some(&answer.key)),
        "holder": answer.holder.as_ref().map(|holder| with(
            explained_run(&holder.run, sentence),
            json!({ "usual_s": maybe_s(holder.usual) }),
        )),
        "sentence": sentence,
    })
}

/// A run whose node may be gone: it is not `running` then.
pub(crate) fn run_of(overview: &Overview, of: &jobstile::client::RunInfo) -> Value {
    let mut all = run(of);
    if overview.was_running(of) {
        all["state"] = "was_running".into();
    }
    all["waits"] = overview.waits(of).as_ref().map_or(Value::Null, waits);
    all
}

fn standing(of: &Standing) -> Value {
    match of {
        Standing::Running { run, others, for_, usual, unusual } => json!({
            "kind": "running", "run": id(*run), "others": others, "for_s": s(*for_), "usual_s": maybe_s(*usual), "unusual": unusual,
        }),
        Standing::WasRunning { run, others, node } => {
            json!({ "kind": "was_running", "run": id(*run), "others": others, "node": node })
        }
        Standing::Retrying { run, due, attempt, others } => {
            json!({ "kind": "retrying", "run": id(*run), "others": others, "due_at": time(*due), "attempt": attempt })
        }
        Standing::Waiting { run, since, waits: what, others } => json!({
            "kind": "waiting", "run": id(*run), "others": others, "due_at": time(*since), "waits": waits(what),
        }),
        Standing::Later { run, due, others } => {
            json!({ "kind": "later", "run": id(*run), "others": others, "due_at": time(*due) })
        }
        Standing::Dead { run, code, failures, lost } => json!({
            "kind": "dead", "run": id(*run), "code": code.map(|code| code.as_str()), "failures": failures, "lost": lost,
        }),
        Standing::Idle => json!({ "kind": "idle" }),
    }
}

fn reasons(of: &[(String, String)]) -> Value {
    of.iter().map(|(node, reason)| json!({ "node": node, "reason": reason })).collect::<Vec<_>>().into()
}

/// What stops the next start of a job.
pub(crate) fn in_the_way(way: &InTheWay) -> Value {
    match way {
        InTheWay::NoConfiguration { since, version, meant } => json!({
            "kind": "no_configuration", "since": maybe_time(*since), "version": id(version), "did_you_mean": meant,
        }),
        InTheWay::Paused(held) => with(json!({ "kind": "paused" }), pause(held)),
        InTheWay::NoDaemon { library } => json!({ "kind": "no_daemon", "library": library }),
        InTheWay::CannotRun(why) => json!({ "kind": "cannot_run", "nodes": reasons(why) }),
        InTheWay::SwitchedOff(origin) => json!({ "kind": "switched_off", "by": words::standing::switched_off(origin) }),
        InTheWay::Overdue { count, since } => json!({ "kind": "overdue", "count": count, "since": time(*since) }),
        InTheWay::ClockBehind { last } => json!({ "kind": "clock_behind", "last_instant_at": time(*last) }),
        InTheWay::Run { run, decision, code } => {
            json!({ "kind": "run", "run": maybe_run(*run), "decision": decision.as_str(), "code": code.as_str() })
        }
    }
}

/// What a run waits for.
pub(crate) fn waits(of: &Waits) -> Value {
    let ids = |runs: &[RunId]| runs.iter().map(id).collect::<Vec<_>>();
    match of {
        Waits::Job(way) => in_the_way(way),
        Waits::Retry(due) => json!({ "kind": "retry", "due_at": time(*due) }),
        Waits::Later(due) => json!({ "kind": "later", "due_at": time(*due) }),
        Waits::Slot(by) => json!({ "kind": "slot", "held_by": ids(by) }),
        Waits::Other(what) => json!({ "kind": "other", "waits_on": what }),
        Waits::Worker { busy, workers } => json!({ "kind": "worker", "busy": busy, "workers": workers }),
        Waits::Nothing => json!({ "kind": "nothing" }),
    }
}

fn rule(of: &Rule) -> Value {
    json!({
        "slots": of.slots,
        "places": u64::from(of.slots.unwrap_or(0)) + of.waiting,
        "counts": if of.slots.is_some() && of.deduplication { "live" } else { "waiting" },
        "on_full": of.on_full.as_str(),
        "dedup": of.dedup.as_ref().map(super::dedup),
        "deduplication": of.deduplication,
        "aggressive_deduplication": of.aggressive,
        "final_execution_check": of.final_check,
        "from": words::origin(&of.from),
    })
}

fn unusual(of: Unusual) -> Value {
    json!({ "usual_s": maybe_s(of.usual), "longest_s": maybe_s(of.longest) })
}

fn turned_away(of: TurnedAway) -> Value {
    json!({ "count": of.count, "first_at": maybe_time(of.first_at), "last_at": maybe_time(of.last_at) })
}

fn running(of: &Running) -> Value {
    let mut all = run(&of.run);
    if of.is_orphan() {
        all["state"] = "was_running".into();
    }
    with(
        all,
        json!({
            "node_name": of.node,
            "for_s": s(of.for_),
            "unusual": of.unusual.map(unusual),
            "turned_away": turned_away(of.turned_away),
            "remains": of.remains.as_ref().map(remains),
        }),
    )
}

/// A run in a list.
pub(crate) fn listed(of: &ListedRun, now: Time) -> Value {
    let mut all = run(&of.run);
    if of.was_running {
        all["state"] = "was_running".into();
    }
    with(
        all,
        json!({
            "node_name": of.node,
            "took_s": maybe_s(of.took(now)),
            "waits": of.waits.as_ref().map(waits),
            "turned_away": turned_away(of.turned_away),
        }),
    )
}

/// What happened.
pub(crate) fn event(of: &Event) -> Value {
    let what = match &of.what {
        What::Admitted { source, by, rerun_of } => {
            json!({ "kind": "admitted", "source": source.as_str(), "by_whom": &**by, "rerun_of": maybe_run(*rerun_of) })
        }
        What::TurnedAway { tick, decision, code, by } => json!({
            "kind": decision.as_str(), "tick": tick, "count": of.times, "code": code.as_str(), "by": maybe_run(*by),
        }),
        What::Missed { count, somebody_was_there } => {
            json!({ "kind": "missed", "count": count, "code": "missed", "somebody_was_there": somebody_was_there })
        }
        What::Started { attempt, of, node } => {
            json!({ "kind": "started", "attempt": attempt, "of": of, "node": node })
        }
        What::WasRunning { attempt, node } => json!({ "kind": "was_running", "attempt": attempt, "node": node }),
        What::Ended { attempt: one, of, node, left, code, again, .. } => with(
            attempt(one),
            json!({
                "kind": "ended", "of": of, "node": node, "took_s": maybe_s(one.took()),
                "left": left.map(|state| state.as_str()), "code": code.map(|code| code.as_str()), "again_at": maybe_time(*again),
            }),
        ),
        What::Closed { state, code, by, who } => json!({
            "kind": state.as_str(), "code": code.map(|code| code.as_str()), "by": maybe_run(*by), "by_whom": who,
        }),
        What::Reloaded { node, changes } => json!({ "kind": "reloaded", "node": node, "changes": changes }),
        What::ReloadRefused { node, why } => json!({ "kind": "reload_refused", "node": node, "why": why }),
        What::NodeStarted { node } => json!({ "kind": "node_started", "node": node }),
        What::NodeWent { node, stopped, found_dead } => {
            json!({ "kind": "node_went", "node": node, "stopped": stopped, "found_dead": found_dead })
        }
    };
    let base = json!({
        "at": time(of.at),
        "first_at": time(of.first_at),
        "times": of.times,
        "job": of.job.as_deref(),
        "run": maybe_run(of.run),
    });
    with(base, what)
}

fn became(of: Became) -> Map<String, Value> {
    let parts = [
        ("all", of.all),
        ("runs", of.runs),
        ("skips", of.skips),
        ("taken_in", of.taken_in),
        ("missed", of.missed),
        ("rejected", of.rejected),
    ];
    parts.into_iter().map(|(name, n)| (name.to_owned(), n.into())).collect()
}

/// What became of triggers.
pub(crate) fn counts(of: Counts) -> Value {
    json!({
        "ticks": of.ticks.all,
        "runs": of.runs(),
        "skips": of.skips(),
        "refused": of.refused,
        "missed": of.ticks.missed + of.triggers.missed,
        "rejected": of.ticks.rejected + of.triggers.rejected,
        "of_ticks": became(of.ticks),
        "of_triggers": became(of.triggers),
    })
}

fn window(of: Window) -> Value {
    json!({ "since": time(of.since), "all_there_is": of.all_there_is })
}

fn pattern(of: &Pattern) -> Value {
    let base = with(window(of.window), counts(of.counts));
    with(
        base,
        json!({
            "waiting": of.waiting, "mean_s": maybe_s(of.mean), "every_s": maybe_s(of.every), "load": of.load,
        }),
    )
}

fn advice(of: &Advice) -> Value {
    match of {
        Advice::LongerInterval { every, skips } => {
            json!({ "kind": "longer_interval", "every_s": s(*every), "skips": skips })
        }
        Advice::NoRetries { delay, every } => {
            json!({ "kind": "no_retries", "delay_s": s(*delay), "every_s": s(*every) })
        }
        Advice::RetryNow { run, attempt } => json!({ "kind": "retry_now", "run": id(*run), "attempt": attempt }),
        Advice::Logs { run } => json!({ "kind": "logs", "run": id(*run) }),
        Advice::Retry { run } => json!({ "kind": "retry", "run": id(*run) }),
        Advice::Cancel { run } => json!({ "kind": "cancel", "run": id(*run) }),
        Advice::Resume => json!({ "kind": "resume" }),
        Advice::Serve => json!({ "kind": "serve" }),
        Advice::StartProgram => json!({ "kind": "start_program" }),
        Advice::NameAgain => json!({ "kind": "name_again" }),
        Advice::Doctor => json!({ "kind": "doctor" }),
    }
}

fn remains(of: &Remains) -> Value {
    let held = |by: &[Holder]| -> Vec<Value> {
        by.iter().map(|one| json!({ "pid": one.pid, "uid": one.uid, "name": one.name })).collect()
    };
    match of {
        Remains::OfDeadNode(by) => json!({ "kind": "lives_without_node", "processes": held(by) }),
        Remains::PastTimeout(by) => json!({ "kind": "past_its_timeout", "processes": held(by) }),
        Remains::Unknown => json!({ "kind": "unknown_whether_it_lives" }),
    }
}

fn attention(of: &Attention) -> Value {
    match of {
        Attention::NotAnswering { nodes } => json!({ "kind": "not_answering", "nodes": nodes }),
        Attention::Refused { node, at, why } => {
            json!({ "kind": "configuration_refused", "node": node, "at": time(*at), "why": why })
        }
        Attention::Remains { job, run, node, remains: left } => {
            with(json!({ "job": job, "run": id(*run), "node_name": node }), remains(left))
        }
        Attention::CannotRun { job, reasons: why, waiting } => {
            json!({ "kind": "cannot_run", "job": job, "nodes": reasons(why), "waiting": waiting })
        }
        Attention::NoConfiguration { job, runs, since, version, meant } => json!({
            "kind": "no_configuration", "job": job, "runs": runs, "since": maybe_time(*since), "version": id(version), "did_you_mean": meant,
        }),
        Attention::Overdue { jobs } => json!({ "kind": "overdue", "jobs": jobs }),
        Attention::Unusual { job, run, for_, unusual: how, turned_away } => with(
            json!({ "kind": "unusually_long", "job": job, "run": id(*run), "for_s": s(*for_), "turned_away": turned_away }),
            unusual(*how),
        ),
        Attention::Dead { job, count, run, at } => {
            json!({ "kind": "dead", "job": job, "count": count, "run": id(*run), "at": time(*at) })
        }
        Attention::Stacking { job, waiting } => json!({ "kind": "stacking", "job": job, "waiting": waiting }),
        Attention::Workers { busy, workers, waiting } => {
            json!({ "kind": "workers", "busy": busy, "workers": workers, "waiting": waiting })
        }
        Attention::Paused(held) => json!({
            "kind": "paused", "jobs": held.jobs, "since": time(held.since), "until": maybe_time(held.until),
            "by": held.by, "reason": held.why, "waiting": held.waiting,
        }),
        Attention::CannotKeepUp { job, mean, every } => {
            json!({ "kind": "cannot_keep_up", "job": job, "mean_s": s(*mean), "every_s": s(*every) })
        }
    }
}

/// Everything at a look; `says` words what needs somebody and what to type.
pub(crate) fn overview(
    of: &Overview,
    store: &std::path::Path,
    says: impl Fn(&Attention) -> (String, Vec<String>),
) -> Value {
    let needs = of.attention();
    let needs: Vec<Value> = needs
        .iter()
        .map(|one| {
            let (sentence, commands) = says(one);
            with(attention(one), json!({ "says": sentence, "try": commands }))
        })
        .collect();
    let nodes = of.nodes.iter().filter(|node| node.info.liveness != Liveness::Ended);
    let base = json!({
        "store": store,
        "at": time(of.at),
        "live": of.nodes.iter().any(jobstile::answer::Node::alive),
        "switches": switches(of.switches),
        "active": of.active(),
        "was_running": of.orphans(),
        "pending": of.queued() + of.retrying(),
        "dead": of.dead(),
        "attention": needs,
        "nodes": nodes.map(|node| super::node(&node.info, &node.offers)).collect::<Vec<_>>(),
        "jobs": of.current().map(|one| job(of, one)).collect::<Vec<_>>(),
        "recent": of.events.iter().map(event).collect::<Vec<_>>(),
    });
    with(with(base, window(of.window)), counts(of.counts()))
}

/// A job at a look.
pub(crate) fn job(overview: &Overview, of: &Job) -> Value {
    let took = &of.numbers.run;
    let base = json!({
        "job": &*of.info.name,
        "monitoring": of.is_monitoring(),
        "enabled": of.is_on(),
        "in_policy": of.info.policy.is_some(),
        "switched_off_by": of.switched_off().as_ref().map(words::standing::switched_off),
        "every_s": maybe_s(of.every()),
        "active": of.info.tally.running - of.orphans(),
        "was_running": of.orphans(),
        "pending": of.info.tally.waiting(),
        "queued": of.info.tally.queued,
        "retrying": of.info.tally.retrying,
        "scheduled": of.info.tally.scheduled,
        "stacking": of.stacking,
        "paused": of.info.paused(overview.at).is_some(),
        "pause": of.info.paused(overview.at).map(pause),
        "cannot_run": of.stuck().map(reasons),
        "dead": of.unrecovered().map(|dead| id(dead.run.row.id)).collect::<Vec<_>>(),
        "recovered": of.dead.iter().filter(|dead| dead.recovered_by.is_some()).count(),
        "success_percent": of.success(),
        "run_mean_s": maybe_s(took.mean()),
        "run_p50_s": maybe_s(took.quantile(0.5)),
        "run_p95_s": maybe_s(took.quantile(0.95)),
        "run_max_s": maybe_s(took.max()),
        "load": of.load,
        "cannot_keep_up": of.cannot_keep_up(),
        "last_end": of.last.as_ref().map(run),
        "last_attempt": of.last_attempt.as_ref().map(attempt),
        "running": of.running.iter().map(running).collect::<Vec<_>>(),
        "next_later": of.later().map(|run| json!({ "run": id(run.row.id), "due_at": time(run.row.due) })),
    });
    with(base, counts(of.counts))
}
