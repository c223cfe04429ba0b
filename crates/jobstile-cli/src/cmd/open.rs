//! The store that a command works on: which one, whether it may be opened, and whether anybody works on it.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jobstile::Kind;
use jobstile::client::{Client, JobInfo, Liveness, NodeInfo};
use jobstile::engine::host;
use jobstile::engine::pointer::{self, Found};
use jobstile::text::{clean, clean_to};
use jobstile_core::id::RunId;

use crate::args::Global;
use crate::cmd::in_force::in_force;
use crate::config::environment::Environment;
use crate::config::file::gather;
use crate::config::locate::{self, Place};
use crate::config::origin::Origin;
use crate::config::suggest::nearest;
use crate::error::Error;
use crate::exit::Code;
use crate::text;
use crate::text::time::Times;
use crate::text::words;

/// Nodes that are looked at.
const NODES: usize = 200;
/// Daemons elsewhere that are named.
const NAMED: usize = 5;

/// A store that a command works on.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) client: Client,
    /// The file, for people.
    pub(crate) shown: String,
    /// The nodes that work on it now.
    pub(crate) alive: Vec<NodeInfo>,
    /// There are nodes of which nothing can be said from here.
    pub(crate) unsure: bool,
}

/// Opens the store of a command. Where nobody works on it, that is said first.
///
/// # Errors
/// If there is none, or it may not be read, or this program cannot use it.
pub(crate) fn open(global: &Global) -> Result<Opened, Error> {
    let (opened, nodes, place) = look(global)?;
    if opened.alive.is_empty() {
        nobody(&opened, &nodes, &start_one(global, &place));
    }
    Ok(opened)
}

/// The same for a command that asks about jobs alone: before a first start the configuration in sight answers.
///
/// # Errors
/// As [`open`], or if that configuration is wrong.
pub(crate) fn open_or_imagine(global: &Global) -> Result<Opened, Error> {
    let place = place(global)?;
    // Whoever names a store means that one, whatever file lies around.
    let of_the_file = matches!(place.origin, Origin::Default | Origin::File { .. }) && place.config.is_some();
    if !of_the_file || !matches!(place.store.try_exists(), Ok(false)) {
        return open(global);
    }
    let gathered = gather(global, None)?;
    let loaded = gathered.read()?;
    let (policy, _) = in_force(&loaded, &gathered.folder, &gathered.path, vec![]);
    let client = Client::imagined(&place.store, policy)?;
    let (file, shown) = (clean(&loaded.source.name).into_owned(), show(&place.store));
    text::say_line(&format!(
        "no daemon has ever worked on this store: {shown} (not there yet); this is what {file} says"
    ));
    text::suggest(&[start_one(global, &place)]);
    Ok(Opened { client, shown: file, alive: vec![], unsure: false })
}

/// The same for a command that says itself who works on the store.
///
/// # Errors
/// As [`open`].
pub(crate) fn open_quietly(global: &Global) -> Result<Opened, Error> {
    look(global).map(|(opened, ..)| opened)
}

/// A node that was not seen for so long although it is there does not move, and a tick that nobody has looked at for so
/// long is late.
pub(crate) const SILENCE: Duration = Duration::from_secs(10);

/// Where the store of a command is; it may not be there.
///
/// # Errors
/// If nothing says which one, and several daemons live here.
pub(crate) fn place(global: &Global) -> Result<Place, Error> {
    let mut place = locate::place(global, &Environment::of_process())?;
    if !place.is_meant() {
        let found = pointer::list();
        let ours: Vec<&Found> = found.iter().filter(|found| found.trusted).collect();
        match ours.as_slice() {
            [one] => place.store = one.pointer.store.clone(),
            [] => {}
            _ => return Err(which(&found)),
        }
    }
    Ok(place)
}

fn look(global: &Global) -> Result<(Opened, Vec<NodeInfo>, Place), Error> {
    let place = place(global)?;
    let client = match Client::open(&place.store) {
        Ok(client) => client,
        Err(error) => return Err(cannot_open(global, &place, error)),
    };
    let nodes = client.nodes(NODES)?;
    let alive = nodes.iter().filter(|node| node.liveness == Liveness::Alive).cloned().collect();
    let unsure = nodes.iter().any(|node| node.liveness == Liveness::Unknown);
    Ok((Opened { client, shown: show(&place.store), alive, unsure }, nodes, place))
}

/// A path for people: as it is, but for what could act on a terminal.
pub(crate) fn show(path: &Path) -> String {
    let text = path.to_string_lossy();
    if path.is_relative() && !text.starts_with('.') { clean(&format!("./{text}")).into() } else { clean(&text).into() }
}

fn which(found: &[Found]) -> Error {
    let error = Error::new(Code::Usage, "several daemons live here: which store?");
    elsewhere(found).into_iter().fold(error, Error::hint)
}

// A line for each, with what to type.
fn elsewhere(found: &[Found]) -> Vec<String> {
    found
        .iter()
        .take(NAMED)
        .map(|found| {
            let of = &found.pointer;
            let store = of.store.display().to_string();
            let line = format!("--store sqlite://{store}      {}, pid {}, user {}", of.node, of.pid, of.user);
            format!("{line}{}", rights(&of.store))
        })
        .collect()
}

// What stands between this user and a store, if anything does.
fn rights(store: &Path) -> String {
    let writable = rustix::fs::access(store, rustix::fs::Access::READ_OK | rustix::fs::Access::WRITE_OK).is_ok();
    match (writable, nearest_there(store)) {
        (false, Some((_, meta))) => match (meta.mode() & 0o050 == 0o050, group_name(meta.gid())) {
            (true, Some(group)) => format!(" (needs group {group}; you are in: {})", groups()),
            _ => format!(" (only for user {})", user_of(meta.uid())),
        },
        _ => String::new(),
    }
}

fn nearest_there(path: &Path) -> Option<(PathBuf, std::fs::Metadata)> {
    path.ancestors().find_map(|path| std::fs::metadata(path).ok().map(|meta| (path.to_owned(), meta)))
}

fn user_of(uid: u32) -> String {
    host::user_name(uid).unwrap_or_else(|| uid.to_string())
}

fn group_name(gid: u32) -> Option<String> {
    let list = std::fs::read_to_string("/etc/group").ok()?;
    list.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, id) = (fields.next()?, fields.nth(1)?);
        (id.parse() == Ok(gid)).then(|| name.to_owned())
    })
}

fn groups() -> String {
    let mut all = vec![rustix::process::getegid().as_raw()];
    all.extend(rustix::process::getgroups().unwrap_or_default().into_iter().map(rustix::process::Gid::as_raw));
    all.sort_unstable();
    all.dedup();
    all.into_iter().map(|gid| group_name(gid).unwrap_or_else(|| gid.to_string())).collect::<Vec<_>>().join(", ")
}

fn cannot_open(global: &Global, place: &Place, error: jobstile::Error) -> Error {
    let store = place.store.as_path();
    let shown = show(store);
    match error.kind() {
        Kind::NotFound => not_there(global, place, &shown),
        Kind::NotAllowed => not_allowed(store, &shown),
        Kind::Newer => {
            let whose = pointer::list().into_iter().map(|found| found.pointer).find(|pointer| pointer.store == store);
            let by = whose.map_or(String::new(), |p| format!("{} runs {} on it. ", p.node, p.program));
            Error::new(Code::Store, error.to_string())
                .hint(format!("{by}this is {}; upgrade it. Nothing was changed.", env!("CARGO_PKG_VERSION")))
        }
        _ => Error::from(error),
    }
}

fn not_there(global: &Global, place: &Place, shown: &str) -> Error {
    let error = Error::new(Code::NotFound, format!("no daemon has ever worked on this store: {shown} (not there yet)"));
    // Whoever means a store of their own is not helped by those of strangers.
    let found = if place.is_meant() { vec![] } else { pointer::list() };
    if found.is_empty() {
        return error.hint(format!("{}      another store: --store FILE", start_one(global, place)));
    }
    let error = error.hint("found elsewhere on this machine:");
    elsewhere(&found).into_iter().map(|line| format!("  {line}")).fold(error, Error::hint)
}

/// What to type for a daemon on this store.
fn start_one(global: &Global, place: &Place) -> String {
    let config = global.config.as_deref().map(|path| format!(" --config {}", clean(&path.to_string_lossy())));
    let store =
        global.store.as_deref().filter(|_| place.config.is_some()).map(|store| format!(" --store {}", clean(store)));
    match &place.config {
        Some(_) => format!("start one: jobstile serve{}{}", config.unwrap_or_default(), store.unwrap_or_default()),
        None => "start one: jobstile init, then jobstile serve".to_owned(),
    }
}

fn not_allowed(store: &Path, shown: &str) -> Error {
    let me = host::user();
    let Some((at, meta)) = nearest_there(store) else {
        return Error::new(Code::NotAllowed, format!("{shown} may not be opened by {me}"));
    };
    let owner = user_of(meta.uid());
    let whose = if at == store { shown.to_owned() } else { show(&at) };
    if owner == me {
        let mode = meta.mode() & 0o777;
        let what = format!("{whose} is yours, but its mode {mode:03o} does not let you work with {shown}");
        return Error::new(Code::NotAllowed, what)
            .hint("the file and its folder must be writable: chmod u+rw, chmod u+rwx");
    }
    let error =
        Error::new(Code::NotAllowed, format!("{whose} belongs to user {owner} and you ({me}) may not open {shown}"));
    let group = group_name(meta.gid()).filter(|group| meta.mode() & 0o050 == 0o050 && *group != "root");
    let join = group.map_or(String::new(), |group| format!(", or join group {group}"));
    error.hint(format!("sudo -u {owner} jobstile …{join}"))
}

/// What is said first where nobody works on the store.
fn nobody(opened: &Opened, nodes: &[NodeInfo], start: &str) {
    let times = Times::here(opened.client.now());
    // A lock that cannot be looked at proves nothing.
    if let Some(node) = nodes.iter().find(|node| node.liveness == Liveness::Unknown) {
        let why = if node.row.host == host::name() {
            let dir = Path::new(&node.row.dir);
            format!("its lock file in {} cannot be looked at{}", dir.display(), rights(dir))
        } else {
            format!("it is on {}", node.row.host)
        };
        let seen = times.ago(node.seen_at);
        text::say_line(&format!("whether {} lives is not known: {why}; last seen {seen}", node.row.name));
        return;
    }
    let last = match nodes.iter().max_by_key(|node| node.ended_at.unwrap_or(node.seen_at)) {
        None => "none ever has".to_owned(),
        Some(node) => {
            let who = format!("{} (pid {})", node.row.name, node.row.pid);
            match (node.ended_at, &node.end_reason) {
                (Some(at), Some(reason)) => format!("{who} left {}: {reason}", times.ago(at)),
                _ => format!("{who} was last seen {} and is gone", times.ago(node.seen_at)),
            }
        }
    };
    text::say_line(&format!("no daemon works on this store: {}; {last}", opened.shown));
    text::suggest(&[start.to_owned()]);
}

impl Opened {
    /// A job by its name.
    ///
    /// # Errors
    /// If there is none of that name, with the nearest one.
    pub(crate) fn job(&self, name: &str) -> Result<JobInfo, Error> {
        match self.client.job(name)? {
            Some(job) => Ok(job),
            None => Err(self.no_job(name)?),
        }
    }

    /// The error for a job that is not there.
    pub(crate) fn no_job(&self, name: &str) -> Result<Error, Error> {
        if let Ok(id) = run_id(name) {
            if self.client.run(id)?.is_none() {
                return self.no_run(id);
            }
            return Ok(Error::new(Code::NotFound, format!("{id} is a run, not a job")).hint(format!(
                "this run: jobstile explain {id}, jobstile logs {id}      runs of a job: jobstile runs JOB"
            )));
        }
        let jobs: Vec<JobInfo> = self.client.jobs()?.into_iter().filter(|job| job.policy.is_some()).collect();
        Ok(no_such_job(name, &self.shown, jobs.iter().map(|job| &*job.name)).hint(self.definitions(jobs.len())?))
    }

    fn definitions(&self, jobs: usize) -> Result<String, Error> {
        let noun = if jobs == 1 { "job" } else { "jobs" };
        let whose = match self.client.versions(None, 1)?.pop() {
            None => "; no configuration was ever loaded".to_owned(),
            Some(version) => {
                let at = Times::here(self.client.now()).at(version.at);
                format!("; definitions of {}, loaded {at}", version.owner)
            }
        };
        Ok(format!("({jobs} {noun}{whose})      all of them: jobstile ls"))
    }

    /// Why no live node can run a job; `None` if one can, or nobody lives.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub(crate) fn cannot_run(&self, name: &str) -> Result<Option<String>, Error> {
        let overview = self.client.overview(Some(name))?;
        Ok(overview.job(name).and_then(|job| job.cannot_run.as_deref()).map(words::standing::cannot_run))
    }

    /// A run by its number.
    ///
    /// # Errors
    /// If there is none.
    pub(crate) fn run(&self, id: RunId) -> Result<jobstile::client::RunInfo, Error> {
        match self.client.run(id)? {
            Some(run) => Ok(run),
            None => Err(self.no_run(id)?),
        }
    }

    /// The error for a run that is not there (any more).
    pub(crate) fn no_run(&self, id: RunId) -> Result<Error, Error> {
        let next = self.client.store()?.next_run;
        let what = format!("no run {id} in {}", self.shown);
        Ok(match id.0 {
            n if n > 0 && n < next.0 => Error::new(Code::NotFound, format!("{what} any more"))
                .hint("successes are kept for 7 days, or the newest 1,000 of a job; everything else for 30 days"),
            _ if next.0 == 1 => Error::new(Code::NotFound, what).hint("nothing has run here yet"),
            _ => Error::new(Code::NotFound, what).hint(format!("the newest is {}: jobstile runs", next.0 - 1)),
        })
    }

    /// A node's readable name; where a live one has the same, with its pid.
    pub(crate) fn named(&self, node: &NodeInfo) -> String {
        let row = &node.row;
        let name = clean(&row.name);
        let alike = self.alive.iter().any(|other| other.row.name == row.name && other.row.id != row.id);
        if alike { format!("{name} (pid {})", row.pid) } else { name.into_owned() }
    }
}

/// The error for a name that is not among these.
pub(crate) fn no_such_job<'a>(name: &str, place: &str, among: impl Iterator<Item = &'a str>) -> Error {
    let meant = nearest(name, among).map_or(String::new(), |near| format!("; did you mean {near}?"));
    Error::new(Code::NotFound, format!("no job `{}` in {place}{meant}", clean_to(name, 80)))
}

/// Who asks, as rows name it: user and host.
pub(crate) fn by() -> String {
    host::whoami()
}

/// A run's number as it is written on the command line.
pub(crate) fn run_id(text: &str) -> Result<RunId, String> {
    match text.parse() {
        Ok(id) if id > 0 => Ok(RunId(id)),
        _ => Err("not a run\nwrite the number of a run, as `jobstile runs` shows it".into()),
    }
}
