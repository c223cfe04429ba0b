//! `serve`: the daemon.

mod log;
mod notify;
mod root;
mod signals;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jobstile::answer::{Changes, Held};
use jobstile::clock::Clock;
use jobstile::engine::desk::Workers;
use jobstile::engine::pointer::{self, Left, Pointer};
use jobstile::engine::{Engine, Setup, host, node_dir};
use jobstile::op::Applied;
use jobstile::store::sqlite::{self, Checked};

use jobstile::client::Client;
use jobstile::store::Reload;
use jobstile_core::id::Version;

use crate::args::Global;
use crate::cmd::changes;
use crate::cmd::first;
use crate::cmd::in_force::in_force;
use crate::config::diagnostic::{Diagnostic, render_all};
use crate::config::file::{Gathered, gather};
use crate::config::Loaded;
use crate::error::Error;
use crate::exit::Code;
use crate::text::{self, json};
use crate::text::duration::short;
use crate::text::log::{Level, Line, Stamp};
use log::{Format, Journal};

/// The longest that the check of the file may take.
const QUICK_CHECK: Duration = Duration::from_secs(2);
/// Jobs that are named in one of the first lines.
const JOBS_SHOWN: usize = 6;
/// The longest reason for a refused configuration that the store keeps, in characters.
const MAX_REFUSAL: usize = 8_000;

/// Arguments of `serve`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  jobstile serve --config /etc/jobstile/jobstile.toml
The first Ctrl-C or TERM starts no new runs and gives running ones shutdown_grace to end. The second ends them. The \
third leaves at once.
HUP, or `jobstile reload`, reads the file again. A file with a mistake is refused, and the old one stays in force.")]
pub(crate) struct Args {
    /// Work beside a daemon that already works on this store
    #[arg(long)]
    join: bool,
    /// Print what commands print, each line with its job and run
    #[arg(long)]
    echo: bool,
    /// Form of log lines: text, or json (one object a line)
    #[arg(long, value_name = "FORM", default_value = "text", hide_possible_values = true)]
    log_format: Format,
    /// Also read variables from this file
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
}

pub(crate) fn run(args: Args, global: &Global) -> Result<Code, Error> {
    let gathered = gather(global, args.env_file.as_deref())?;
    let loaded = gathered.read()?;
    let place = gathered.place(global, &loaded)?;
    let store = sqlite::resolve(&place.store)?;
    root::refuse(&store)?;
    if !args.join && let Some(who) = others(&store) {
        return Err(taken_by(&who));
    }
    let mut loaded = loaded;
    let starting = starting(&store, &mut loaded);
    greet(&gathered, &place.store, &store, &loaded, &starting, args.log_format)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Error::new(Code::Scheduler, format!("cannot start: {e}")))?;
    let served = runtime.block_on(serve(&args, global, gathered, loaded, store));
    // A third signal leaves whatever still runs to the keeper.
    runtime.shutdown_background();
    served
}

/// The first lines, at once: what is served, and where its state is.
fn greet(
    gathered: &Gathered,
    shown: &Path,
    store: &Path,
    loaded: &Loaded,
    starting: &[String],
    format: Format,
) -> Result<(), Error> {
    if format == Format::Json {
        let now = Clock::system().now();
        let line = Line::new(now, Level::Info, "Starting").text("version", env!("CARGO_PKG_VERSION"));
        let line = line.text("config", gathered.path.display()).text("store", shown.display());
        let first = line.number("jobs", loaded.jobs.len() as u64);
        let warn = |warning: &Diagnostic| Line::new(now, Level::Warn, "Configuration").text("warning", warning.sentence());
        let all = std::iter::once(first).chain(loaded.warnings.iter().map(warn));
        return text::out(&all.map(|line| line.to_json() + "\n").collect::<String>());
    }
    if !loaded.warnings.is_empty() {
        text::say(&format!("{}\n\n", render_all(&loaded.warnings, text::colour_on_stderr())));
    }
    let is_new = may_be_made(store);
    let mut lines = format!(
        "jobstile {} · {} · state in {}{}\n",
        env!("CARGO_PKG_VERSION"),
        gathered.path.display(),
        shown.display(),
        if is_new { " (new)" } else { "" }
    );
    lines.push_str(&jobs_line(loaded));
    if !starting.is_empty() {
        lines.push_str(&format!("starts now: {}\n", some(starting, ", ")));
    }
    if std::io::stdout().is_terminal() {
        let config = gathered.path.display();
        let asked = if *gathered.path == *Path::new("./jobstile.toml") { String::new() } else { format!(" --config {config}") };
        lines.push_str(&format!("watch it from a second terminal: jobstile monitor -c{asked}          stop: Ctrl-C\n"));
    }
    lines.push('\n');
    text::out(&lines)
}

// It is not there, and nothing that can be seen beforehand is in its way.
fn may_be_made(store: &Path) -> bool {
    let above = store.ancestors().skip(1).find(|folder| !matches!(folder.try_exists(), Ok(false)));
    let writable = |folder: &Path| rustix::fs::access(folder, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK);
    matches!(store.try_exists(), Ok(false)) && above.is_some_and(|folder| folder.is_dir() && writable(folder).is_ok())
}

/// The jobs that start at once, with a warning for each that runs seldom.
fn starting(store: &Path, loaded: &mut Loaded) -> Vec<String> {
    let known: BTreeSet<String> = match Client::open(store).and_then(|client| client.jobs()) {
        Ok(jobs) => jobs.into_iter().filter(|job| job.next_at.or(job.last_at).is_some()).map(|job| job.name.to_string()).collect(),
        Err(_) => BTreeSet::new(),
    };
    let starting = first::start_now(loaded, |name| !known.contains(name));
    let names = starting.iter().map(|(name, _)| (*name).to_owned()).collect();
    let mut warnings = first::warnings(&starting);
    loaded.warnings.append(&mut warnings);
    names
}

// The first of them, and how many more there are.
fn some(all: &[String], between: &str) -> String {
    let shown = all.iter().take(JOBS_SHOWN).cloned().collect::<Vec<_>>().join(between);
    match all.len().saturating_sub(JOBS_SHOWN) {
        0 => shown,
        more => format!("{shown}{between}{more} more"),
    }
}

fn jobs_line(loaded: &Loaded) -> String {
    let count = loaded.jobs.len();
    let fires: Vec<String> = loaded
        .jobs
        .iter()
        .filter(|(_, job)| job.policy.enabled)
        .filter_map(|(name, job)| {
            Some(format!("{name} every {}", short(job.policy.schedule?.every)))
        })
        .collect();
    let shown = some(&fires, " · ");
    let noun = if count == 1 { "job" } else { "jobs" };
    match fires.is_empty() {
        true => format!("{count} {noun}, on no schedule\n"),
        false => format!("{count} {noun}   {shown}\n"),
    }
}

async fn serve(
    args: &Args,
    global: &Global,
    gathered: Gathered,
    loaded: Loaded,
    store: PathBuf,
) -> Result<Code, Error> {
    let stamp = match std::io::stdout().is_terminal() {
        true => Stamp::Clock(jiff::tz::TimeZone::system()),
        false if std::env::var_os("JOURNAL_STREAM").is_some() => Stamp::Nothing,
        false => Stamp::Rfc3339,
    };
    let clock = Clock::system();
    let journal = Journal::start(args.log_format, stamp, clock.clone())?;
    let mut signals = signals::Signals::listen()?;
    let keeper = PathBuf::from("/proc/self/exe");
    let started = Engine::start(Setup {
        store: Some(store.clone()),
        kind: "daemon",
        name: host::name(),
        join: args.join,
        clock,
        workers: Workers::new(loaded.workers.map(|n| n as usize)),
        kill_after: loaded.kill_after,
        keeper: Some(keeper),
        owns_children: true,
        echo: args.echo.then(|| log::echoed(args.log_format)),
        environment: environment(&gathered),
        observer: journal.observer(),
    })
    .await;
    let engine = match started {
        Ok(engine) => engine,
        Err(error) => return Err(not_started(error, &store)),
    };
    let _pointer = leave_pointer(&engine, &store, &gathered);
    check_file(&store).await?;
    let mut loaded = loaded;
    let version = apply(&engine, &loaded, &gathered).await?;
    // What the file named at the last start, and does not name any more.
    let removed = held(&store).await.into_iter().filter(|(_, (of, in_policy, _))| *of == version && !in_policy);
    removed.for_each(|(job, (.., held))| log_removed(&job, held));
    engine.open().await?;
    notify::ready();
    let stopped = signals.stop();
    tokio::pin!(stopped);
    loop {
        tokio::select! {
            () = signals.hang_up() => {
                notify::reloading();
                loaded = reload(&engine, args, global, &store, loaded).await;
                notify::ready();
            }
            () = &mut stopped => break,
            () = engine.cut_off() => {
                tracing::error!("The store or its folder was deleted or replaced, what runs is ended");
                break;
            }
            () = notify::watchdog() => {}
        }
    }
    notify::stopping();
    match engine.busy() {
        0 => tracing::info!("Stopping"),
        runs => {
            let grace = short(loaded.shutdown_grace);
            tracing::info!(runs, grace, "Stopping when its runs have ended; again to end them now, a third time to leave");
        }
    }
    let hurry = signals.hurry();
    let third = signals.third();
    tokio::select! {
        done = engine.shut_down(hurry) => done?,
        () = third => {
            journal.close(Level::Warn, "Left before all runs had ended");
            return Ok(Code::Failed);
        }
    }
    journal.close(Level::Info, "Stopped");
    Ok(Code::Done)
}

// So that commands without flags find this daemon. It can do without.
fn leave_pointer(engine: &Engine, store: &Path, gathered: &Gathered) -> Option<Left> {
    let node = engine.node();
    let left = pointer::leave(&Pointer {
        store: store.to_owned(),
        id: node.id.to_string(),
        node: node.name.clone(),
        pid: node.pid,
        user: node.user.clone(),
        program: node.program.clone(),
        config: std::path::absolute(&gathered.path).ok(),
        lock: Path::new(&node.dir).join(format!("{}.lock", node.id)),
    });
    left.inspect_err(|error| tracing::debug!(%error, "No pointer left for commands without flags")).ok()
}

// The process's own, and the variables of an environment file where it has none of that name.
fn environment(gathered: &Gathered) -> BTreeMap<OsString, OsString> {
    let files = gathered.environment.of_files().map(|(name, value)| (name.into(), value.into()));
    files.chain(std::env::vars_os()).collect()
}

// The file is looked over after the first lines and before anything is claimed.
async fn check_file(store: &Path) -> Result<(), Error> {
    let path = store.to_owned();
    let checked = tokio::task::spawn_blocking(move || sqlite::quick_check(&path, QUICK_CHECK)).await;
    match checked {
        Ok(Ok(Checked::Whole | Checked::Unfinished)) => Ok(()),
        Ok(Ok(Checked::Damaged(damage))) => {
            let what = format!("{} is damaged: {damage}", store.display());
            Err(Error::new(Code::Store, what)
                .hint("restore it from a backup: stop everything, put the copy in its place, remove the -wal and -shm files"))
        }
        // That it cannot be looked at says nothing about the file.
        Ok(Err(error)) => Err(error.into()),
        Err(error) => Err(Error::new(Code::Scheduler, format!("the check of the store failed: {error}"))),
    }
}

async fn apply(engine: &Engine, loaded: &Loaded, gathered: &Gathered) -> jobstile::Result<Version> {
    let taken = taken(engine).await?;
    let (policy, definitions) = in_force(loaded, &gathered.folder, &gathered.path, taken);
    let Applied { version, taken_over } = engine.apply(policy, definitions).await?;
    for (job, owner) in taken_over {
        tracing::info!(job, owner, "Job taken over from an owner that is not at work");
    }
    Ok(version)
}

// What the jobs of the store hold.
async fn held(store: &Path) -> BTreeMap<String, (Version, bool, Held)> {
    let store = store.to_owned();
    let looked = tokio::task::spawn_blocking(move || Client::open(&store).and_then(|client| client.jobs())).await;
    let jobs = looked.ok().and_then(Result::ok).unwrap_or_default();
    jobs.into_iter().map(|job| (job.name.to_string(), (job.version, job.policy.is_some(), job.tally.into()))).collect()
}

fn log_removed(job: &str, held: Held) {
    let Held { running, queued, retrying, scheduled } = held;
    match held.is_nothing() {
        true => tracing::info!(job, "Job removed"),
        false => tracing::warn!(job, running, queued, retrying, scheduled, "Job removed, its runs stay"),
    }
}

// Jobs that other live nodes define may not be taken over from their owner.
async fn taken(engine: &Engine) -> jobstile::Result<Vec<String>> {
    engine.jobs_of_live_nodes().await
}

async fn reload(engine: &Engine, args: &Args, global: &Global, store: &Path, old: Loaded) -> Loaded {
    let (loaded, reload) = match read_again(engine, args, global, store, &old).await {
        Ok((loaded, changes)) => (loaded, Reload::Taken(json::line(&changes))),
        Err(refused) => {
            refused.sentences.iter().for_each(|reason| tracing::error!(reason, "Configuration not changed"));
            if std::io::stderr().is_terminal() {
                text::say(&format!("{}\n", refused.shown));
            }
            let sentence = refused.sentences.first().cloned().unwrap_or_default();
            let whole = format!("{sentence}\n\n{}", refused.shown);
            (old, Reload::Refused(whole.chars().take(MAX_REFUSAL).collect()))
        }
    };
    // For those who asked, and for `monitor`; the log has said it already.
    if let Err(error) = engine.reloaded(reload).await {
        tracing::warn!(%error, "The store does not know what became of the configuration");
    }
    loaded
}

/// Why a configuration was not taken.
struct Refused {
    sentences: Vec<String>,
    /// All of it, with the places.
    shown: String,
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self { sentences: vec![error.sentence().to_owned()], shown: error.to_string() }
    }
}

async fn read_again(
    engine: &Engine,
    args: &Args,
    global: &Global,
    store: &Path,
    old: &Loaded,
) -> Result<(Loaded, Changes), Refused> {
    let gathered = gather(global, args.env_file.as_deref())?;
    let read = gathered.read();
    let loaded = read.map_err(|failed| Refused { sentences: failed.sentences().collect(), shown: failed.render(false) })?;
    // A file that an editor has emptied to write it again.
    if loaded.jobs.is_empty() && !old.jobs.is_empty() {
        return Err(Error::new(Code::Configuration, "the file has no jobs; to run none, stop the daemon").into());
    }
    let version = apply(engine, &loaded, &gathered).await.map_err(Error::from)?;
    let held = held(store).await;
    let holds = |job: &str| held.get(job).map_or(Held::default(), |(.., held)| *held);
    let changes = changes::between(old, &loaded, version, holds);
    tracing::info!(jobs = loaded.jobs.len(), version = %version, "Configuration read again");
    for (jobs, message) in [(&changes.new, "Jobs new"), (&changes.changed, "Jobs changed")] {
        if !jobs.is_empty() {
            tracing::info!(jobs = jobs.join(","), "{message}");
        }
    }
    changes.removed.iter().for_each(|(job, held)| log_removed(job, *held));
    if (&loaded.store, loaded.workers, loaded.kill_after) != (&old.store, old.workers, old.kill_after) {
        tracing::warn!("store, workers and kill_after stay as they were until the daemon is started again");
    }
    Ok((loaded, changes))
}

fn not_started(error: jobstile::Error, store: &Path) -> Error {
    if error.kind() != jobstile::Kind::Taken {
        return Error::from(error);
    }
    taken_by(&others(store).unwrap_or_else(|| "another daemon".to_owned()))
}

fn taken_by(who: &str) -> Error {
    Error::new(Code::Usage, format!("{who} already works on this store"))
        .hint("look at it:  jobstile monitor, jobstile runs        run a job now:  jobstile trigger JOB")
        .hint("a second daemon on purpose:  jobstile serve --join")
}

// Who the other daemon is, as the store knows it.
fn others(store: &Path) -> Option<String> {
    let ids = jobstile::engine::node::daemons(&node_dir(store)).ok()?;
    let client = jobstile::client::Client::open(store).ok()?;
    let node = ids.iter().find_map(|id| client.node(id).ok().flatten())?;
    let up = short(client.now().since(node.started_at));
    Some(format!("{} (pid {}, user {}, up {up})", node.row.name, node.row.pid, node.row.user))
}

type Shared = Arc<dyn jobstile::engine::Observer>;
