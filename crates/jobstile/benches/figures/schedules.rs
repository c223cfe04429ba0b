//! Ten thousand schedules: how late their runs start, and what a tick costs.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use jobstile::clock::Clock;
use jobstile::core::policy::{Policy, Switches};
use jobstile::core::schedule::{CatchUp, First, Schedule};
use jobstile::core::time::{Time, micros};
use jobstile::engine::desk::Workers;
use jobstile::engine::worker::Defined;
use jobstile::engine::{Engine, Nobody, Setup};
use jobstile::op::{Apply, JobPolicy, Op};
use jobstile::runner::Definition;
use jobstile::runner::function::erase;
use jobstile::store::sqlite::{OpenAs, Store};
use jobstile::{Run, client::Client};

use crate::figure::{Aim, Report};
use crate::other::{Other, used};
use crate::place::Place;
use crate::{Effort, runtime};

const SCHEDULES: usize = 10_000;
const EVERY: Duration = Duration::from_secs(10);
/// The first instant is so long after the node was started: it should be ready by then.
const AHEAD: Duration = Duration::from_secs(10);
/// How long the runs of the last instants may take to start.
const PATIENCE: Duration = Duration::from_secs(30);
const MIB: f64 = 1048576.0;

pub(crate) fn spread(report: &mut Report, effort: Effort) -> anyhow::Result<()> {
    let seen = watch(effort, EVERY)?;
    report.add("start-up with 10,000 schedules", seen.start_up.as_secs_f64() * 1e3, "ms", Aim::None);
    report.add("ticks that became a run which started", seen.share * 100.0, "%", Aim::AtLeast(100.0));
    report.times("from instant to start", seen.late, Aim::None, Aim::Below(50.0));
    report.add("processor time of a tick and its run", seen.cost.as_secs_f64() * 1e6, "µs", Aim::None);
    report.add("memory", seen.bytes as f64 / MIB, "MiB", Aim::None);
    Ok(())
}

pub(crate) fn herd(report: &mut Report, effort: Effort) -> anyhow::Result<()> {
    let seen = watch(effort, Duration::ZERO)?;
    let last = seen.late.iter().max().copied().unwrap_or_default();
    report.add("ticks that became a run which started", seen.share * 100.0, "%", Aim::AtLeast(100.0));
    report.times("from instant to start", seen.late, Aim::None, Aim::None);
    report.add("from instant to the last start", last.as_secs_f64() * 1e3, "ms", Aim::None);
    report.add("processor time of a tick and its run", seen.cost.as_secs_f64() * 1e6, "µs", Aim::None);
    Ok(())
}

struct Seen {
    start_up: Duration,
    /// Of the ticks, those that became a run that started.
    share: f64,
    late: Vec<Duration>,
    cost: Duration,
    bytes: u64,
}

/// A node in another process, whose schedules' first instants are this far apart in all.
fn watch(effort: Effort, phases: Duration) -> anyhow::Result<Seen> {
    let place = Place::new()?;
    let first = prepare(&place, phases)?;
    let mut node = Other::start(&["schedules", &place.store().to_string_lossy()])?;
    let mut lines = BufReader::new(node.stdout().context("what it prints")?).lines();
    let ready: u64 = lines.next().context("a line when it is ready")??.parse()?;
    let until_first = first.since(Clock::system().now());
    ensure!(!until_first.is_zero(), "the node was not ready before the first instant");
    jobstile::clock::block(until_first);
    let (before, _) = used(node.pid())?;
    // Whole intervals, so that every schedule fires equally often; the last runs of them may still be starting.
    let rounds = (effort.watch_s / EVERY.as_secs()).max(1);
    let end = first.plus(EVERY * rounds as u32);
    jobstile::clock::block(end.since(Clock::system().now()).saturating_sub(Duration::from_millis(200)));
    let (after, bytes) = used(node.pid())?;
    let due = SCHEDULES * rounds as usize;
    wait_for(&place, first, end, due)?;
    node.close_stdin();
    let mut starts = HashMap::new();
    for line in lines {
        let line = line?;
        let (run, at) = line.split_once(' ').context("a run and its start")?;
        starts.insert(run.parse::<i64>()?, at.parse::<i64>()?);
    }
    node.ended()?;
    let late = lateness(&place, first, end, &starts)?;
    let cost = (after - before) / u32::try_from(late.len())?;
    let share = late.len() as f64 / due as f64;
    Ok(Seen { start_up: Duration::from_nanos(ready), share, late, cost, bytes })
}

/// Waits for the last starts, but not for ever.
fn wait_for(place: &Place, first: Time, end: Time, due: usize) -> anyhow::Result<()> {
    let connection = rusqlite::Connection::open(place.store())?;
    let mut count =
        connection.prepare("select count(*) from run where nominal >= ?1 and nominal < ?2 and ended_at is not null")?;
    let began = Instant::now();
    while count.query_row([first.0, end.0], |row| row.get::<_, usize>(0))? < due && began.elapsed() < PATIENCE {
        jobstile::clock::block(Duration::from_millis(500));
    }
    Ok(())
}

/// Writes the schedules into the store as if they had entered it one after another; the first instant.
fn prepare(place: &Place, phases: Duration) -> anyhow::Result<Time> {
    let mut store = Store::open(&place.store(), OpenAs::Owner)?;
    let done = store.execute(Clock::system().now(), &[Op::Apply(policies())]);
    for answer in done.answers {
        answer?;
    }
    drop(store);
    let first = Clock::system().now().plus(AHEAD);
    let connection = rusqlite::Connection::open(place.store())?;
    let apart = micros(phases) / SCHEDULES as i64;
    connection.execute("update job set next_at = ?1 + ?2 * (id - 1), last_at = null", [first.0, apart])?;
    Ok(first)
}

fn name(n: usize) -> String {
    format!("monitor_{n:05}")
}

fn policies() -> Apply {
    let schedule = Schedule { every: EVERY, first: First::Now, catch_up: CatchUp::Latest };
    let job = |n| JobPolicy { name: name(n), policy: Policy::new(false, Some(schedule)), origins: "{}".to_owned() };
    Apply {
        owner: "figures".to_owned(),
        by: "figures".to_owned(),
        switches: Some(Switches::default()),
        origins: "{}".to_owned(),
        jobs: (0..SCHEDULES).map(job).collect(),
        replace: true,
        taken: vec![],
    }
}

fn lateness(place: &Place, first: Time, end: Time, starts: &HashMap<i64, i64>) -> anyhow::Result<Vec<Duration>> {
    let connection = rusqlite::Connection::open(place.store())?;
    let mut statement = connection.prepare("select id, nominal from run where nominal >= ?1 and nominal < ?2")?;
    let rows = statement.query_map([first.0, end.0], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
    let mut late = vec![];
    for row in rows {
        let (run, nominal) = row?;
        late.extend(starts.get(&run).map(|at| Time(*at).since(Time(nominal))));
    }
    // A client reads the same store: what the node did is what everybody sees.
    ensure!(Client::open(&place.store())?.names()?.len() == SCHEDULES, "every job is in the store");
    Ok(late)
}

/// The node: says how long its start took, in nanoseconds, and at its end when each run started.
pub(crate) fn node(store: &Path) -> anyhow::Result<()> {
    let began = Instant::now();
    let starts: Arc<Mutex<Vec<(i64, i64)>>> = Arc::default();
    let clock = Clock::system();
    let function = {
        let (starts, clock) = (Arc::clone(&starts), clock.clone());
        erase(move |(): (), run: Run| {
            starts.lock().unwrap_or_else(PoisonError::into_inner).push((run.id().0, clock.now().0));
            async { anyhow::Ok(()) }
        })
    };
    let defined = |n| {
        let defined = Defined {
            definition: Definition::Function(Arc::clone(&function)),
            shutdown_grace: Duration::from_secs(5),
            kill_after: Duration::from_secs(5),
            log_output: true,
        };
        (name(n), defined)
    };
    runtime()?.block_on(async {
        let setup = Setup {
            store: Some(store.to_owned()),
            kind: "library",
            name: "figures".to_owned(),
            join: true,
            clock,
            workers: Workers::new(None),
            kill_after: Duration::from_secs(5),
            keeper: None,
            owns_children: false,
            environment: BTreeMap::new(),
            echo: None,
            observer: Arc::new(Nobody),
        };
        let engine = Engine::start(setup).await?;
        engine.apply(policies(), (0..SCHEDULES).map(defined).collect()).await?;
        engine.open().await?;
        println!("{}", began.elapsed().as_nanos());
        std::io::stdout().flush()?;
        tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink())).await??;
        let (_hurry, hurried) = tokio::sync::watch::channel(0);
        engine.shut_down(hurried).await?;
        anyhow::Ok(())
    })?;
    let starts = starts.lock().unwrap_or_else(PoisonError::into_inner);
    let mut out = std::io::stdout().lock();
    for (run, at) in starts.iter() {
        writeln!(out, "{run} {at}")?;
    }
    Ok(())
}
