//! What a job runs: a command, a shell line or an HTTP call.

use std::collections::BTreeMap;

use jobstile::runner::command::Place;
use jobstile::runner::{Header, Http};
use jobstile_core::policy::keys::{self, Table, Takes};
use jobstile_core::policy::mistake::one_of;

use crate::config::keys::{HTTP, ON_CANCEL};
use crate::config::reader::{At, Item, Reader, items, type_name};

/// What is done, and how, as it is written.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Work {
    pub(crate) call: Option<At<Call>>,
    pub(crate) cwd: Option<At<String>>,
    pub(crate) env: Option<At<BTreeMap<String, At<String>>>>,
    pub(crate) env_file: Option<At<String>>,
    pub(crate) pass_env: Option<At<Vec<String>>>,
    pub(crate) inherit_lock: Option<At<bool>>,
    pub(crate) log_output: Option<At<bool>>,
}

/// A handler as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Call {
    Command(Vec<String>),
    Shell(String),
    Http(Http),
}

const COMMAND: &str = "as [\"./bin/sync\", \"--fast\"]";

impl Call {
    /// Its key.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Command(_) => "command",
            Self::Shell(_) => "shell",
            Self::Http(_) => "http",
        }
    }
}

impl Work {
    /// Reads one of its keys; `place` is as in «in job `backup`».
    pub(crate) fn read(&mut self, item: Item<'_>, place: &str, reader: &mut Reader) {
        match item.name() {
            "cwd" => self.cwd = reader.text(item, "a folder, as \"/srv/app\""),
            "env" => self.env = env(item, reader),
            "env_file" => self.env_file = reader.text(item, "a file, as \"/etc/app/env\""),
            "pass_env" => self.pass_env = pass_env(item, reader),
            "inherit_lock" => self.inherit_lock = reader.boolean(item),
            "log_output" => self.log_output = reader.boolean(item),
            _ => match (&self.call, call(item, place, reader)) {
                (_, None) => {}
                (None, call) => self.call = call,
                (Some(first), Some(call)) => {
                    let title = format!("two handlers {place}: `{}` and `{}`", first.value.word(), call.value.word());
                    reader.wrong(call.key, title, "one of command, shell and http");
                }
            },
        }
    }
}

/// Reads `command`, `shell` or `http`.
fn call(item: Item<'_>, place: &str, reader: &mut Reader) -> Option<At<Call>> {
    match item.name() {
        "command" => command(item, reader),
        "shell" => {
            let line = reader.text(item, "a line for /bin/sh -c")?;
            Some(reader.at(item, Call::Shell(line.value)))
        }
        _ => http(item, place, reader),
    }
}

fn command(item: Item<'_>, reader: &mut Reader) -> Option<At<Call>> {
    if let Some(line) = item.as_str() {
        let words: Vec<String> = line.split_whitespace().map(|word| format!("{word:?}")).collect();
        let right = format!("[{}]", words.join(", "));
        let help = "a line for the shell is `shell = \"…\"`";
        reader.wrong_help(item.value.span(), "`command` takes a list: the program and its arguments", right, help);
        return None;
    }
    let argv = reader.strings(item, COMMAND)?;
    if argv.value.first().is_none_or(String::is_empty) {
        reader.wrong(argv.span, "`command` names no program", COMMAND);
        return None;
    }
    Some(reader.at(item, Call::Command(argv.value)))
}

fn http(item: Item<'_>, place: &str, reader: &mut Reader) -> Option<At<Call>> {
    if let Some(url) = item.as_str() {
        return reader.mismatch(item, "a table", format!("{{ url = \"{url}\" }}"));
    }
    let table = reader.table(item, "as { url = \"http://127.0.0.1:8000/{job}\" }")?;
    let (mut method, mut address, mut headers) = (Some("POST".to_owned()), None, BTreeMap::new());
    let mut on_cancel = None;
    for item in items(table) {
        match item.name() {
            "method" => method = self::method(item, reader),
            "url" => address = Some(url(item, reader)),
            "headers" => headers = self::headers(item, reader),
            "on_cancel" => on_cancel = self::on_cancel(item, place, reader)?,
            _ => drop(HTTP.unknown(item, &format!("in `http` {place}"), reader)),
        }
    }
    let Some(address) = address else {
        reader.wrong(item.key.span(), "`http` has no `url`", "{ url = \"http://127.0.0.1:8000/{job}\" }");
        return None;
    };
    let address = address?;
    let call = Http { method: method?, url: address.value, headers, on_cancel, place: Place::default() };
    match call.check() {
        Ok(()) => Some(reader.at(item, Call::Http(call))),
        Err(why) => {
            reader.wrong(address.span, why, "as \"http://127.0.0.1:8000/{job}\"");
            None
        }
    }
}

/// The outer `None` means that it was written in a way that cannot be read.
fn on_cancel(item: Item<'_>, place: &str, reader: &mut Reader) -> Option<Option<String>> {
    let right = "{ url = \"http://127.0.0.1:8000/{job}/cancel\" }";
    let table = reader.table(item, right)?;
    let mut address = None;
    for item in items(table) {
        match item.name() {
            "url" => address = Some(url(item, reader)?.value),
            _ => drop(ON_CANCEL.unknown(item, &format!("in `on_cancel` {place}"), reader)),
        }
    }
    if address.is_none() {
        reader.wrong(item.key.span(), "`on_cancel` has no `url`", right);
    }
    Some(address)
}

fn method(item: Item<'_>, reader: &mut Reader) -> Option<String> {
    let Takes::Word(methods) = keys::find(Table::Http, "method")?.takes else { return None };
    let text = reader.text(item, &one_of(methods))?;
    if methods.contains(&text.value.as_str()) {
        return Some(text.value);
    }
    reader.wrong(text.span, format!("`method` cannot be \"{}\"", text.value), one_of(methods));
    None
}

fn url(item: Item<'_>, reader: &mut Reader) -> Option<At<String>> {
    let url = reader.text(item, "as \"http://127.0.0.1:8000/internal/jobs/{job}\"")?;
    // A scheme may be written in any case.
    let is = |scheme: &&str| url.value.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    let rest = ["http://", "https://"].iter().find(|scheme| is(scheme)).map(|scheme| &url.value[scheme.len()..]);
    let (title, right) = match rest {
        None => ("`url` must begin with http:// or https://", "as \"http://127.0.0.1:8000/{job}\""),
        Some(rest) if rest.is_empty() || rest.starts_with(['/', '?', '#', ':']) => {
            ("`url` has no host", "as \"http://127.0.0.1:8000/{job}\"")
        }
        Some(rest) if rest.contains(|c: char| c.is_whitespace() || c.is_control()) => {
            ("`url` has a space", "%20 in a path")
        }
        Some(rest) if rest.replace("{job}", "").contains(['{', '}']) => {
            ("`{job}` is the one placeholder of `url`", "{job}, or %7B and %7D")
        }
        Some(rest) if rest.split(['/', '?', '#']).next().is_some_and(|host| host.contains('{')) => {
            ("`{job}` cannot stand in the host of `url`", "in the path, as http://127.0.0.1:8000/{job}")
        }
        Some(_) => return Some(url),
    };
    reader.wrong(url.span, title, right);
    None
}

fn headers(item: Item<'_>, reader: &mut Reader) -> BTreeMap<String, Header> {
    let mut headers = BTreeMap::new();
    let Some(table) = reader.table(item, "as { Authorization = { env = \"TOKEN\", prefix = \"Bearer \" } }") else {
        return headers;
    };
    for entry in items(table) {
        let name = entry.name();
        let is_token =
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
        if !is_token {
            reader.wrong(entry.key.span(), format!("`{name}` is not a valid header name"), "letters, digits and -");
        } else if name.to_ascii_lowercase().starts_with("jobstile-") {
            reader.wrong(entry.key.span(), format!("`{name}` is set by Jobstile"), "another name");
        } else if let Some(value) = header(entry, reader) {
            headers.insert(name.to_owned(), value);
        }
    }
    headers
}

/// The value of a header: text, or a variable.
fn header(item: Item<'_>, reader: &mut Reader) -> Option<Header> {
    let name = item.name();
    let Some(table) = item.value.get_ref().as_table() else {
        let Some(text) = item.as_str() else {
            let title = format!("`headers.{name}` takes a string, not {}", type_name(item.value.get_ref()));
            reader.wrong(item.value.span(), title, "in quotes, or { env = \"TOKEN\" }");
            return None;
        };
        if let Some(variable) = text.find('$').map(|at| &text[at..]) {
            let named: String = variable.chars().skip(1).filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            if variable.starts_with("${") && variable.contains('}') {
                let prefix = text.split('$').next().unwrap_or_default();
                let right = format!("{{ env = \"{named}\", prefix = \"{prefix}\" }}");
                let title = format!("nothing expands a variable in the header `{name}`");
                reader.wrong(item.value.span(), title, right);
                return None;
            }
        }
        return one_line(item, name, text, reader).map(Header::Text);
    };
    let (mut variable, mut prefix) = (None, Some(String::new()));
    for item in items(table) {
        match item.name() {
            "env" => variable = reader.text(item, "the name of a variable").map(|at| at.value),
            "prefix" => {
                prefix = reader.text(item, "as \"Bearer \"").and_then(|at| one_line(item, name, &at.value, reader))
            }
            other => {
                let title = format!("unknown key `{other}` in the header `{name}`");
                reader.wrong(item.key.span(), title, "there are env and prefix");
                return None;
            }
        }
    }
    if variable.is_none() {
        reader.wrong(item.value.span(), format!("the header `{name}` names no variable"), "{ env = \"TOKEN\" }");
    }
    Some(Header::Variable { name: variable?, prefix: prefix? })
}

fn one_line(item: Item<'_>, name: &str, text: &str, reader: &mut Reader) -> Option<String> {
    if text.contains(|c: char| c.is_control() && c != '\t') {
        reader.wrong(item.value.span(), format!("the header `{name}` has a control character"), "one line");
        return None;
    }
    Some(text.to_owned())
}

/// Reads `env`.
fn env(item: Item<'_>, reader: &mut Reader) -> Option<At<BTreeMap<String, At<String>>>> {
    let env = reader.string_table(item, "as { MODE = \"fast\" }")?;
    for (name, value) in &env.value {
        if name.is_empty() || name.contains(['=', '\0']) {
            reader.wrong(value.key.clone(), format!("`{name}` is not a valid variable name"), "letters, digits and _");
        } else if name.starts_with("JOBSTILE_") {
            reader.wrong(value.key.clone(), format!("`{name}` is set by Jobstile"), "another name");
        }
    }
    Some(env)
}

/// Reads `pass_env`.
fn pass_env(item: Item<'_>, reader: &mut Reader) -> Option<At<Vec<String>>> {
    let right = "names, or beginnings with a * behind: [\"HIRO_*\"]";
    let names = reader.strings(item, right)?;
    let wrong = names.value.iter().find(|name| {
        let name = name.strip_suffix('*').unwrap_or(name);
        name.contains(['*', '='])
    });
    match wrong.or_else(|| names.value.iter().find(|name| name.is_empty())) {
        Some(name) => {
            reader.wrong(names.span, format!("`pass_env` cannot have \"{name}\""), right);
            None
        }
        None => Some(names),
    }
}
