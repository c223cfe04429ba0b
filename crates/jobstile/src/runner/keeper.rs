//! The keeper: a process of its own that starts the commands of a daemon and ends them when the daemon dies.
//!
//! It is a hidden verb of the program (`jobstile keep`, which calls [`main`]). The daemon starts it with the first command
//! and speaks to it over a socket; the end of that socket is the end of the daemon, however it came about. Then the keeper
//! ends every process tree (TERM, `kill_after`, KILL, until nothing is left) and leaves. It shares the node's lock, so that
//! nobody takes the node for dead before that.
//!
//! If the keeper dies first, the daemon inherits the processes, being a sub-reaper as well: it ends them, reports their
//! attempts as lost and starts a new keeper with the next command.

mod attempt;
mod inherited;
mod lines;
pub(crate) mod protocol;
mod serve;
mod tree;

use std::collections::HashMap;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::pin::pin;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jobstile_core::id::Fence;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::{Child, Command};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;

use self::protocol::{End, GREETING, Order, Report, Request, Seen, VERSION, Why, read_frame};
use super::echo::{Echo, Label};
use super::progress::Progress;
use super::{Attempt, Context, Ended, Exit, Outcome, Stop, lock, proc, sweep};
use crate::bugs::planted;
use crate::clock;
use crate::text;

/// Why there are no command jobs without a keeper.
pub(super) const NO_KEEPER: &str = "commands need a keeper: name a program that has the verb `keep`";
/// Longest wait for a new keeper's first word.
const START_WITHIN: Duration = Duration::from_secs(10);
/// Requests that wait for the keeper to read them.
const MAX_REQUESTS: usize = 256;
/// Reports of one attempt that wait to be read. Of its progress some may be left out, never that it started or ended.
const MAX_EVENTS: usize = 8;
/// A keeper that says nothing for so many seconds stands still and is ended.
const SILENT: u32 = 10;
/// How often what is left of a lost keeper is ended again, where it does not want to.
const AGAIN: Duration = Duration::from_millis(500);
/// Most processes that a message names.
const MAX_NAMED: usize = 3;
/// How long a keeper that is told to leave is waited for beyond what its commands may take.
const LEAVE_WITHIN: Duration = Duration::from_secs(30);

/// Runs the keeper until its daemon is gone and everything it started is dead; the code is the program's exit code.
///
/// For the verb `keep`, before anything else is done: no thread may have been started, no file opened. The process that
/// calls the verb by hand is told that it is not for them (code 2).
pub fn main() -> i32 {
    match serve::serve() {
        Ok(()) => 0,
        Err(reason) => {
            use std::io::Write;
            let _ = writeln!(io::stderr(), "error: {reason}");
            2
        }
    }
}

/// The daemon's side: starts a keeper when one is needed.
#[derive(Debug, Clone)]
pub(super) struct Keeper {
    context: Arc<Context>,
    link: Arc<tokio::sync::Mutex<Option<Link>>>,
    /// The attempts of the present keeper, and of lost ones that left something which cannot be ended.
    known: Arc<Mutex<Vec<Arc<Mutex<Attempts>>>>>,
    echo: Option<Echo>,
}

/// A living keeper.
#[derive(Debug)]
struct Link {
    requests: mpsc::Sender<Request>,
    attempts: Arc<Mutex<Attempts>>,
    /// Tells the keeper to leave.
    leave: Arc<Notify>,
    /// Ends when the keeper is gone and nothing of what it started is left.
    served: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Attempts {
    next: u64,
    /// None when the keeper is gone: nothing more can be started with it.
    closed: bool,
    open: HashMap<u64, Open>,
}

#[derive(Debug)]
struct Open {
    events: mpsc::Sender<Event>,
    kill_after: Duration,
    label: Label,
    fence: Fence,
    /// Its processes do not end.
    stuck: bool,
}

#[derive(Debug)]
enum Event {
    Started(u32),
    NotStarted(String),
    Never(i32, String),
    Progress(Progress),
    Ended(End),
}

/// An attempt at the keeper; dropped before its end, it is ended.
struct Ticket {
    number: u64,
    requests: mpsc::Sender<Request>,
    attempts: Arc<Mutex<Attempts>>,
    events: mpsc::Receiver<Event>,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if lock_of(&self.attempts).open.remove(&self.number).is_some() {
            let request = Request::Stop { ticket: self.number, now: true };
            if let Err(mpsc::error::TrySendError::Full(request)) = self.requests.try_send(request)
                && let Ok(runtime) = tokio::runtime::Handle::try_current()
            {
                let requests = self.requests.clone();
                runtime.spawn(async move { requests.send(request).await });
            }
        }
    }
}

impl Keeper {
    pub(super) fn new(context: Arc<Context>) -> Keeper {
        Keeper { echo: context.echo.map(Echo::start), context, link: Arc::default(), known: Arc::default() }
    }

    /// Executes a command and returns when its tree is dead; the output is left to the caller.
    pub(super) async fn run(
        &self,
        order: Order,
        attempt: &Attempt,
        mut stop: watch::Receiver<Option<Stop>>,
        started: impl FnOnce(Option<u32>),
    ) -> Ended {
        let mut ticket = match self.start(order, attempt).await {
            Ok(ticket) => ticket,
            Err(reason) => return Ended::new(Outcome::NotStarted, reason),
        };
        let mut started = Some(started);
        let mut told = None;
        let mut why: Option<Outcome> = None;
        loop {
            tokio::select! {
                event = ticket.events.recv() => match event {
                    Some(Event::Started(pid)) => {
                        if let Some(started) = started.take() {
                            started(Some(pid));
                        }
                    }
                    Some(Event::Progress(progress)) => attempt.progress.tell(progress),
                    Some(Event::NotStarted(reason)) => {
                        return Ended::new(Outcome::NotStarted, reason);
                    }
                    Some(Event::Never(code, reason)) => {
                        return Ended {
                            exit: Some(Exit::Code(code)),
                            ..Ended::new(Outcome::Failure, format!("cannot start {reason}"))
                        };
                    }
                    Some(Event::Ended(end)) => return ended(attempt, end, why),
                    None => {
                        let reason = "the keeper of its commands ended".to_owned();
                        return Ended::new(Outcome::Lost, reason);
                    }
                },
                request = stopped(&mut stop, told) => {
                    told = Some(request);
                    why = why.or(Some(request.outcome()));
                    ticket.stop(request == Stop::Now).await;
                }
            }
        }
    }

    async fn start(&self, mut order: Order, attempt: &Attempt) -> Result<Ticket, String> {
        // A keeper that dies between our look and our order is found out, and the next one asked; not for ever.
        for _ in 0..3 {
            let mut link = self.link.lock().await;
            let alive = link.as_ref().is_some_and(|link| !lock_of(&link.attempts).closed);
            if !alive {
                // What the old one left behind is dead before a new one starts anything.
                let old = link.take();
                let is_replaced = old.is_some();
                if let Some(old) = old {
                    let _ = old.served.await;
                }
                *link = Some(self.launch().await.map_err(|error| {
                    let error = error.to_string();
                    format!("cannot start the keeper: {}", text::clean_to(&error, 200))
                })?);
                if is_replaced {
                    tracing::info!("A new keeper has taken the place of the one that ended");
                }
            }
            let Some(link) = link.as_ref() else { continue };
            let (sender, events) = mpsc::channel(MAX_EVENTS);
            let number = {
                let mut attempts = lock_of(&link.attempts);
                if attempts.closed {
                    continue;
                }
                attempts.next += 1;
                let number = attempts.next;
                let open = Open {
                    events: sender,
                    kill_after: attempt.kill_after,
                    label: (attempt.job.clone(), attempt.run),
                    fence: attempt.fence,
                    stuck: false,
                };
                attempts.open.insert(number, open);
                number
            };
            let ticket = Ticket { number, requests: link.requests.clone(), attempts: link.attempts.clone(), events };
            order.ticket = number;
            // If the keeper is gone meanwhile, the events end, which reads as lost: nobody knows whether it was started.
            let _ = link.requests.send(Request::Start(order)).await;
            return Ok(ticket);
        }
        Err("cannot start the keeper: it ends at once".to_owned())
    }

    async fn launch(&self) -> io::Result<Link> {
        let program = self.context.keeper.as_ref();
        let program = program.ok_or_else(|| io::Error::other(NO_KEEPER))?;
        // What a keeper leaves behind when it is killed becomes ours, and can be ended.
        proc::become_sub_reaper()?;
        let (ours, theirs) = StdUnixStream::pair()?;
        let mut child = Command::new(program)
            .arg0("jobstile")
            .arg("keep")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", program.display())))?;
        match tokio::time::timeout(START_WITHIN, self.greet(ours)).await {
            Ok(Ok((reader, writer))) => Ok(self.serve(child, reader, writer)),
            Ok(Err(error)) => {
                let _ = child.kill().await;
                Err(error)
            }
            Err(_) => {
                let _ = child.kill().await;
                Err(io::Error::other("it does not answer"))
            }
        }
    }

    async fn greet(&self, ours: StdUnixStream) -> io::Result<(OwnedReadHalf, OwnedWriteHalf)> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let lock = self.context.lock.as_ref().map(|lock| [lock.as_fd()]);
        if let Some(lock) = &lock {
            control.push(SendAncillaryMessage::ScmRights(lock));
        }
        // One byte into an empty socket never waits.
        let greeting = [io::IoSlice::new(&[GREETING])];
        sendmsg(&ours, &greeting, &mut control, SendFlags::empty())?;
        ours.set_nonblocking(true)?;
        let (mut reader, mut writer) = UnixStream::from_std(ours)?.into_split();
        let hello =
            Request::Hello { version: VERSION, node: self.context.node.clone(), dir: self.context.dir.clone().into() };
        writer.write_all(&hello.encode()).await?;
        let frame = read_frame(&mut reader).await?;
        let frame = frame.ok_or_else(|| io::Error::other("it ended at once"))?;
        match Report::decode(&frame)? {
            Report::Ready { version: VERSION } => Ok((reader, writer)),
            _ => Err(io::Error::other("it is of another version")),
        }
    }

    /// Carries requests and reports until the keeper is gone, then ends what it left.
    fn serve(&self, mut child: Child, mut reader: OwnedReadHalf, writer: OwnedWriteHalf) -> Link {
        let (requests, outgoing) = mpsc::channel(MAX_REQUESTS);
        let attempts = Arc::new(Mutex::new(Attempts::default()));
        let (context, echo, open) = (self.context.clone(), self.echo.clone(), attempts.clone());
        {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.retain(|attempts| !lock_of(attempts).open.is_empty());
            known.push(attempts.clone());
        }
        let pid = child.id().unwrap_or_default() as i32;
        let leave = Arc::new(Notify::new());
        let writing = tokio::spawn(write_requests(outgoing, writer, leave.clone()));
        let gone = leave.clone();
        let served = tokio::spawn(async move {
            if let Err(error) = listen(&mut reader, &open, echo.as_ref()).await {
                tracing::warn!(%error, "Keeper does not work, ending it");
                let _ = child.start_kill();
            }
            // A keeper that was closed has left by itself, one that was killed is dead; any other is ended here.
            let told_to_leave = writing.is_finished();
            gone.notify_one();
            let _ = writing.await;
            let (left, kill_after) = {
                let mut attempts = lock_of(&open);
                attempts.closed = true;
                let kill_after = attempts.open.values().map(|open| open.kill_after).max();
                (attempts.open.len(), kill_after.unwrap_or_default())
            };
            let leaves = tokio::time::timeout(LEAVE_WITHIN + kill_after, child.wait()).await;
            if leaves.is_err() {
                let _ = child.kill().await;
            }
            // Without attempts nobody missed it; and its end may be heard before the word that it was told to leave.
            if !told_to_leave && left > 0 {
                tracing::warn!(attempts = left, "Keeper ended, ending what it had started");
            }
            let inherited =
                sweep::Inherited { mark: context.mark.clone(), keeper: pid, owns_children: context.owns_children };
            let survivors = inherited.end_all(kill_after).await;
            // Only now do the attempts hear of it: their slots may go to others from here on.
            if survivors.is_empty() {
                lock_of(&open).open.clear();
                return;
            }
            // A new keeper need not wait for those that cannot be ended, only their attempts.
            lock_of(&open).hold_back(&context.dir, &survivors);
            tokio::spawn(async move {
                while sweep::end_again(&survivors) {
                    clock::sleep(AGAIN).await;
                }
                lock_of(&open).open.clear();
            });
        });
        Link { requests, attempts, leave, served }
    }

    /// Tells the keeper to end everything and to leave, and waits for that. False where something cannot be ended: the
    /// keeper stays with it then, and holds the node's lock.
    pub(super) async fn close(&self) -> bool {
        let mut link = self.link.lock().await;
        if let Some(Link { leave, mut served, attempts, .. }) = link.take() {
            leave.notify_one();
            loop {
                let works = tokio::time::timeout(AGAIN, &mut served).await.is_err();
                let attempts = lock_of(&attempts);
                let none_ends = !attempts.open.is_empty() && attempts.open.values().all(|open| open.stuck);
                if !works || none_ends {
                    break;
                }
            }
        }
        if let Some(echo) = &self.echo {
            echo.flush().await;
        }
        self.stuck() == 0
    }

    /// How many attempts there are whose processes do not end.
    pub(super) fn stuck(&self) -> usize {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().map(|attempts| lock_of(attempts).open.values().filter(|open| open.stuck).count()).sum()
    }
}

/// Delivers what the keeper says until it is gone. An error: it makes no sense, or stands still.
async fn listen(reader: &mut OwnedReadHalf, open: &Mutex<Attempts>, echo: Option<&Echo>) -> io::Result<()> {
    let mut second = clock::every(serve::ALIVE_EVERY);
    // Counted are the seconds in which this process ran itself: one that was stopped hears first what waits for it.
    second.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut silent = 0;
    loop {
        let mut next = pin!(read_frame(reader));
        let frame = loop {
            tokio::select! {
                biased;
                frame = &mut next => break frame?,
                _ = second.tick() => silent += 1,
            }
            if silent > SILENT && !planted("a_silent_keeper_is_waited_for") {
                return Err(io::Error::other(format!("it said nothing for {SILENT} s")));
            }
        };
        let Some(frame) = frame else { return Ok(()) };
        silent = 0;
        deliver(Report::decode(&frame)?, open, echo);
    }
}

/// Ends when the keeper is gone or told to leave, which the end of the socket tells it.
async fn write_requests(mut requests: mpsc::Receiver<Request>, mut writer: OwnedWriteHalf, leave: Arc<Notify>) {
    loop {
        let request = tokio::select! {
            request = requests.recv() => request,
            () = leave.notified() => return,
        };
        let Some(request) = request else { return };
        if writer.write_all(&request.encode()).await.is_err() {
            return;
        }
    }
}

fn deliver(report: Report, attempts: &Mutex<Attempts>, echo: Option<&Echo>) {
    let mut attempts = lock_of(attempts);
    match report {
        Report::Ready { .. } => {}
        Report::Started { ticket, pid } => attempts.tell(ticket, Event::Started(pid)),
        Report::NotStarted { ticket, reason } => attempts.tell_last(ticket, Event::NotStarted(reason)),
        Report::Never { ticket, code, reason } => attempts.tell_last(ticket, Event::Never(code, reason)),
        Report::Progress { ticket, progress } => attempts.tell(ticket, Event::Progress(progress)),
        Report::Alive => {}
        Report::Stuck { ticket, left } => {
            if let Some(open) = attempts.open.get_mut(&ticket) {
                open.stuck = true;
                let (job, run) = &open.label;
                tracing::warn!(job_type = job.as_str(), run = run.0, processes = name_all(&left), "{CANNOT_BE_ENDED}");
            }
        }
        Report::Ended { ticket, end } => {
            let label = attempts.open.get(&ticket).map(|open| open.label.clone());
            attempts.tell_last(ticket, Event::Ended(end));
            if let (Some(label), Some(echo)) = (label, echo) {
                echo.end(&label);
            }
        }
        Report::Echo { ticket, bytes } => {
            if let (Some(open), Some(echo)) = (attempts.open.get(&ticket), echo) {
                echo.print(&open.label, bytes);
            }
        }
    }
}

/// What the log says of a tree that may not be ended.
const CANNOT_BE_ENDED: &str = "Processes cannot be ended, their slot stays taken";

impl Attempts {
    fn tell(&self, ticket: u64, event: Event) {
        if let Some(open) = self.open.get(&ticket) {
            // Of progress the newest that has room will do; one place is kept for the end.
            let is_progress = matches!(event, Event::Progress(_));
            if !is_progress || open.events.capacity() > 2 {
                let _ = open.events.try_send(event);
            }
        }
    }

    fn tell_last(&mut self, ticket: u64, event: Event) {
        self.tell(ticket, event);
        self.open.remove(&ticket);
    }

    /// The keeper is gone and these of its processes live on: attempts that are over hear so, the others wait.
    fn hold_back(&mut self, dir: &std::path::Path, survivors: &[proc::Process]) {
        let pids: Vec<i32> = survivors.iter().map(|process| process.pid).collect();
        tracing::warn!(?pids, "{CANNOT_BE_ENDED}");
        self.open.retain(|_, open| lock::look(dir, open.label.1, open.fence) != lock::Tree::Over);
        for open in self.open.values_mut() {
            open.stuck = true;
        }
    }
}

impl Ticket {
    async fn stop(&self, now: bool) {
        let ticket = self.number;
        let _ = self.requests.send(Request::Stop { ticket, now }).await;
    }
}

/// The next request to stop beyond the one that is known; never, when nobody can ask any more.
pub(super) async fn stopped(stop: &mut watch::Receiver<Option<Stop>>, known: Option<Stop>) -> Stop {
    loop {
        let request = *stop.borrow_and_update();
        match request {
            Some(request) if Some(request) != known => return request,
            _ if stop.changed().await.is_err() => return std::future::pending().await,
            _ => {}
        }
    }
}

/// Returns after this time; never, when there is none.
pub(super) async fn timer(after: Option<Duration>) {
    match after {
        Some(after) => clock::sleep(after).await,
        None => std::future::pending().await,
    }
}

fn ended(attempt: &Attempt, end: End, why: Option<Outcome>) -> Ended {
    let why = match end.why {
        Why::Itself => None,
        Why::TimedOut => Some(Outcome::Timeout),
        // Asked, but not by us: the keeper was told to leave.
        Why::Asked => Some(why.unwrap_or(Outcome::Interrupted)),
    };
    let mut message = match end.exit {
        Exit::Code(code) => format!("exit code {code}"),
        Exit::Signal(signal) => format!("ended by signal {signal}{}", name(signal)),
    };
    if why == Some(Outcome::Timeout) {
        message = Ended::timed_out(attempt.timeout);
    }
    if attempt.log_output && !end.last_line.is_empty() {
        message = format!("{message}, \"{}\"", text::clean_bytes_to(&end.last_line, 300));
    }
    let outcome = match (why, end.exit) {
        (Some(why), _) => why,
        (None, Exit::Code(0)) => Outcome::Success,
        (None, _) => Outcome::Failure,
    };
    let mut message = (outcome != Outcome::Success).then_some(message);
    if !end.left.is_empty() {
        let left = format!("ended what it left running: {}", name_all(&end.left));
        tracing::info!(
            job_type = attempt.job.as_str(),
            run = attempt.run.0,
            left = name_all(&end.left),
            "{LEFT_RUNNING}"
        );
        message = Some(message.map_or(left.clone(), |message| format!("{message}; {left}")));
    }
    let mut ended = Ended { exit: Some(end.exit), ..Ended::new(outcome, message) };
    ended.take_result(attempt, end.result.as_deref());
    ended
}

/// What the log says of processes that a command left behind.
const LEFT_RUNNING: &str = "Ended what a command left running";

/// `sleep (pid 12), sh (pid 13) and 2 more`.
fn name_all(left: &[Seen]) -> String {
    let own = rustix::process::geteuid().as_raw();
    let named: Vec<String> = left
        .iter()
        .take(MAX_NAMED)
        .map(|one| {
            let whose = if one.uid == own { String::new() } else { format!(" of user {}", one.uid) };
            format!("{} (pid {}{whose})", text::clean_to(&one.name, 32), one.pid)
        })
        .collect();
    let more = left.len().saturating_sub(named.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", named.join(", "))
}

fn name(signal: i32) -> &'static str {
    match signal {
        1 => " (SIGHUP)",
        2 => " (SIGINT)",
        3 => " (SIGQUIT)",
        4 => " (SIGILL)",
        6 => " (SIGABRT)",
        7 => " (SIGBUS)",
        8 => " (SIGFPE)",
        9 => " (SIGKILL)",
        11 => " (SIGSEGV)",
        13 => " (SIGPIPE)",
        15 => " (SIGTERM)",
        24 => " (SIGXCPU)",
        25 => " (SIGXFSZ)",
        31 => " (SIGSYS)",
        _ => "",
    }
}

/// Nothing here can leave the list half changed.
fn lock_of(attempts: &Mutex<Attempts>) -> std::sync::MutexGuard<'_, Attempts> {
    attempts.lock().unwrap_or_else(PoisonError::into_inner)
}
