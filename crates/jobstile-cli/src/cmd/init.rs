//! `init`: a first configuration.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::args::Global;
use crate::error::Error;
use crate::exit::Code;
use crate::text;

const TEMPLATE: &str = include_str!("init.toml");

/// Arguments of `init`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  jobstile init      writes ./jobstile.toml; --config FILE writes FILE instead")]
pub(crate) struct Args {}

pub(crate) fn run(_: Args, global: &Global) -> Result<Code, Error> {
    let path = global.config.clone().unwrap_or_else(|| PathBuf::from("./jobstile.toml"));
    write_new(&path)?;
    let serve = match &global.config {
        Some(path) => format!("jobstile serve --config {}", path.display()),
        None => "jobstile serve".into(),
    };
    text::out(&format!("wrote {} with two jobs and comments\n  next: {serve}\n", path.display()))?;
    Ok(Code::Done)
}

/// Writes the file, never over another one.
fn write_new(path: &Path) -> Result<(), Error> {
    let name = path.display();
    let cannot = |error: std::io::Error| match error.kind() {
        ErrorKind::AlreadyExists => Error::new(Code::Failed, format!("there is {name} already; nothing was changed"))
            .hint(format!("is it good? jobstile check --config {name}")),
        ErrorKind::PermissionDenied => Error::new(Code::NotAllowed, format!("{name} may not be written: {error}")),
        _ => Error::new(Code::Failed, format!("{name} cannot be written: {error}")),
    };
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).map_err(cannot)?;
    file.write_all(TEMPLATE.as_bytes()).map_err(cannot)
}
