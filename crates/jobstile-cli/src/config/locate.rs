//! Which configuration file, and where the store is.

use std::path::{Path, PathBuf};

use crate::args::Global;
use crate::config::diagnostic::{Diagnostic, Failed, Source};
use crate::config::environment::Environment;
use crate::config::file;
use crate::config::origin::Origin;
use crate::config::reader::{Reader, items};
use crate::config::{self, Loaded};
use crate::error::Error;
use crate::exit::Code;
use std::sync::Arc;

const FILE: &str = "jobstile.toml";
const SYSTEM: &str = "/etc/jobstile";
const SYSTEM_STATE: &str = "/var/lib/jobstile";

/// Where everything is.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// The configuration file; `None` if none is in sight.
    pub(crate) config: Option<PathBuf>,
    /// The SQLite file.
    pub(crate) store: PathBuf,
    /// Who said so.
    pub(crate) origin: Origin,
}

impl Place {
    /// Somebody said which store, or a configuration is in sight.
    pub(crate) fn is_meant(&self) -> bool {
        self.origin != Origin::Default || self.config.is_some()
    }
}

/// Finds the store for a command that reads no more of the configuration than `store`.
///
/// # Errors
/// If the file is not TOML, or the store is written in a way that cannot be used.
pub(crate) fn place(global: &Global, environment: &Environment) -> Result<Place, Error> {
    let config = configuration(global.config.as_deref(), environment);
    // A command that was told its store needs no file, which may just be written again.
    let told = global.store.is_some() || environment.get("JOBSTILE_STORE", &mut vec![]).is_some();
    let peeked = match &config {
        Some(path) if !told => peek(&file::source(path)?, environment)?,
        _ => None,
    };
    let (store, origin) = store(global, environment, config.as_deref(), peeked)?;
    Ok(Place { config, store, origin })
}

/// Finds the store of a configuration that is loaded.
///
/// # Errors
/// If it is written in a way that cannot be used.
pub(crate) fn place_of(
    global: &Global,
    environment: &Environment,
    path: &Path,
    loaded: &Loaded,
) -> Result<Place, Error> {
    let origin = loaded.settings.iter().find(|s| s.key == "store").map_or(Origin::Default, |s| s.origin.clone());
    let written = loaded.store.clone().map(|store| (store, origin));
    let (store, origin) = store(global, environment, Some(path), written)?;
    Ok(Place { config: Some(path.to_owned()), store, origin })
}

/// The configuration file: as asked for, else the first that exists of `./jobstile.toml`, the user's and the
/// system's.
pub(crate) fn configuration(asked: Option<&Path>, environment: &Environment) -> Option<PathBuf> {
    if let Some(asked) = asked {
        return Some(asked.to_owned());
    }
    let user = user_folder(environment, "XDG_CONFIG_HOME", ".config").map(|folder| folder.join(FILE));
    let places = [Some(Path::new("./").join(FILE)), user, Some(Path::new(SYSTEM).join(FILE))];
    places.into_iter().flatten().find(|path| path.exists())
}

/// As [`configuration`], for a command that cannot do without.
///
/// # Errors
/// If there is none.
pub(crate) fn need_configuration(global: &Global, environment: &Environment) -> Result<PathBuf, Error> {
    configuration(global.config.as_deref(), environment).ok_or_else(|| {
        let user = user_folder(environment, "XDG_CONFIG_HOME", ".config");
        let user = user.map_or(String::new(), |folder| format!(", {}", folder.join(FILE).display()));
        Error::new(Code::Configuration, "there is no configuration file")
            .hint(format!("looked for ./{FILE}{user} and {SYSTEM}/{FILE}"))
            .hint("write one with two jobs: jobstile init      name one: --config FILE")
    })
}

/// What every command reads of a file: the store.
fn peek(source: &Arc<Source>, environment: &Environment) -> Result<Option<(String, Origin)>, Failed> {
    let table = config::parse(source)?;
    let mut reader = Reader::new(source);
    let (mut store, mut peeked) = (None, None);
    for item in items(&table) {
        if item.name() == "store" {
            store = reader.text(item, "as \"sqlite:///var/lib/jobstile/jobstile.db\"");
        }
    }
    let mut found = reader.found;
    let mut settings = vec![];
    if let Some(at) = store {
        let value = config::resolve(&at, source, environment, &mut settings, &mut found);
        peeked = value.zip(settings.pop().map(|setting| setting.origin));
    }
    Failed::unless_good(found)?;
    Ok(peeked)
}

/// Flag, variable, file, default.
fn store(
    global: &Global,
    environment: &Environment,
    config: Option<&Path>,
    written: Option<(String, Origin)>,
) -> Result<(PathBuf, Origin), Error> {
    if let Some(store) = &global.store {
        let path = sqlite_file(store).map_err(|what| unusable(Code::Usage, "--store", &what))?;
        return Ok((path, Origin::Flag("--store")));
    }
    let mut mistakes: Vec<Diagnostic> = vec![];
    if let Some(reading) = environment.get("JOBSTILE_STORE", &mut mistakes) {
        let path =
            sqlite_file(&reading.value).map_err(|what| unusable(Code::Configuration, "JOBSTILE_STORE", &what))?;
        return Ok((path, reading.origin));
    }
    Failed::unless_good(mistakes)?;
    match written {
        Some((store, origin)) => {
            let path = sqlite_file(&store).map_err(|what| match origin.spot() {
                Some(spot) => Failed::from(Diagnostic::error(what).at(
                    &spot.source,
                    spot.span.clone(),
                    "a file, or sqlite://FILE",
                ))
                .into(),
                None => unusable(Code::Configuration, &origin.to_string(), &what),
            })?;
            // A relative one starts where the file lies, as commands do.
            let folder = config.and_then(Path::parent).unwrap_or(Path::new(""));
            Ok((folder.join(path), origin))
        }
        None => Ok((default_store(environment, config)?, Origin::Default)),
    }
}

fn unusable(code: Code, whence: &str, what: &str) -> Error {
    Error::new(code, format!("{whence}: {what}")).hint("a file, as /var/lib/jobstile/jobstile.db, or sqlite://FILE")
}

/// The file of a store as it is written: a path or `sqlite://` and a path.
fn sqlite_file(store: &str) -> Result<PathBuf, String> {
    let path = match store.split_once(':') {
        Some(("sqlite", rest)) => rest.strip_prefix("//").unwrap_or(rest),
        Some(("postgres" | "postgresql", _)) => return Err("PostgreSQL is not in this version yet".into()),
        Some((scheme, rest)) if rest.starts_with("//") => return Err(format!("{scheme}:// is not a kind of store")),
        _ => store,
    };
    if path == ":memory:" || path == "memory:" {
        return Err("a store in memory ends with its process: it is for programs that embed Jobstile".into());
    }
    if path.is_empty() || path.ends_with('/') {
        return Err("a store needs a file name".into());
    }
    if path.len() != store.len() && path.contains(['?', '#']) {
        return Err("a store takes no parameters".into());
    }
    Ok(path.into())
}

/// Beside the configuration file, or where state belongs for the system's and the user's.
fn default_store(environment: &Environment, config: Option<&Path>) -> Result<PathBuf, Error> {
    let name = config.and_then(Path::file_stem).map_or("jobstile.db".into(), |stem| {
        let mut name = stem.to_owned();
        name.push(".db");
        name
    });
    let users = user_folder(environment, "XDG_CONFIG_HOME", ".config");
    match config.and_then(Path::parent) {
        Some(folder) if folder == Path::new(SYSTEM) => Ok(Path::new(SYSTEM_STATE).join(name)),
        Some(folder) if Some(folder) != users.as_deref() => Ok(folder.join(".jobstile").join(name)),
        _ => match user_folder(environment, "XDG_STATE_HOME", ".local/state") {
            Some(folder) => Ok(folder.join(name)),
            None => Err(Error::new(Code::Configuration, "there is no place for the store: HOME is not set")
                .hint("name one: --store FILE")),
        },
    }
}

/// Jobstile's folder below one of the user's folders; a relative one is ignored (XDG Base Directory Specification).
fn user_folder(environment: &Environment, variable: &str, below_home: &str) -> Option<PathBuf> {
    let whole = |name| environment.get(name, &mut vec![]).map(|r| PathBuf::from(r.value)).filter(|p| p.is_absolute());
    let base = whole(variable).or_else(|| whole("HOME").map(|home| home.join(below_home)))?;
    Some(base.join("jobstile"))
}

/// An address as it may be shown: without its user, its password and the values of its query.
pub(crate) fn without_password(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else { return address.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let whose = rest[..end].rfind('@').unwrap_or(0);
    let shown = if whose > 0 { format!("{scheme}://…{}", &rest[whose..]) } else { address.to_owned() };
    let Some((place, query)) = shown.split_once('?') else { return shown };
    let hidden: Vec<String> = query
        .split('&')
        .map(|pair| pair.split_once('=').map_or("…".to_owned(), |(name, _)| format!("{name}=…")))
        .collect();
    format!("{place}?{}", hidden.join("&"))
}

#[cfg(test)]
mod tests {
    use super::without_password;

    #[test]
    fn an_address_is_shown_without_its_secrets() {
        for (address, shown) in [
            ("/var/lib/jobstile/jobstile.db", "/var/lib/jobstile/jobstile.db"),
            ("http://127.0.0.1:8000/jobs/{job}", "http://127.0.0.1:8000/jobs/{job}"),
            ("https://anna:secret@api.example/x", "https://…@api.example/x"),
            ("https://api.example/x?token=secret&n=1#a", "https://api.example/x?token=…&n=…"),
            ("https://api.example?secret", "https://api.example?…"),
        ] {
            assert_eq!(without_password(address), shown);
        }
    }
}
