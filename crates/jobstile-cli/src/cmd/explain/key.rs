//! Who holds a key.

use jobstile::args::Args as JobArgs;
use jobstile::client::JobInfo;
use jobstile::text::clean_to;
use jobstile_core::key::Key;
use jobstile_core::policy::KeyRule;
use jobstile_core::run::State;
use serde_json::Value;

use super::page::Page;
use crate::args::value::{object, typed_again};
use crate::cmd::open::Opened;
use crate::config::suggest::nearest;
use crate::error::Error;
use crate::exit::Code;
use crate::text::duration::measured;
use crate::text::json;
use crate::text::time::Times;
use crate::text::words;

/// Explains who holds the key of these fields.
pub(super) fn explain(opened: &Opened, name: &str, fields: &[String]) -> Result<(Page, Value), Error> {
    let job = opened.job(name)?;
    let key = Key::from(key_of(opened, &job, fields)?);
    let answer = opened.client.explain_key(&job, &key)?;
    let shown = words::key(&key).unwrap_or_else(|| "the key".to_owned());
    let Some(holder) = &answer.holder else {
        let sentence = format!("{shown} of {name} is free: no live run has this key.");
        let json = json::answer::key(&answer, &sentence);
        let mut page = Page::new(sentence, &Times::here(opened.client.now()));
        page.says("to run it", format!("jobstile trigger {name} {}", typed_again(fields)));
        return Ok((page, json));
    };
    let all = &holder.run;
    let times = Times::here(all.overview.at);
    let (row, id) = (&all.run.row, all.run.row.id);
    let usual = holder.usual.map_or(String::new(), |usual| format!(", usually {}", measured(usual)));
    let node = all.node.as_ref().map_or(String::new(), |node| format!(" on {node}"));
    let how = match row.state {
        State::Running if all.was_running => format!("it was running{node}, which is gone, and starts again"),
        State::Running => {
            let at = row.claimed_at.unwrap_or(row.due);
            let long = measured(times.now().since(at));
            format!("attempt {},{node}, since {} ({long}{usual})", row.claims, times.at(at))
        }
        _ => all.waits.as_ref().map_or(String::new(), |waits| words::standing::waits(waits, &times)),
    };
    let sentence = format!("{shown} of {name} is held by run {id}: {how}.");
    let json = json::answer::key(&answer, &sentence);
    let mut page = Page::new(sentence, &times);
    let of = all.overview.nodes.iter().find(|node| row.node.as_deref() == Some(&node.info.row.id));
    if let Some(node) = of {
        let (name, pid) = (&node.info.row.name, node.info.row.pid);
        page.says("node", format!("{name} (pid {pid}) is {}, seen {}", node.info.liveness, times.ago(node.info.seen_at)));
    }
    super::turned_away(&mut page, all, &times);
    page.says("release", format!("jobstile cancel {id}   (ends its processes first; no key is freed under a live run)"));
    Ok((page, json))
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
