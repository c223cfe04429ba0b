//! What of a configuration goes into the store, and what a node keeps of it.

use std::collections::HashMap;
use std::path::Path;

use jobstile::engine::host;
use jobstile::engine::worker::Defined;
use jobstile::op::{Apply, JobPolicy};

use crate::config::Loaded;
use crate::config::job::JobConfig;

/// The policy and the definitions of a configuration.
pub(crate) fn in_force(
    loaded: &Loaded,
    folder: &Path,
    file: &Path,
    taken: Vec<String>,
) -> (Apply, HashMap<String, Defined>) {
    let owner = folder.join(file.file_name().unwrap_or_default());
    let jobs = loaded.jobs.iter().map(|(name, job)| JobPolicy {
        name: name.to_string(),
        policy: job.policy.clone(),
        origins: Loaded::origins(&job.settings),
    });
    let apply = Apply {
        owner: owner.to_string_lossy().into_owned(),
        by: host::whoami(),
        switches: Some(loaded.switches),
        origins: Loaded::origins(&loaded.settings),
        jobs: jobs.collect(),
        replace: true,
        taken,
    };
    let definitions =
        loaded.jobs.iter().filter_map(|(name, job)| Some((name.to_string(), defined(loaded, job)?))).collect();
    (apply, definitions)
}

fn defined(loaded: &Loaded, job: &JobConfig) -> Option<Defined> {
    let definition = job.definition.clone()?;
    let (shutdown_grace, kill_after, log_output) = (loaded.shutdown_grace, loaded.kill_after, job.log_output);
    Some(Defined { definition, shutdown_grace, kill_after, log_output })
}
