//! The files themselves: the configuration and the environment file, read whole and bounded.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jobstile::file::{self, Unreadable};
use jobstile::runner::variables;

use crate::args::Global;
use crate::config::diagnostic::{Failed, Source};
use crate::config::environment::Environment;
use crate::config::locate::{self, Place};
use crate::config::{self, Loaded};
use crate::error::Error;
use crate::exit::Code;

/// The largest configuration, in bytes.
const MAX_BYTES: u64 = 16 << 20;

/// Reads a configuration; its name for people is the path as it was given.
///
/// # Errors
/// Exit code 77 if it may not be read, 78 if it does not exist or is not text.
pub(crate) fn source(path: &Path) -> Result<Arc<Source>, Error> {
    bounded(path, MAX_BYTES)
}

fn bounded(path: &Path, most: u64) -> Result<Arc<Source>, Error> {
    let name = path.strip_prefix("./").unwrap_or(path).display().to_string();
    let bytes = file::read(path, most).map_err(|error| {
        let wrong = |what: String| Error::new(Code::Configuration, what);
        match &error {
            Unreadable::System(why) => match why.kind() {
                ErrorKind::NotFound => {
                    let folder = std::env::current_dir();
                    let folder = folder.map_or_else(|_| ".".to_owned(), |folder| folder.display().to_string());
                    wrong(format!("there is no file {name}")).hint(format!("looked in {folder}"))
                }
                ErrorKind::PermissionDenied => Error::new(Code::NotAllowed, format!("{name} may not be read: {why}")),
                _ => wrong(format!("{name} cannot be read: {why}")),
            },
            Unreadable::Kind(_) | Unreadable::TooLarge(_) => wrong(format!("{name} is not read: {error}")),
        }
    })?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Source::new(name, text)),
        Err(error) => {
            let good = error.utf8_error().valid_up_to();
            let line = 1 + error.as_bytes()[..good].iter().filter(|byte| **byte == b'\n').count();
            Err(Error::new(Code::Configuration, format!("{name} is not UTF-8 in line {line}")))
        }
    }
}

/// What a configuration is made of.
#[derive(Debug)]
pub(crate) struct Gathered {
    /// The configuration file, as it was found.
    pub(crate) path: PathBuf,
    pub(crate) source: Arc<Source>,
    pub(crate) environment: Environment,
    /// The folder of the file, whole: commands run there whatever the daemon's own folder is.
    pub(crate) folder: PathBuf,
}

/// Reads the configuration file and the environment, `--env-file` with it.
///
/// # Errors
/// If one of them cannot be read.
pub(crate) fn gather(global: &Global, env_file: Option<&Path>) -> Result<Gathered, Error> {
    let mut environment = Environment::of_process();
    if let Some(path) = env_file {
        let mut mistakes = vec![];
        environment.add_file(&bounded(path, variables::MAX_BYTES)?, &mut mistakes);
        Failed::unless_good(mistakes)?;
    }
    let path = locate::need_configuration(global, &environment)?;
    let source = source(&path)?;
    let whole = std::path::absolute(&path)
        .map_err(|error| Error::new(Code::Configuration, format!("the folder of {}: {error}", source.name)))?;
    let folder = whole.parent().unwrap_or(&whole).to_owned();
    Ok(Gathered { path, source, environment, folder })
}

impl Gathered {
    /// The configuration.
    ///
    /// # Errors
    /// Everything that is wrong with it, at once.
    pub(crate) fn read(&self) -> Result<Loaded, Failed> {
        config::read(&self.source, &self.folder, &self.environment)
    }

    /// Where the store of the configuration is.
    ///
    /// # Errors
    /// If it is written in a way that cannot be used.
    pub(crate) fn place(&self, global: &Global, loaded: &Loaded) -> Result<Place, Error> {
        locate::place_of(global, &self.environment, &self.path, loaded)
    }
}
