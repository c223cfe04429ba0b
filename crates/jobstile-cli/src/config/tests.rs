//! What a configuration means, and what is said about one that cannot be used.

mod documents;
mod environment;
mod mistakes;
mod property;
mod reference;
mod scenarios;
mod schema;
mod values;

use std::path::Path;
use std::sync::Arc;

use crate::config::diagnostic::{Failed, Source};
use crate::config::environment::Environment;
use crate::config::{Loaded, read};

fn variables(pairs: &[(&str, &str)]) -> Environment {
    Environment::new(pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())))
}

fn source(text: &str) -> Arc<Source> {
    Source::new("jobstile.toml", text)
}

/// Reads a file that lies in `/srv/app`.
fn load(text: &str, environment: &Environment) -> Result<Loaded, Failed> {
    read(&source(text), Path::new("/srv/app"), environment)
}

/// As [`load`], without variables, of a file that is good.
fn good(text: &str) -> Loaded {
    load(text, &Environment::default()).unwrap_or_else(|failed| panic!("{text}\n{}", failed.render(false)))
}

/// What is said about a file.
fn said(text: &str, environment: &Environment) -> String {
    match load(text, environment) {
        Ok(loaded) => crate::config::diagnostic::render_all(&loaded.warnings, false),
        Err(failed) => failed.render(false),
    }
}

/// Each text with what is said about it.
fn pages(texts: &[&str]) -> String {
    let page = |text: &&str| {
        let said = said(text, &Environment::default());
        assert!(!said.is_empty(), "nothing is said about\n{text}");
        format!("{said}\n")
    };
    texts.iter().map(page).collect::<Vec<_>>().join("\n----\n")
}
