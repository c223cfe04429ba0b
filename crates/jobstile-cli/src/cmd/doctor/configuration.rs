//! The configuration file beside what is in force.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use jobstile_core::policy::Policy;

use super::Verdict;
use crate::args::{Colour, Global, Output};
use crate::cmd::open::Opened;
use crate::config::Loaded;
use crate::config::file::gather;
use crate::error::Error;
use crate::text::time::Times;

/// Whether the file can be used, and says what is in force.
pub(super) fn compare(opened: &Opened) -> Result<(Verdict, String), Error> {
    let Some(version) = opened.client.versions(None, 1)?.pop() else {
        return Ok((Verdict::Note, "none was ever loaded: jobstile serve".to_owned()));
    };
    let times = Times::here(opened.client.now());
    let (file, loaded_at) = (&version.owner, times.at(version.at));
    let refused = opened.alive.iter().find_map(|node| {
        let sentence = node.refused.as_deref()?.lines().next()?;
        Some(format!("{} refused it at {}: {sentence}", opened.named(node), times.at(node.reloaded_at?)))
    });
    let path = PathBuf::from(file);
    if !path.is_file() {
        // A library's, or a file of another machine.
        return Ok((Verdict::Note, format!("{file}, loaded {loaded_at}, is not a file here")));
    }
    let global = Global { config: Some(path), store: None, output: Output::Table, color: Colour::Auto };
    let loaded = match gather(&global, None).and_then(|gathered| Ok(gathered.read()?)) {
        Ok(loaded) => loaded,
        Err(error) => {
            let says = refused.unwrap_or_else(|| error.sentence().to_owned());
            return Ok((Verdict::Bad, format!("{says}; what was loaded {loaded_at} stays in force")));
        }
    };
    let different = different(opened, file, &loaded)?;
    if let Some(refused) = refused {
        return Ok((Verdict::Bad, format!("{refused}; to try again: jobstile reload")));
    }
    Ok(match different.is_empty() {
        true => (Verdict::Good, format!("{file} is in force since {loaded_at}")),
        false => {
            let all = different.join("; ");
            (Verdict::Note, format!("{file} differs from what was loaded {loaded_at}: {all}; to load it: jobstile reload"))
        }
    })
}

// The rules of each job. What a daemon has from its own environment is not known here.
fn different(opened: &Opened, owner: &str, loaded: &Loaded) -> Result<Vec<String>, Error> {
    let jobs = opened.client.jobs()?.into_iter().filter(|job| job.owner.as_deref() == Some(owner));
    let in_force: BTreeMap<Arc<str>, Policy> = jobs.filter_map(|job| Some((job.name, job.policy?))).collect();
    let written = loaded.jobs.iter().map(|(name, job)| (name.as_str(), &job.policy));
    let (mut new, mut changed) = (vec![], vec![]);
    for (name, policy) in written {
        match in_force.get(name) {
            None => new.push(name),
            Some(old) if old != policy => changed.push(name),
            Some(_) => {}
        }
    }
    let gone: Vec<&str> =
        in_force.keys().map(|name| &**name).filter(|name| !loaded.jobs.keys().any(|job| job.as_str() == *name)).collect();
    let named = |what: &str, jobs: &[&str]| (!jobs.is_empty()).then(|| format!("{what} {}", jobs.join(", ")));
    Ok([named("new", &new), named("changed", &changed), named("removed", &gone)].into_iter().flatten().collect())
}
