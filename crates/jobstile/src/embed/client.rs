//! Questions and requests to the store of a program, a store in memory included.

use std::sync::Arc;

use jobstile_core::id::RunId;
use jobstile_core::run::State;
use jobstile_core::trigger::Source;

use super::handle::Decision;
use super::jobstile::Shared;
use crate::client::{AttemptInfo, JobInfo, RunFilter, RunInfo};
use crate::error::Result;
use crate::op::{Cancel, Pause, Paused, Resume, Retried, Retry};
use crate::store::sqlite::Reader;

/// Asks the store of a [`Jobstile`](super::Jobstile) and acts on it, as the commands of the program do. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    pub(super) shared: Arc<Shared>,
}

impl Client {
    /// Every job that has a policy or a history, by name.
    ///
    /// # Errors
    /// If the store cannot be read; so for all questions.
    pub async fn jobs(&self) -> Result<Vec<JobInfo>> {
        self.shared.ask(Reader::jobs).await
    }

    /// A job by its exact name.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn job(&self, name: &str) -> Result<Option<JobInfo>> {
        let name = name.to_owned();
        self.shared.ask(move |reader| reader.job(&name)).await
    }

    /// Runs, newest first.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn runs(&self, filter: RunFilter) -> Result<Vec<RunInfo>> {
        self.shared.ask(move |reader| reader.runs(&filter)).await
    }

    /// A run by its number.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn run(&self, id: RunId) -> Result<Option<RunInfo>> {
        self.shared.ask(move |reader| reader.run(id)).await
    }

    /// The attempts of a run that ended, oldest first.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn attempts(&self, id: RunId) -> Result<Vec<AttemptInfo>> {
        self.shared.ask(move |reader| reader.attempts(id)).await
    }

    /// What a run gave back, as JSON. `None` means that it gave nothing, or has not succeeded.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn result(&self, id: RunId) -> Result<Option<String>> {
        self.shared.ask(move |reader| reader.result(id)).await
    }

    /// Ends a waiting or scheduled run; asks a running one to end, which then is still `running`.
    ///
    /// # Errors
    /// If there is no such run, or it has ended.
    pub async fn cancel(&self, id: RunId) -> Result<State> {
        let cancel = Cancel { run: id, by: self.shared.by.to_string() };
        self.shared.queue.execute(cancel).await.map(|changed| changed.to)
    }

    /// Makes a retrying run due now; a run that has ended is triggered again, and the decision is the answer.
    ///
    /// # Errors
    /// If there is no such run, or it is neither.
    pub async fn retry(&self, id: RunId) -> Result<Option<Decision>> {
        let retry = Retry { run: id, by: self.shared.by.to_string(), source: Source::Library };
        match self.shared.queue.execute(retry).await? {
            Retried::Decided(decided) => Ok(Some(decided.into())),
            Retried::Changed(_) => Ok(None),
        }
    }

    /// Pauses a job: none of its runs starts, and its ticks are skipped.
    ///
    /// # Errors
    /// If there is no such job.
    pub async fn pause(&self, job: &str, why: Option<&str>) -> Result<()> {
        let pause = Paused { until: None, by: self.shared.by.to_string(), why: why.map(str::to_owned) };
        self.shared.queue.execute(Pause { job: Some(job.to_owned()), pause }).await.map(drop)
    }

    /// Resumes a paused job.
    ///
    /// # Errors
    /// If there is no such job.
    pub async fn resume(&self, job: &str) -> Result<()> {
        self.shared.queue.execute(Resume { job: Some(job.to_owned()) }).await.map(drop)
    }
}
