//! Who holds a key.

use std::time::Duration;

use jobstile_core::key::Key;

use super::{Asker, ExplainedRun, Questions};
use crate::error::Result;
use crate::store::read::JobInfo;

/// Who holds a key of a job.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyAnswer {
    /// The job.
    pub job: JobInfo,
    /// The key.
    pub key: Key,
    /// Who holds it; `None` if it is free.
    pub holder: Option<KeyHolder>,
}

/// The run that holds a key.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyHolder {
    /// The run.
    pub run: ExplainedRun,
    /// What runs of its job take on average.
    pub usual: Option<Duration>,
}

impl KeyAnswer {
    /// Asks who holds a key.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn ask<Q: Questions>(asker: &Asker<'_, Q>, job: &JobInfo, key: &Key) -> Result<Self> {
        asker.store.at_once(|store| {
            let asker = Asker { store, ..*asker };
            let held = match store.holder(job.id, key)? {
                Some(holder) => Some(holder),
                None => store.live_of_key(job.id, key, 1)?.pop(),
            };
            let holder = match held {
                None => None,
                Some(run) => ExplainedRun::ask(&asker, run.row.id)?.map(|run| {
                    let usual = run.overview.jobs.first().and_then(|job| job.numbers.run.mean());
                    KeyHolder { run, usual }
                }),
            };
            Ok(Self { job: job.clone(), key: key.clone(), holder })
        })
    }
}
