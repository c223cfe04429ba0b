//! What needs somebody: a sentence each, and what to type.

use jobstile::answer::{Attention, Holder, Remains};
use jobstile::engine::host;
use jobstile_core::id::RunId;

use super::standing::{cannot_run, no_configuration, workers_busy};
use super::{count, number};
use crate::text::duration::{measured, short};
use crate::text::table::Paint;
use crate::text::time::Times;

/// Processes of a run that are named.
const NAMED: usize = 3;

/// One thing that needs somebody.
pub(crate) struct Said {
    pub(crate) says: String,
    pub(crate) commands: Vec<String>,
    pub(crate) paint: Paint,
}

/// Words one of them.
pub(crate) fn attention(one: &Attention, times: &Times) -> Said {
    let said = |paint: Paint, says: String, commands: &[String]| Said { says, commands: commands.to_vec(), paint };
    let explain = |job: &str| [format!("jobstile explain {job}")];
    match one {
        Attention::NotAnswering { nodes } => said(
            Paint::Bad,
            format!("{} does not answer: is it stopped?", nodes.join(", ")),
            &["jobstile doctor".to_owned()],
        ),
        Attention::Refused { node, at, why } => said(
            Paint::Bad,
            format!("configuration refused at {} by {node}: {why}.", times.at(*at)),
            &["jobstile check".to_owned(), "jobstile reload".to_owned()],
        ),
        Attention::Remains { job, run, node, remains: left } => {
            let commands = match left {
                Remains::OfDeadNode(holders) | Remains::PastTimeout(holders) if !holders.is_empty() => {
                    let pids: Vec<String> = holders.iter().map(|holder| holder.pid.to_string()).collect();
                    format!("kill -KILL {}", pids.join(" "))
                }
                Remains::OfDeadNode(_) | Remains::PastTimeout(_) | Remains::Unknown => "jobstile doctor".to_owned(),
            };
            said(Paint::Bad, remains(job, *run, node, left), &[commands])
        }
        Attention::CannotRun { job, reasons, waiting } => {
            let waiting = if *waiting > 0 { format!("; {} waiting", count(*waiting, "run")) } else { String::new() };
            said(Paint::Bad, format!("{job} cannot run: {}{waiting}.", cannot_run(reasons)), &explain(job))
        }
        Attention::NoConfiguration { job, runs, since, version, meant } => {
            let wait = if *runs == 1 { "waits" } else { "wait" };
            let why = no_configuration(*since, *version, meant.as_deref(), times);
            let stop = if why.ends_with('?') { "" } else { "." };
            said(Paint::Bad, format!("{} of {job} {wait}: {why}{stop}", count(*runs, "run")), &explain(job))
        }
        Attention::Overdue { jobs } => {
            let (who, are) = match jobs.as_slice() {
                [one] => (one.clone(), "is"),
                many => (count(many.len() as u64, "job"), "are"),
            };
            said(Paint::Bad, format!("{who} {are} overdue: nobody could fire."), &["jobstile doctor".to_owned()])
        }
        Attention::Unusual { job, run, for_, unusual, turned_away } => {
            let usual = unusual.usual.map_or(String::new(), |usual| format!(", usually {}", measured(usual)));
            let longest = unusual.longest.map_or(String::new(), |most| format!(", at most {}", measured(most)));
            let away = match turned_away {
                0 => String::new(),
                n => format!("; it turned away {}", count(*n, "trigger")),
            };
            let says = format!("run {run} of {job} is unusually long: {}{usual}{longest}{away}.", measured(*for_));
            said(Paint::Attention, says, &[format!("jobstile logs {run}"), format!("jobstile cancel {run}")])
        }
        Attention::Dead { job, count: 1, run, at } => {
            let commands = [format!("jobstile logs {run}"), format!("jobstile retry {run}")];
            said(Paint::Bad, format!("{job} has a dead run since {}.", times.at(*at)), &commands)
        }
        Attention::Dead { job, count: n, run, at } => {
            let says = format!("{job} has {}, the last since {}.", count(*n, "dead run"), times.at(*at));
            let commands = [format!("jobstile logs {run}"), format!("jobstile retry --job {job} --dead")];
            said(Paint::Bad, says, &commands)
        }
        Attention::Stacking { job, waiting } => {
            said(Paint::Bad, format!("{job} is STACKING: {} waiting.", count(*waiting, "run")), &explain(job))
        }
        Attention::Workers { busy, workers, waiting } => {
            let waits = if *waiting == 1 { "waits" } else { "wait" };
            let says = format!(
                "{}, {} {waits} for one: raise `workers`.",
                workers_busy(*busy, *workers),
                count(*waiting, "run")
            );
            said(Paint::Attention, says, &["jobstile nodes".to_owned()])
        }
        Attention::Paused(held) => {
            let until = held.until.map_or(String::new(), |until| format!(" until {}", times.at(until)));
            let why = held.why.as_ref().map_or(String::new(), |why| format!(": {why}"));
            let waiting =
                if held.waiting > 0 { format!(", {} waiting", count(held.waiting, "run")) } else { String::new() };
            let (who, command) = match held.jobs.as_slice() {
                [one] => (format!("{one} is"), format!("jobstile resume {one}")),
                many if held.all => {
                    (format!("all {} are", count(many.len() as u64, "job")), "jobstile resume --all".to_owned())
                }
                many => (format!("{} are", many.join(", ")), "jobstile ls".to_owned()),
            };
            let since = times.at(held.since);
            said(
                Paint::Attention,
                format!("{who} paused{until} by {}{why}; since {since}{waiting}.", held.by),
                &[command],
            )
        }
        Attention::CannotKeepUp { job, mean, every } => {
            let says = format!("{job} cannot keep up: takes {}, fires every {}.", measured(*mean), short(*every));
            said(Paint::Attention, says, &explain(job))
        }
    }
}

/// Why a run keeps its slot although no node can end it or vouch for it.
pub(crate) fn remains(job: &str, run: RunId, node: &str, remains: &Remains) -> String {
    match remains {
        Remains::OfDeadNode(holders) => {
            let who = living(holders);
            format!("run {run} of {job} still lives although its node {node} is dead: {who}; its slot stays taken.")
        }
        Remains::PastTimeout(holders) => {
            format!("run {run} of {job} is past its timeout and cannot be ended: {}.", living(holders))
        }
        Remains::Unknown => format!(
            "nobody can say whether run {run} of {job} lives: the lock file of its node {node} cannot be read; its slot stays taken."
        ),
    }
}

// `pid 123 (sleep) is root's`
fn living(holders: &[Holder]) -> String {
    if holders.is_empty() {
        return "its processes cannot be seen from here".to_owned();
    }
    let whose = |uid| host::user_name(uid).unwrap_or_else(|| format!("user {uid}"));
    let one = |holder: &Holder| format!("pid {} ({}) is {}'s", holder.pid, holder.name, whose(holder.uid));
    let named: Vec<String> = holders.iter().take(NAMED).map(one).collect();
    let more = holders.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {} more", number(more as u64)) } else { String::new() };
    named.join(", ") + &more
}

/// The same in two words, for the line of the status: how many, and what they are.
pub(crate) fn in_short(all: &[Attention]) -> Vec<String> {
    const ORDER: [&str; 12] = [
        "not answering",
        "configuration refused",
        "beyond control",
        "cannot run",
        "without a configuration",
        "overdue",
        "dead",
        "unusually long",
        "STACKING",
        "waiting for a worker",
        "paused",
        "cannot keep up",
    ];
    let mut counts = [0_u64; ORDER.len()];
    for one in all {
        let (at, n) = match one {
            Attention::NotAnswering { nodes } => (0, nodes.len() as u64),
            Attention::Refused { .. } => (1, 1),
            Attention::Remains { .. } => (2, 1),
            Attention::CannotRun { .. } => (3, 1),
            Attention::NoConfiguration { .. } => (4, 1),
            Attention::Overdue { jobs } => (5, jobs.len() as u64),
            Attention::Dead { count, .. } => (6, *count),
            Attention::Unusual { .. } => (7, 1),
            Attention::Stacking { .. } => (8, 1),
            Attention::Workers { waiting, .. } => (9, *waiting),
            Attention::Paused(held) => (10, held.jobs.len() as u64),
            Attention::CannotKeepUp { .. } => (11, 1),
        };
        counts[at] += n;
    }
    let said = counts.iter().zip(ORDER).filter(|(n, _)| **n > 0);
    said.map(|(n, what)| format!("{} {what}", number(*n))).collect()
}
