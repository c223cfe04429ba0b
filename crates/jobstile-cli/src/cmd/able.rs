//! What the live nodes can run.

use std::collections::{BTreeMap, BTreeSet};

use crate::cmd::open::Opened;
use crate::error::Error;
use crate::text::words;

/// The jobs that none of the live nodes can run, each with what the nodes say; nothing where no node lives.
pub(crate) fn cannot_run(opened: &Opened) -> Result<BTreeMap<String, String>, Error> {
    let mut stuck: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    let mut able = BTreeSet::new();
    for node in &opened.alive {
        for offer in opened.client.offers(&node.row.id)? {
            match offer.reason {
                None => drop(able.insert(offer.job)),
                Some(why) => stuck.entry(offer.job).or_default().push((opened.named(node), why)),
            }
        }
    }
    if opened.alive.is_empty() || opened.unsure {
        return Ok(BTreeMap::new());
    }
    let mut all: BTreeMap<String, String> = stuck
        .into_iter()
        .filter(|(job, _)| !able.contains(job))
        .map(|(job, why)| (job, words::standing::cannot_run(&why)))
        .collect();
    for job in opened.client.jobs()?.into_iter().filter(|job| job.policy.is_some()) {
        if !able.contains(&*job.name) {
            all.entry(job.name.to_string()).or_insert_with(|| words::standing::cannot_run(&[]));
        }
    }
    Ok(all)
}
