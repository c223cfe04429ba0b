//! `serve`: the daemon.

mod log;
mod notify;
mod root;
mod signals;

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jobstile::engine::clock::Clock;
use jobstile::engine::desk::Workers;
use jobstile::engine::pointer::{self, Left, Pointer};
use jobstile::engine::worker::Defined;
use jobstile::engine::{Engine, Setup, host, node_dir};
use jobstile::op::{Apply, JobPolicy};
use jobstile::store::sqlite::{self, Checked};

use jobstile_core::schedule::First;

use crate::args::Global;
use crate::config::diagnostic::render_all;
use crate::config::file::{Gathered, gather};
use crate::config::job::JobConfig;
use crate::config::Loaded;
use crate::error::Error;
use crate::exit::Code;
use crate::text;
use crate::text::duration::short;
use crate::text::log::{Level, Line, Stamp};
use log::{Format, Journal};

/// The longest that the check of the file may take.
const QUICK_CHECK: Duration = Duration::from_secs(2);
/// Jobs whose schedules are named in the first lines.
const JOBS_SHOWN: usize = 6;

/// Arguments of `serve`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  jobstile serve --config /etc/jobstile/jobstile.toml
First Ctrl-C or TERM: no new runs, running ones may end within shutdown_grace. Second: they are ended. Third: it leaves.
HUP reads the file again; one that is not good is refused, and the old one stays.")]
pub(crate) struct Args {
    /// Work beside a daemon that works on this store already
    #[arg(long)]
    join: bool,
    /// Print what commands print, each line with its job and run
    #[arg(long)]
    echo: bool,
    /// How log lines are written: text or json (one object a line)
    #[arg(long, value_name = "FORM", default_value = "text", hide_possible_values = true)]
    log_format: Format,
    /// Variables from a file besides those of the environment
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
}

pub(crate) fn run(args: Args, global: &Global) -> Result<Code, Error> {
    let gathered = gather(global, args.env_file.as_deref())?;
    let loaded = gathered.read()?;
    let place = gathered.place(global, &loaded)?;
    let store = std::path::absolute(&place.store)
        .map_err(|e| Error::new(Code::Store, format!("{}: {e}", place.store.display())))?;
    root::refuse(&store)?;
    if !args.join && let Some(who) = others(&store) {
        return Err(taken_by(&who));
    }
    greet(&gathered, &place.store, &store, &loaded, args.log_format)?;
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
    format: Format,
) -> Result<(), Error> {
    if !loaded.warnings.is_empty() {
        text::say(&format!("{}\n\n", render_all(&loaded.warnings, text::colour_on_stderr())));
    }
    if format == Format::Json {
        let line = Line::new(Clock::system().now(), Level::Info, "Starting").text("version", env!("CARGO_PKG_VERSION"));
        let line = line.text("config", gathered.path.display()).text("store", shown.display());
        return text::out(&format!("{}\n", line.number("jobs", loaded.jobs.len() as u64).to_json()));
    }
    let is_new = may_be_made(store);
    let mut lines = format!(
        "jobstile {} · {} · state in {}{}\n",
        env!("CARGO_PKG_VERSION"),
        gathered.path.display(),
        shown.display(),
        if is_new { " (new)" } else { "" }
    );
    lines.push_str(&jobs_line(loaded, is_new));
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

fn jobs_line(loaded: &Loaded, is_new: bool) -> String {
    let count = loaded.jobs.len();
    let fires: Vec<String> = loaded
        .jobs
        .iter()
        .filter(|(_, job)| job.policy.enabled)
        .filter_map(|(name, job)| {
            let schedule = job.policy.schedule?;
            let first = if is_new && schedule.first == First::Now { ", first run now" } else { "" };
            Some(format!("{name} every {}{first}", short(schedule.every)))
        })
        .collect();
    let more = match fires.len().saturating_sub(JOBS_SHOWN) {
        0 => String::new(),
        more => format!(" · {more} more"),
    };
    let shown = fires.iter().take(JOBS_SHOWN).cloned().collect::<Vec<_>>().join(" · ");
    let noun = if count == 1 { "job" } else { "jobs" };
    match fires.is_empty() {
        true => format!("{count} {noun}, on no schedule\n"),
        false => format!("{count} {noun}   {shown}{more}\n"),
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
    apply(&engine, &loaded, &gathered).await?;
    engine.open().await?;
    notify::ready();
    let stopped = signals.stop();
    tokio::pin!(stopped);
    loop {
        tokio::select! {
            () = signals.hang_up() => {
                notify::reloading();
                loaded = reload(&engine, args, global, loaded).await;
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

async fn apply(engine: &Engine, loaded: &Loaded, gathered: &Gathered) -> jobstile::Result<()> {
    let taken = taken(engine).await?;
    let (policy, definitions) = in_force(loaded, &gathered.folder, &gathered.path, taken);
    let (_, taken_over) = engine.apply(policy, definitions).await?;
    for (job, owner) in taken_over {
        tracing::info!(job, owner, "Job taken over from an owner that is not at work");
    }
    Ok(())
}

// Jobs that other live nodes define may not be taken over from their owner.
async fn taken(engine: &Engine) -> jobstile::Result<Vec<String>> {
    engine.jobs_of_live_nodes().await
}

/// The policy and the definitions of a configuration.
pub(crate) fn in_force(
    loaded: &Loaded,
    folder: &Path,
    file: &Path,
    taken: Vec<String>,
) -> (Apply, HashMap<String, Defined>) {
    let owner = folder.join(file.file_name().unwrap_or_default());
    let jobs = loaded.jobs.iter().map(|(name, job)| JobPolicy {
        name: name.to_string(),
        policy: job.policy.clone(),
        origins: Loaded::origins(&job.settings),
    });
    let apply = Apply {
        owner: owner.to_string_lossy().into_owned(),
        by: host::whoami(),
        switches: Some(loaded.switches),
        origins: Loaded::origins(&loaded.settings),
        jobs: jobs.collect(),
        replace: true,
        taken,
    };
    let definitions = loaded
        .jobs
        .iter()
        .filter_map(|(name, job)| Some((name.to_string(), defined(loaded, job)?)))
        .collect();
    (apply, definitions)
}

fn defined(loaded: &Loaded, job: &JobConfig) -> Option<Defined> {
    let definition = job.definition.clone()?;
    Some(Defined { definition, shutdown_grace: loaded.shutdown_grace, kill_after: loaded.kill_after })
}

async fn reload(engine: &Engine, args: &Args, global: &Global, old: Loaded) -> Loaded {
    let gathered = match gather(global, args.env_file.as_deref()) {
        Ok(gathered) => gathered,
        Err(error) => {
            not_read_again(error.sentence());
            return old;
        }
    };
    let loaded = match gathered.read() {
        Ok(loaded) => loaded,
        Err(failed) => {
            failed.sentences().for_each(|sentence| not_read_again(&sentence));
            if std::io::stderr().is_terminal() {
                text::error(&failed.into());
            }
            return old;
        }
    };
    // A file that an editor has emptied to write it again.
    if loaded.jobs.is_empty() && !old.jobs.is_empty() {
        not_read_again("the file has no jobs; to run none, stop the daemon");
        return old;
    }
    match apply(engine, &loaded, &gathered).await {
        Ok(()) => {
            tracing::info!(jobs = loaded.jobs.len(), "Configuration read again");
            if (&loaded.store, loaded.workers, loaded.kill_after) != (&old.store, old.workers, old.kill_after) {
                tracing::warn!("store, workers and kill_after stay as they were until the daemon is started again");
            }
            loaded
        }
        Err(error) => {
            not_read_again(&error.to_string());
            old
        }
    }
}

fn not_read_again(reason: &str) {
    tracing::error!(reason, "Configuration not changed");
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
