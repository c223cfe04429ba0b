//! The keeper's own process: one thread that starts commands and sees them to their end.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::PathBuf;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use jobstile_core::id::Fence;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use rustix::process::{WaitOptions, getpid, setsid, wait};
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::{JoinSet, LocalSet};

use super::attempt::{self, Refused, Wires};
use super::inherited;
use super::protocol::{End, GREETING, Report, Request, VERSION, read_frame};
use super::tree::{Ticket, Trees};
use crate::clock;
use crate::runner::sweep::Signals;
use crate::runner::{Exit, proc};

/// Most attempts at once.
const MAX_ATTEMPTS: usize = 4096;
/// Requests that are read before they are obeyed.
const MAX_REQUESTS: usize = 16;
/// Most bytes of echoed output that wait for a daemon that does not read.
const MAX_ECHO: usize = 1 << 20;
/// How often the daemon hears that its keeper works.
pub(super) const ALIVE_EVERY: Duration = Duration::from_secs(1);
/// Between two looks at what still lives when everything has to end.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The lock that comes is not for commands; where the kernel cannot be told so, it is marked before the first of them starts.
#[cfg(target_os = "linux")]
const PRIVATE: RecvFlags = RecvFlags::CMSG_CLOEXEC;
#[cfg(not(target_os = "linux"))]
const PRIVATE: RecvFlags = RecvFlags::empty();

/// What is wished of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wish {
    /// That it works.
    Work,
    /// That it ends.
    End,
    /// That it ends now.
    Now,
}

/// What all attempts of a keeper share.
pub(super) struct Keeping {
    pub(super) dir: PathBuf,
    pub(super) node: String,
    pub(super) trees: Trees,
    exits: HashMap<Ticket, oneshot::Sender<Exit>>,
    wishes: HashMap<Ticket, watch::Sender<Wish>>,
    deaths: watch::Sender<u64>,
    reports: VecDeque<Vec<u8>>,
    echo_bytes: usize,
    news: Rc<Notify>,
}

impl Keeping {
    /// A command was started: its tree is known from now on.
    pub(super) fn started(&mut self, ticket: Ticket, pid: u32, fence: Fence, links: Vec<Vec<u8>>) -> Wires {
        self.trees.plant(ticket, pid as i32, fence, links);
        let (exit, exited) = oneshot::channel();
        let (wish, wishes) = watch::channel(Wish::Work);
        self.exits.insert(ticket, exit);
        self.wishes.insert(ticket, wish);
        self.report(&Report::Started { ticket, pid });
        Wires { exited, wish: wishes, deaths: self.deaths.subscribe() }
    }

    /// Waits for all children that are dead: first processes of attempts, and what they left behind.
    pub(super) fn reap(&mut self) {
        let mut dead = 0;
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            let exit = match (status.exit_status(), status.terminating_signal()) {
                (Some(code), _) => Exit::Code(code),
                (_, Some(signal)) => Exit::Signal(signal),
                _ => continue,
            };
            dead += 1;
            if let Some(ticket) = self.trees.died(pid.as_raw_nonzero().get())
                && let Some(sender) = self.exits.remove(&ticket)
            {
                let _ = sender.send(exit);
            }
        }
        if dead > 0 {
            self.deaths.send_modify(|deaths| *deaths += dead);
        }
    }

    fn wish(&self, ticket: Ticket, wish: Wish) {
        if let Some(sender) = self.wishes.get(&ticket) {
            sender.send_if_modified(|known| {
                let more = *known < wish;
                *known = wish.max(*known);
                more
            });
        }
    }

    /// Output for a daemon that shows it at once; left out when it does not keep up.
    pub(super) fn echo(&mut self, ticket: Ticket, bytes: &[u8]) {
        if self.echo_bytes + bytes.len() <= MAX_ECHO {
            self.echo_bytes += bytes.len();
            self.report(&Report::Echo { ticket, bytes: bytes.to_vec() });
        }
    }

    /// Tells the daemon that its keeper works; once is enough for one that does not read.
    fn alive(&mut self) {
        if self.reports.is_empty() {
            self.report(&Report::Alive);
        }
    }

    /// Nothing of the attempt is left.
    pub(super) fn ended(&mut self, ticket: Ticket, end: End) {
        self.trees.fell(ticket);
        self.wishes.remove(&ticket);
        self.report(&Report::Ended { ticket, end });
    }

    pub(super) fn report(&mut self, report: &Report) {
        self.reports.push_back(report.encode());
        self.news.notify_one();
    }
}

/// Works until the daemon has gone and everything it started is dead.
pub(super) fn serve() -> Result<(), String> {
    // The terminal's signals are for the daemon, and commands have no terminal to ask for passwords on.
    let _ = setsid();
    inherited::close_on_exec();
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::set_name(c"jobstile-keep");
    proc::become_sub_reaper().map_err(|error| format!("cannot become a sub-reaper: {error}"))?;
    let (stream, lock) =
        greeting().map_err(|error| format!("`keep` is for the daemon itself, which starts it ({error})"))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start: {error}"))?;
    let kept = LocalSet::new().block_on(&runtime, keep(stream));
    // The node is gone from here on.
    drop(lock);
    kept.map_err(|error| error.to_string())
}

/// The socket on standard input and the node's lock that came through it.
fn greeting() -> io::Result<(StdUnixStream, Option<OwnedFd>)> {
    let stream = StdUnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut byte = [0];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(&stream, &mut [io::IoSliceMut::new(&mut byte)], &mut control, PRIVATE)?;
    if received.bytes != 1 || byte[0] != GREETING {
        return Err(io::Error::other("no greeting came"));
    }
    let lock = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
        _ => None,
    });
    if let Some(lock) = &lock {
        rustix::io::fcntl_setfd(lock, rustix::io::FdFlags::CLOEXEC)?;
    }
    stream.set_nonblocking(true)?;
    Ok((stream, lock))
}

async fn keep(stream: StdUnixStream) -> io::Result<()> {
    // A handler that does nothing: an ignored signal would be ignored by the commands as well. Who wants the keeper
    // to end ends the daemon.
    for kind in [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup(), SignalKind::quit()] {
        let _handled = signal(kind)?;
    }
    let mut child_died = signal(SignalKind::child())?;
    let (mut reader, writer) = UnixStream::from_std(stream)?.into_split();
    let Some((node, dir)) = hello(&mut reader).await? else {
        return Ok(());
    };
    let keeping = Rc::new(RefCell::new(Keeping {
        dir,
        trees: Trees::new(getpid().as_raw_nonzero().get(), &node),
        node,
        exits: HashMap::new(),
        wishes: HashMap::new(),
        deaths: watch::channel(0).0,
        reports: VecDeque::new(),
        echo_bytes: 0,
        news: Rc::new(Notify::new()),
    }));
    keeping.borrow_mut().report(&Report::Ready { version: VERSION });
    let (requests, mut incoming) = mpsc::channel(MAX_REQUESTS);
    tokio::task::spawn_local(read_requests(reader, requests));
    tokio::task::spawn_local(write_reports(keeping.clone(), writer));

    let mut attempts = JoinSet::new();
    let mut longest = Duration::ZERO;
    let mut alive = clock::every(ALIVE_EVERY);
    alive.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = alive.tick() => keeping.borrow_mut().alive(),
            _ = child_died.recv() => keeping.borrow_mut().reap(),
            Some(_) = attempts.join_next() => {}
            request = incoming.recv() => match request {
                // The daemon has gone, or what it says makes no sense: both end everything.
                None | Some(Request::Hello { .. }) => break,
                Some(Request::Start(order)) => {
                    longest = longest.max(order.kill_after);
                    let ticket = order.ticket;
                    let started = if attempts.len() < MAX_ATTEMPTS {
                        attempt::start(&keeping, order)
                    } else {
                        Err(Refused::NotNow(format!("{MAX_ATTEMPTS} commands run here already")))
                    };
                    let refused = match started {
                        Ok(attempt) => {
                            drop(attempts.spawn_local(attempt.see_to_its_end()));
                            continue;
                        }
                        Err(Refused::NotNow(reason)) => Report::NotStarted { ticket, reason },
                        Err(Refused::Never(never)) => {
                            Report::Never { ticket, code: never.code, reason: never.reason }
                        }
                    };
                    keeping.borrow_mut().report(&refused);
                }
                Some(Request::Stop { ticket, now }) => {
                    let wish = if now { Wish::Now } else { Wish::End };
                    keeping.borrow().wish(ticket, wish);
                }
            },
        }
    }
    end_all(&keeping, attempts, longest, &mut child_died, &mut alive).await;
    Ok(())
}

async fn hello(reader: &mut OwnedReadHalf) -> io::Result<Option<(String, PathBuf)>> {
    let Some(frame) = read_frame(reader).await? else {
        return Ok(None);
    };
    match Request::decode(&frame)? {
        Request::Hello { version, node, dir } if version == VERSION => Ok(Some((node, dir.into()))),
        Request::Hello { version, .. } => {
            Err(io::Error::other(format!("the daemon speaks version {version}, this keeper {VERSION}")))
        }
        _ => Err(io::Error::other("the daemon did not say hello")),
    }
}

async fn read_requests(mut reader: OwnedReadHalf, requests: mpsc::Sender<Request>) {
    // A reset is an end as well: the daemon died with reports unread.
    while let Ok(Some(frame)) = read_frame(&mut reader).await {
        let Ok(request) = Request::decode(&frame) else {
            return;
        };
        if requests.send(request).await.is_err() {
            return;
        }
    }
}

async fn write_reports(keeping: Rc<RefCell<Keeping>>, mut writer: OwnedWriteHalf) {
    let news = keeping.borrow().news.clone();
    loop {
        let next = keeping.borrow_mut().reports.pop_front();
        match next {
            Some(frame) => {
                if frame.get(4) == Some(&b'o') {
                    let mut keeping = keeping.borrow_mut();
                    keeping.echo_bytes = keeping.echo_bytes.saturating_sub(frame.len() - 17);
                }
                // A daemon that has gone reads nothing; the end of its requests says so too.
                if writer.write_all(&frame).await.is_err() {
                    return;
                }
            }
            None => news.notified().await,
        }
    }
}

/// Ends all attempts, then whatever else is left below this process.
async fn end_all(
    keeping: &Rc<RefCell<Keeping>>,
    mut attempts: JoinSet<()>,
    kill_after: Duration,
    child_died: &mut tokio::signal::unix::Signal,
    alive: &mut tokio::time::Interval,
) {
    let mut patience = pin!(clock::sleep(kill_after));
    let tickets: Vec<Ticket> = keeping.borrow().wishes.keys().copied().collect();
    for ticket in tickets {
        keeping.borrow().wish(ticket, Wish::End);
    }
    loop {
        tokio::select! {
            _ = alive.tick() => keeping.borrow_mut().alive(),
            _ = child_died.recv() => keeping.borrow_mut().reap(),
            ended = attempts.join_next() => if ended.is_none() { break },
        }
    }
    let mut signals = Signals::default();
    signals.ask(&keeping.borrow().trees.all_living().unwrap_or_default());
    loop {
        keeping.borrow_mut().reap();
        let Some(living) = keeping.borrow().trees.all_living() else { return };
        if patience.is_elapsed() {
            signals.kill(&living);
        }
        tokio::select! {
            () = clock::sleep(LOOK_EVERY) => {}
            () = &mut patience, if !patience.is_elapsed() => {}
        }
    }
}
