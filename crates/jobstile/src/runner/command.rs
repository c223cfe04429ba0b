//! Commands and shell lines: which program, in which folder, with which environment.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use super::keeper::protocol::Order;
use super::{Attempt, Context, variables};

/// Arguments up to this many bytes are also given as `JOBSTILE_ARGS`; always on standard input.
pub const MAX_ARGS_VARIABLE: usize = 32 << 10;
/// What a command sees of the daemon's environment unasked; `LC_*` besides.
const PASSED: [&str; 8] = ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR"];
/// Where commands are looked for when there is no `PATH`; what `execvp` does.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// A program with its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The program, looked up in `PATH` or, with a `/` in it, from `cwd`; then its arguments.
    pub argv: Vec<String>,
    /// Where it runs and what it sees.
    pub place: Place,
}

/// A line for `/bin/sh -c`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shell {
    /// The line.
    pub line: String,
    /// Where it runs and what it sees.
    pub place: Place,
}

/// Where a command runs and what it sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The folder it runs in.
    pub cwd: PathBuf,
    /// Variables; they win over those of `env_file`.
    pub env: BTreeMap<String, String>,
    /// A file of variables, read at each start. A relative path starts at `cwd`.
    pub env_file: Option<PathBuf>,
    /// Names, or beginnings of names with a `*` behind, of variables that are passed on from the daemon's environment.
    pub pass_env: Vec<String>,
    /// Whether it and all that it starts inherit the descriptor of the attempt's lock ([`super::lock`]). Without it nobody
    /// can tell after the death of daemon and keeper whether something of it lives that hides its traces.
    pub inherit_lock: bool,
}

impl Default for Place {
    fn default() -> Place {
        Place { cwd: PathBuf::new(), env: BTreeMap::new(), env_file: None, pass_env: Vec::new(), inherit_lock: true }
    }
}

/// A command as it is started.
#[derive(Debug, Clone)]
pub struct Program {
    argv: Vec<OsString>,
    place: Place,
}

impl Command {
    /// The command as it is started.
    pub fn program(&self) -> Program {
        Program { argv: self.argv.iter().map(OsString::from).collect(), place: self.place.clone() }
    }
}

impl Shell {
    /// The command as it is started.
    pub fn program(&self) -> Program {
        Program { argv: ["/bin/sh", "-c", &self.line].map(OsString::from).to_vec(), place: self.place.clone() }
    }
}

impl Program {
    /// The path that will be executed, or why it cannot be.
    pub(super) fn look_up(&self, environment: &BTreeMap<OsString, OsString>) -> Result<PathBuf, String> {
        let variables = self.place.variables(environment)?;
        self.find(&variables)
    }

    fn find(&self, variables: &BTreeMap<OsString, OsString>) -> Result<PathBuf, String> {
        let cwd = &self.place.cwd;
        match fs::metadata(cwd) {
            Ok(folder) if folder.is_dir() => {}
            Ok(_) => return Err(format!("not a folder: {}", cwd.display())),
            Err(error) => return Err(format!("{}: {}", reason(&error, "folder"), cwd.display())),
        }
        access(cwd, Access::EXEC_OK).map_err(|_| format!("folder not accessible: {}", cwd.display()))?;
        let name = self.argv.first().ok_or("no command given")?;
        if name.as_bytes().contains(&b'/') {
            // `./bin/x` is shown, and looked up, as `/srv/app/bin/x`.
            let path: PathBuf = cwd.join(name).components().collect();
            return match executable(&path) {
                Ok(()) => Ok(path),
                Err(reason) => Err(format!("{reason}: {}", path.display())),
            };
        }
        let path = variables.get(OsStr::new("PATH")).map_or(OsStr::new(DEFAULT_PATH), OsString::as_os_str);
        let mut seen = None;
        for folder in std::env::split_paths(path) {
            let candidate = cwd.join(folder).join(name);
            match executable(&candidate) {
                Ok(()) => return Ok(candidate),
                Err("command not found") => {}
                Err(reason) => seen = seen.or(Some(format!("{reason}: {}", candidate.display()))),
            }
        }
        Err(seen.unwrap_or_else(|| {
            format!("command not found: {} (PATH is {})", Path::new(name).display(), Path::new(path).display())
        }))
    }
}

fn executable(path: &Path) -> Result<(), &'static str> {
    match fs::metadata(path) {
        Ok(file) if file.is_dir() => Err("command is a folder"),
        Ok(_) => access(path, Access::EXEC_OK).map_err(|_| "command not executable"),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err("command not accessible"),
        Err(_) => Err("command not found"),
    }
}

fn reason(error: &io::Error, what: &str) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => format!("{what} not found"),
        io::ErrorKind::PermissionDenied => format!("{what} not accessible"),
        _ => format!("{what} not usable ({error})"),
    }
}

impl Place {
    /// All variables a command sees but those of its attempt. Later ones win: the daemon's, `pass_env`, `env_file`, `env`.
    pub(super) fn variables(
        &self,
        environment: &BTreeMap<OsString, OsString>,
    ) -> Result<BTreeMap<OsString, OsString>, String> {
        let mut variables: BTreeMap<OsString, OsString> = environment
            .iter()
            .filter(|(name, _)| passed(name) || self.pass_env.iter().any(|glob| fits(name, glob)))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        if let Some(file) = &self.env_file {
            let path = self.cwd.join(file);
            let read = variables::of_file(&path)?.into_iter();
            variables.extend(read.map(|entry| (entry.name.into(), entry.value.into())));
        }
        let own = self.env.iter().map(|(name, value)| (name.into(), value.into()));
        variables.extend(own);
        Ok(variables)
    }
}

fn passed(name: &OsStr) -> bool {
    PASSED.iter().any(|known| name == *known) || name.as_bytes().starts_with(b"LC_")
}

fn fits(name: &OsStr, glob: &str) -> bool {
    match glob.strip_suffix('*') {
        Some(start) => name.as_bytes().starts_with(start.as_bytes()),
        None => name == glob,
    }
}

/// What the keeper is told to start.
pub(super) fn order(context: &Context, attempt: &Attempt, program: &Program) -> Result<Order, String> {
    let mut env = program.place.variables(&context.environment)?;
    let path = program.find(&env)?;
    let mut set = |name: &str, value: OsString| env.insert(name.into(), value);
    set("JOBSTILE_JOB", attempt.job.clone().into());
    set("JOBSTILE_RUN_ID", attempt.run.to_string().into());
    set("JOBSTILE_ATTEMPT", attempt.attempt.to_string().into());
    set("JOBSTILE_FENCE", attempt.fence.to_string().into());
    set("JOBSTILE_NODE", context.node.clone().into());
    set("JOBSTILE_MARK", context.mark.clone().into());
    if attempt.args.len() <= MAX_ARGS_VARIABLE {
        set("JOBSTILE_ARGS", attempt.args.as_ref().into());
    } else {
        env.remove(OsStr::new("JOBSTILE_ARGS"));
    }
    match &context.store {
        Some(file) => {
            // What follows a question mark would be no part of the path.
            let is_plain = !file.as_os_str().as_bytes().contains(&b'?');
            let mut url = OsString::from(if is_plain { "sqlite://" } else { "" });
            url.push(file);
            env.insert("JOBSTILE_STORE".into(), url);
        }
        None => drop(env.remove(OsStr::new("JOBSTILE_STORE"))),
    }
    Ok(Order {
        ticket: 0,
        run: attempt.run,
        fence: attempt.fence,
        job: attempt.job.clone(),
        path: path.into(),
        argv: program.argv.clone(),
        env: env.into_iter().collect(),
        cwd: program.place.cwd.clone().into(),
        stdin: if attempt.args.as_ref() == "null" { Vec::new() } else { attempt.args.as_bytes().to_vec() },
        timeout: attempt.timeout,
        kill_after: attempt.kill_after,
        echo: context.echo.is_some(),
        inherit_lock: program.place.inherit_lock,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_passed_on_when_it_is_named() {
        let cases =
            [("HIRO_KEY", "HIRO_*", true), ("HIROSHIMA", "HIRO_*", false), ("A", "*", true), ("AB", "A", false)];
        for (name, glob, expected) in cases {
            assert_eq!(fits(OsStr::new(name), glob), expected, "{name} {glob}");
        }
    }
}
