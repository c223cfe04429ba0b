//! Who holds a key.

use jobstile::args::Args as JobArgs;
use jobstile::client::{JobInfo, RunInfo};
use jobstile::text::clean_to;
use jobstile_core::key::Key;
use jobstile_core::policy::KeyRule;
use jobstile_core::run::State;

use super::page::Page;
use crate::args::value::{object, typed_again};
use crate::cmd::open::Opened;
use crate::config::suggest::nearest;
use crate::error::Error;
use crate::exit::Code;
use crate::text::duration::spoken;
use crate::text::time::Times;
use crate::text::words::{self, count};

/// Explains who holds the key of these fields.
pub(super) fn explain(opened: &Opened, name: &str, fields: &[String]) -> Result<Page, Error> {
    let job = opened.job(name)?;
    let key = Key::from(key_of(opened, &job, fields)?);
    let shown = words::key(&key).unwrap_or_else(|| "the key".to_owned());
    let holder = match opened.client.holder(job.id, &key)? {
        Some(holder) => Some(holder),
        None => opened.client.live_of_key(job.id, &key, 1)?.pop(),
    };
    let Some(holder) = holder else {
        let times = Times::here(opened.client.now());
        let mut page = Page::new(name, format!("{shown} of {name} is free: no live run has this key."), &times);
        page.says("to run it", format!("jobstile trigger {name} {}", typed_again(fields)));
        return Ok(page);
    };
    held(opened, &job, &holder, &shown)
}

fn held(opened: &Opened, job: &JobInfo, holder: &RunInfo, shown: &str) -> Result<Page, Error> {
    let (row, id) = (&holder.row, holder.row.id);
    let now = opened.client.now();
    let times = Times::here(now);
    let usually = opened.client.numbers(job.id, jobstile::client::hour_of(now) - 24)?.run.mean();
    let usually = usually.map_or(String::new(), |mean| format!(", usually {}", spoken(mean)));
    let how = match row.state {
        State::Running => {
            let at = row.claimed_at.unwrap_or(row.due);
            let node = row.node.as_deref().map_or(String::new(), |node| format!(", on {}", opened.node_name(node)));
            format!("attempt {}{node}, since {} ({}{usually})", row.claims, times.at(at), spoken(now.since(at)))
        }
        State::Retrying => format!("it starts again {}", times.ago(row.due)),
        _ => format!("it is {}", row.state),
    };
    let mut page = Page::new(&job.name, format!("{shown} of {} is held by run {id}: {how}.", job.name), &times);
    if let Some(node) = row.node.as_deref().and_then(|node| opened.client.node(node).ok().flatten()) {
        let (name, pid) = (&node.row.name, node.row.pid);
        page.says("node", format!("{name} (pid {pid}) is {}, seen {}", node.liveness, times.ago(node.seen_at)));
    }
    let away = opened.client.refusals_by(id)?;
    if let Some(first) = away.first_at {
        page.says("behind it", format!("{} skipped since {}", count(away.count, "trigger"), times.at(first)));
    }
    page.says("release", format!("jobstile cancel {id}   (ends its processes first; no key is freed under a live run)"));
    Ok(page)
}

fn key_of(opened: &Opened, job: &JobInfo, fields: &[String]) -> Result<String, Error> {
    let switches = opened.client.switches()?;
    let Some(rule) = job.policy.as_ref().and_then(|policy| policy.key_rule(switches)) else {
        return Err(Error::new(Code::Usage, format!("{} has no dedup rule: every trigger of it is distinct", job.name))
            .hint(format!("jobstile show {}", job.name)));
    };
    let args = JobArgs::parse(object(fields)?.as_bytes()).map_err(|bad| Error::new(Code::Usage, bad.to_string()))?;
    let key = args.key(&rule).map_err(|_| not_the_key(&job.name, &rule, fields))?;
    Ok(key.as_str().to_owned())
}

fn not_the_key(job: &str, rule: &KeyRule, fields: &[String]) -> Error {
    let KeyRule::Fields(names) = rule else {
        return Error::new(Code::Usage, format!("these fields are not the key of {job}"))
            .hint(format!("its rules: jobstile show {job}"));
    };
    let given: Vec<&str> = fields.iter().filter_map(|field| field.split_once('=')).map(|(name, _)| name).collect();
    let all: Vec<String> = names.iter().map(|name| format!("{name}=…")).collect();
    let write = format!("write jobstile explain --key {job} {}", all.join(" "));
    let stray = given.iter().find(|name| !names.iter().any(|known| known == *name));
    let what = match stray {
        Some(stray) => {
            let near = nearest(stray, names.iter().map(String::as_str));
            let meant = near.map_or(String::new(), |near| format!("; did you mean {near}?"));
            format!("`{}` is not in the key of {job}{meant}", clean_to(stray, 80))
        }
        None => format!("the key of {job} needs {}", names.join(", ")),
    };
    Error::new(Code::Usage, what).hint(write)
}
