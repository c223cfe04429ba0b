//! Answers to what people ask, at the client's time and with the locks of the nodes looked at.

use jobstile_core::id::RunId;
use jobstile_core::key::Key;

use super::Client;
use super::node::look_at;
use crate::answer::{Asker, Explained, ExplainedRun, KeyAnswer, Overview, Runs};
use crate::engine::node_dir;
use crate::error::Result;
use crate::runner::lock;
use crate::store::read::{JobInfo, NodeInfo, RunFilter};
use crate::store::sqlite::Reader;

impl Client {
    fn ask<T>(&self, ask: impl FnOnce(&Asker<'_, Reader>) -> Result<T>) -> Result<T> {
        let dir = node_dir(&self.path);
        let presence = |node: &mut NodeInfo| look_at(node, &dir);
        let trees = |attempts: &[_]| lock::look_at_all(&dir, attempts);
        ask(&Asker { store: &self.reader, now: self.now(), presence: &presence, trees: &trees })
    }

    /// What goes on now: of everything, or of one job.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn overview(&self, only: Option<&str>) -> Result<Overview> {
        self.ask(|asker| Overview::ask(asker, only))
    }

    /// Everything about a job; `None` if there is none of that name.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn explain(&self, job: &str) -> Result<Option<Explained>> {
        self.ask(|asker| Explained::ask(asker, job))
    }

    /// Everything about a run; `None` if there is none of that number.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn explain_run(&self, run: RunId) -> Result<Option<ExplainedRun>> {
        self.ask(|asker| ExplainedRun::ask(asker, run))
    }

    /// Runs, with what each waits for and how long it took.
    ///
    /// # Errors
    /// If the store cannot be read, or the run that the page follows is gone.
    pub fn list(&self, filter: &RunFilter) -> Result<Runs> {
        self.ask(|asker| Runs::ask(asker, filter))
    }

    /// Who holds a key of a job.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn explain_key(&self, job: &JobInfo, key: &Key) -> Result<KeyAnswer> {
        self.ask(|asker| KeyAnswer::ask(asker, job, key))
    }

    /// Statements that this client has asked so far: what an answer costs.
    #[must_use]
    pub fn asked(&self) -> u64 {
        self.reader.asked()
    }
}
