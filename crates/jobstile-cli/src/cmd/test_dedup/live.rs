//! On the running system: real triggers into its store, and what its jobs have live after each.

use jobstile::args;
use jobstile::op::Trigger;
use jobstile::origin::Origins;
use jobstile_core::decide::Decision;
use jobstile_core::trigger::{Source, When};

use super::scratch::Counted;
use super::{Args, Tested, chosen};
use crate::args::Global;
use crate::cmd::open::{self, Opened, open_quietly};
use crate::error::Error;
use crate::exit::Code;
use crate::text::words;

/// The policy in the store, where a daemon works.
pub(super) fn test(args: &Args, global: &Global) -> Result<Tested, Error> {
    let mut opened = open_quietly(global)?;
    if opened.alive.is_empty() {
        let what = format!("no daemon works on this store: {}", opened.shown);
        return Err(Error::new(Code::NotFound, what).hint("without --live the rules are tested on a scratch store"));
    }
    let all = opened.client.jobs()?;
    let policies: Vec<_> = all.iter().filter_map(|job| Some((&*job.name, job.policy.as_ref()?))).collect();
    let names: Vec<(&str, bool)> = policies.iter().map(|(name, policy)| (*name, policy.monitoring)).collect();
    let names = chosen(args, &names, &opened.shown)?;
    if !args.yes {
        let what = format!("--live starts runs that do their work: {}", names.join(", "));
        return Err(Error::new(Code::Usage, what).hint("to do so: --live --yes"));
    }
    let mut jobs = vec![];
    for (name, policy) in policies.iter().filter(|(name, _)| names.iter().any(|other| other == name)) {
        let counted = count(&mut opened, name, policy.args.as_deref(), args.num_triggers)?;
        jobs.push(((*name).to_owned(), (*policy).clone(), counted));
    }
    let version = opened.client.switches_from()?;
    let origins = Origins::read(version.as_ref().map_or("{}", |version| &version.origins));
    let cause = |key: &str| words::origin(origins.origin(key));
    Ok(Tested {
        of: opened.shown.clone(),
        how: "on the running system",
        switches: opened.client.switches()?,
        causes: ["deduplication", "aggressive deduplication"].map(cause),
        jobs,
    })
}

fn count(opened: &mut Opened, job: &str, args: Option<&str>, triggers: u32) -> Result<Counted, Error> {
    let trigger = Trigger {
        job: job.into(),
        args: args.map_or_else(|| Ok(args::Args::none()), |text| args::Args::parse(text.as_bytes())),
        priority: None,
        when: When::Now,
        id: None,
        source: Source::Schedule,
        by: open::by().into(),
    };
    let mut counted = Counted::default();
    for _ in 0..triggers {
        let decided = opened.client.trigger(trigger.clone())?;
        match decided.decision {
            Decision::Admitted => counted.admitted += 1,
            _ => *counted.turned_away.entry(decided.code).or_default() += 1,
        }
        let tally = opened.job(job)?.tally;
        counted.live = counted.live.max(tally.taking());
        counted.running = counted.running.max(tally.running);
    }
    Ok(counted)
}
