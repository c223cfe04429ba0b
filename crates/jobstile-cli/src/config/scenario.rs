//! The jobs and switches of a scenario: a configuration in which no job needs a handler, changed by its script.

mod script;

use std::collections::BTreeMap;
use std::sync::Arc;

use jobstile_core::job::JobName;
use jobstile_core::policy::Switches;
use toml::de::DeTable;

use crate::config::diagnostic::{Diagnostic, Failed, Source};
use crate::config::environment::Environment;
use crate::config::job::{self, JobConfig, Parts};
use crate::config::layer::Layer;
use crate::config::origin::Spot;
use crate::config::reader::{Item, Reader};
use crate::config::{read_jobs, read_top, survey, switches};

pub(crate) use script::{Script, read};

/// What a scenario's jobs are at one moment of its script.
#[derive(Debug, Clone)]
pub(crate) struct Jobs {
    source: Arc<Source>,
    defaults: Layer,
    /// What was written of each, the newest first.
    jobs: BTreeMap<JobName, (Spot, Vec<Layer>)>,
    environment: Environment,
}

/// What holds from then on.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) jobs: BTreeMap<JobName, JobConfig>,
    pub(crate) switches: Switches,
    pub(crate) warnings: Vec<Diagnostic>,
}

impl Jobs {
    /// Reads the configuration of a scenario file, `[scenario]` aside. The environment is that of the script alone.
    ///
    /// # Errors
    /// What is wrong in it.
    pub(crate) fn read(source: &Arc<Source>, file: &DeTable<'_>) -> Result<Self, Failed> {
        let mut reader = Reader::new(source);
        let top = read_top(file, &mut reader, &["scenario"]);
        Failed::unless_good(reader.found)?;
        let jobs = top.jobs.into_iter().map(|(name, (spot, written))| (name, (spot, vec![written])));
        let environment = Environment::default();
        Ok(Self { source: Arc::clone(source), defaults: top.defaults, jobs: jobs.collect(), environment })
    }

    /// Sets the variables of an `env` table.
    ///
    /// # Errors
    /// What is wrong in it.
    pub(crate) fn merge_env(&mut self, env: Item<'_>) -> Result<(), Failed> {
        let mut reader = Reader::new(&self.source);
        if let Some(table) = reader.string_table(env, "as { AIBTC_JOB_DEDUPLICATION_ENABLED = \"false\" }") {
            for (name, at) in table.value {
                let spot = Spot { source: Arc::clone(&self.source), span: at.span };
                self.environment.set(&name, &at.value, spot);
            }
        }
        Failed::unless_good(reader.found)?;
        Ok(())
    }

    /// Merges a `jobs` table: its keys displace those that were written before.
    ///
    /// # Errors
    /// What is wrong in it.
    pub(crate) fn merge_jobs(&mut self, jobs: Item<'_>) -> Result<(), Failed> {
        let mut reader = Reader::new(&self.source);
        if let Some(table) = reader.table(jobs, "as { sync = { max_concurrent = 1 } }") {
            for (name, (spot, written)) in read_jobs(table, &mut reader) {
                self.jobs.entry(name).or_insert_with(|| (spot, vec![])).1.insert(0, written);
            }
        }
        Failed::unless_good(reader.found)?;
        Ok(())
    }

    /// The policies and switches that all this makes.
    ///
    /// # Errors
    /// What is wrong with them together.
    pub(crate) fn state(&self) -> Result<State, Failed> {
        let mut found = vec![];
        let mut jobs = BTreeMap::new();
        for (name, (spot, written)) in &self.jobs {
            let (defaults, environment) = (&self.defaults, &self.environment);
            let parts = Parts { name, spot, own: written, defaults, environment, folder: None };
            jobs.extend(job::build(parts, &mut found).map(|job| (name.clone(), job)));
        }
        let (switches, _) = switches(&self.environment, &mut found);
        survey(self.jobs.keys(), &self.environment, &mut found);
        let warnings = Failed::unless_good(found)?;
        Ok(State { jobs, switches, warnings })
    }
}
