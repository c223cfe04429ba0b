//! What a job runs: its handler, and where a command runs and what it sees.

use std::path::{Path, PathBuf};

use jobstile::runner::command::Place;
use jobstile::runner::{Command, Definition, Http, Shell};
use serde_json::{Value, json};

use super::Job;
use crate::config::handler::Call;
use crate::config::locate::without_password;

impl Job<'_, '_> {
    /// Exactly one handler. In a scenario there is none.
    pub(super) fn definition(&mut self) -> Option<Definition> {
        self.parts.folder?;
        let Some(at) = self.work(|w| w.call.as_ref()) else {
            if self.is_wrong(&["command", "shell", "http"]) {
                return None;
            }
            let title = format!("job `{}` has no handler", self.name());
            let span = self.parts.spot.span.clone();
            self.wrong(&span, title, "command = […], shell = \"…\" or http = { url = \"…\" }");
            return None;
        };
        match at.value.clone() {
            Call::Command(argv) => {
                self.note("command", argv.clone(), Some(at));
                Some(Definition::Command(Command { argv, place: self.place() }))
            }
            Call::Shell(line) => {
                self.note("shell", line.clone(), Some(at));
                Some(Definition::Shell(Shell { line, place: self.place() }))
            }
            Call::Http(call) => {
                let url = call.url.replace("{job}", self.name());
                self.note("http.method", call.method.clone(), Some(at));
                self.note("http.url", without_password(&url), Some(at));
                // Values may be secrets.
                self.note("http.headers", json!(call.headers.keys().collect::<Vec<_>>()), Some(at));
                if let Some(on_cancel) = &call.on_cancel {
                    let url = without_password(&on_cancel.replace("{job}", self.name()));
                    self.note("http.on_cancel", url, Some(at));
                }
                self.not_for_a_call();
                let place = self.variables();
                Some(Definition::Http(Http { place, ..call }))
            }
        }
    }

    /// Where a command runs and what it sees.
    fn place(&mut self) -> Place {
        let place = self.variables();
        let inherit_lock_at = self.work(|w| w.inherit_lock.as_ref());
        self.note("cwd", place.cwd.display().to_string(), self.work(|w| w.cwd.as_ref()));
        if let Some(at) = inherit_lock_at {
            self.note("inherit_lock", at.value, Some(at));
        }
        Place { inherit_lock: inherit_lock_at.is_none_or(|at| at.value), ..place }
    }

    /// The variables that a command sees, or that a header names.
    fn variables(&mut self) -> Place {
        let cwd_at = self.work(|w| w.cwd.as_ref());
        let env_at = self.work(|w| w.env.as_ref());
        let env_file_at = self.work(|w| w.env_file.as_ref());
        let pass_env_at = self.work(|w| w.pass_env.as_ref());
        let folder = self.parts.folder.unwrap_or_else(|| Path::new("."));
        // Merged by name: the most specific one wins.
        let layers: Vec<_> = self.layers().filter_map(|layer| layer.work.env.as_ref()).collect();
        let env = layers.into_iter().rev().flat_map(|at| &at.value);
        let place = Place {
            cwd: cwd_at.map_or_else(|| folder.to_owned(), |at| folder.join(&at.value)),
            env: env.map(|(name, at)| (name.clone(), at.value.clone())).collect(),
            env_file: env_file_at.map(|at| PathBuf::from(&at.value)),
            pass_env: pass_env_at.map_or(vec![], |at| at.value.clone()),
            ..Place::default()
        };
        // Values may be secrets.
        self.note("env", json!(place.env.keys().collect::<Vec<_>>()), env_at);
        self.note("env_file", place.env_file.as_ref().map_or(Value::Null, |file| json!(file)), env_file_at);
        self.note("pass_env", json!(place.pass_env), pass_env_at);
        place
    }

    /// Whether the log may quote what it prints.
    pub(super) fn log_output(&mut self) -> bool {
        let at = self.work(|w| w.log_output.as_ref());
        if let Some(at) = at {
            self.note("log_output", at.value, Some(at));
        }
        at.is_none_or(|at| at.value)
    }

    /// Those of `[defaults]` are for the commands among the jobs.
    fn not_for_a_call(&mut self) {
        let spans =
            [("cwd", self.own_key(|w| w.cwd.as_ref())), ("inherit_lock", self.own_key(|w| w.inherit_lock.as_ref()))];
        for (key, span) in spans {
            let Some(span) = span else { continue };
            let title = format!("`{key}` belongs to a command, and job `{}` is an HTTP call", self.name());
            self.wrong(&span, title, "take it out");
        }
    }
}
