//! The daemon's log: facts come from the store's thread, a thread of its own prints them. Nobody waits for the reader of
//! the log: what does not get through is counted and said later.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use jobstile::clock::{self, Clock};
use jobstile::engine::{Observer, Started};
use jobstile::fact::{Decided, Fact};
use jobstile::runner::EchoForm;
use jobstile_core::id::RunId;
use jobstile_core::run::State;
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::error::Error;
use crate::exit::Code;
use crate::text;
use crate::text::log::{InOrder, Level, Line, Log, Stamp};

/// Entries that wait to be printed; if the reader stands still, the rest is counted.
const MAX_WAITING: usize = 10_000;
/// How long the end of the daemon waits for the reader of its log.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between two looks whether the log is written.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// The longest that held back lines wait for the thread to look.
const LOOK: Duration = Duration::from_secs(1);

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people, as the predecessor wrote them
    Text,
    /// One JSON object a line
    Json,
}

enum Entry {
    Facts(Vec<Fact>),
    Others(Vec<(Decided, String)>),
    Started(RunId, Option<u32>),
    Line(Line),
    End(Line),
}

/// The way into the log.
pub(super) struct Journal {
    inlet: Arc<Inlet>,
    thread: Option<JoinHandle<()>>,
}

struct Inlet {
    entries: SyncSender<Entry>,
    dropped: Arc<AtomicU64>,
    clock: Clock,
}

impl Inlet {
    fn send(&self, entry: Entry) {
        if self.entries.try_send(entry).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Journal {
    /// Starts the thread that prints, and takes the library's events in.
    pub(super) fn start(format: Format, stamp: Stamp, clock: Clock) -> Result<Self, Error> {
        let (entries, received) = sync_channel(MAX_WAITING);
        let dropped = Arc::new(AtomicU64::new(0));
        let level = Level::asked_for()?;
        let printer = Printer {
            format,
            stamp,
            level,
            clock: clock.clone(),
            log: Log::default(),
            order: InOrder::default(),
            claimed: HashMap::new(),
            dropped: Arc::clone(&dropped),
        };
        let inlet = Arc::new(Inlet { entries, dropped, clock });
        let thread = std::thread::Builder::new()
            .name("jobstile-log".to_owned())
            .spawn(move || printer.work(&received))
            .map_err(|e| Error::new(Code::Scheduler, format!("cannot start the log: {e}")))?;
        // If there is a subscriber already, it gets the events.
        let _ = tracing_subscriber::registry().with(Events(Arc::clone(&inlet))).try_init();
        Ok(Self { inlet, thread: Some(thread) })
    }

    /// What the engine tells what happens.
    pub(super) fn observer(&self) -> super::Shared {
        Arc::clone(&self.inlet) as super::Shared
    }

    /// Prints what is left, and last how it ended; gives up if nobody reads it.
    pub(super) fn close(mut self, level: Level, how: &'static str) {
        let watch = clock::Stopwatch::start();
        let mut end = Some(Entry::End(Line::new(self.inlet.clock.now(), level, how)));
        let Some(thread) = self.thread.take() else { return };
        while !thread.is_finished() && watch.read() < PATIENCE {
            if let Some(entry) = end.take()
                && let Err(TrySendError::Full(entry)) = self.inlet.entries.try_send(entry)
            {
                end = Some(entry);
            }
            clock::block(LOOK_AGAIN);
        }
        if thread.is_finished() {
            let _ = thread.join();
        }
    }
}

impl Observer for Inlet {
    fn facts(&self, facts: &[Fact]) {
        self.send(Entry::Facts(facts.to_vec()));
    }

    fn started(&self, started: &Started<'_>) {
        self.send(Entry::Started(started.run, started.pid));
    }

    fn others(&self, decisions: &[(Decided, String)]) {
        self.send(Entry::Others(decisions.to_vec()));
    }
}

struct Printer {
    format: Format,
    stamp: Stamp,
    level: Level,
    clock: Clock,
    log: Log,
    order: InOrder,
    /// Runs that were claimed and whose process is not there yet: their line has its number.
    claimed: HashMap<RunId, Fact>,
    dropped: Arc<AtomicU64>,
}

impl Printer {
    fn work(mut self, entries: &Receiver<Entry>) {
        loop {
            let due = self.log.next_due().into_iter().chain(self.order.next_due()).min();
            let wait = due.map_or(LOOK, |due| due.since(self.clock.now()).min(LOOK));
            let mut lines = match entries.recv_timeout(wait) {
                Ok(Entry::End(last)) => return self.end(Some(last)),
                Err(RecvTimeoutError::Disconnected) => return self.end(None),
                Ok(entry) => self.lines(entry),
                Err(RecvTimeoutError::Timeout) => vec![],
            };
            let now = self.clock.now();
            lines.extend(self.log.due(now));
            self.order.take(lines, now);
            let due = self.order.due(now);
            self.print(due);
            self.say_dropped();
        }
    }

    // A reader that comes back is told how much is missing.
    fn say_dropped(&self) {
        match self.dropped.swap(0, Ordering::Relaxed) {
            0 => {}
            n => self.print(vec![Line::new(self.clock.now(), Level::Warn, "Log entries not written").number("count", n)]),
        }
    }

    fn lines(&mut self, entry: Entry) -> Vec<Line> {
        match entry {
            Entry::Facts(facts) => facts.into_iter().flat_map(|fact| self.fact(fact)).collect(),
            Entry::Started(run, pid) => {
                let Some(fact) = self.claimed.remove(&run) else { return vec![] };
                let mut lines = self.log.take(&fact, None);
                // The last of them is about the start, which is now: its claim was a moment ago.
                let line = lines.pop().map(|line| line.at(self.clock.now()));
                lines.extend(line.map(|line| pid.map_or(line.clone(), |pid| line.number("pid", pid.into()))));
                lines
            }
            Entry::Others(decisions) => decisions
                .into_iter()
                .flat_map(|(decided, from)| self.log.take(&Fact::Decided(decided), Some(&from)))
                .collect(),
            Entry::Line(line) if line.level() <= Level::Warn => self.log.trouble(line).into_iter().collect(),
            Entry::Line(line) => vec![line],
            Entry::End(last) => vec![last],
        }
    }

    fn end(mut self, last: Option<Line>) {
        let now = self.clock.now();
        let rest = self.log.rest(now);
        self.order.take(rest, now);
        let rest = self.order.rest();
        self.print(rest);
        self.say_dropped();
        self.print(last.into_iter().collect());
    }

    fn fact(&mut self, fact: Fact) -> Vec<Line> {
        if let Fact::Came(came) = &fact {
            if came.state == State::Running {
                self.claimed.insert(came.run, fact);
                return vec![];
            }
            self.claimed.remove(&came.run);
        }
        self.log.take(&fact, None)
    }

    fn print(&self, lines: Vec<Line>) {
        let (mut all, mut count) = (String::new(), 0);
        for line in lines.iter().filter(|line| line.level() <= self.level) {
            all.push_str(&match self.format {
                Format::Text => line.to_text(&self.stamp),
                Format::Json => line.to_json(),
            });
            all.push('\n');
            count += 1;
        }
        // Nobody reads it, or the disk is full: the daemon goes on.
        if !all.is_empty() && text::out(&all).is_err() {
            self.dropped.fetch_add(count, Ordering::Relaxed);
        }
    }
}

/// What a command has printed, under `--echo`.
pub(super) fn echoed(format: Format) -> EchoForm {
    match format {
        Format::Text => |job, run, line| format!("{job} {run} | {line}"),
        Format::Json => |job, run, line| {
            let printed = Line::new(Clock::system().now(), Level::Info, "Printed").text("job_type", job).id("run", run);
            printed.text("line", line).to_json()
        },
    }
}

/// The library's own events, and the daemon's, as lines of the same log.
struct Events(Arc<Inlet>);

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Events {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let ours = event.metadata().target().starts_with("jobstile");
        let level = match *event.metadata().level() {
            tracing::Level::ERROR => Level::Error,
            tracing::Level::WARN => Level::Warn,
            tracing::Level::INFO => Level::Info,
            _ => Level::Debug,
        };
        if !ours && level > Level::Warn {
            return;
        }
        let mut read = Read::default();
        event.record(&mut read);
        let line = Line::new(self.0.clock.now(), level, read.message);
        let line = read.fields.into_iter().fold(line, |line, (name, value)| match value {
            Given::Text(text) => line.text(name, text),
            Given::Number(number) => line.number(name, number),
        });
        self.0.send(Entry::Line(line));
    }
}

#[derive(Default)]
struct Read {
    message: String,
    fields: Vec<(&'static str, Given)>,
}

enum Given {
    Text(String),
    Number(u64),
}

impl Visit for Read {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.message = value.to_owned(),
            name => self.fields.push((name, Given::Text(value.to_owned()))),
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.fields.push((field.name(), Given::Number(value)));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}
