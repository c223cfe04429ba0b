//! One command in the keeper, from its start to the death of the last process of its tree.

use std::cell::RefCell;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::pin::pin;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use jobstile_core::id::{Fence, RunId};
use tokio::net::unix::pipe::{Receiver, Sender};
use tokio::sync::{oneshot, watch};

use super::lines::Lines;
use super::protocol::{End, Order, Report, Seen, Why};
use super::serve::{Keeping, Wish};
use super::timer;
use crate::bugs::planted;
use crate::runner::lock::{self, AttemptLock, Note};
use crate::runner::output::{self, Writer};
use crate::runner::proc::{self, Process};
use crate::runner::script::{self, Never};
use crate::runner::sweep::Signals;
use crate::runner::{Exit, MAX_MESSAGE};
use crate::text;

/// Longest time that output is still read when the whole tree is dead, because somebody else has the pipe.
const DRAIN: Duration = Duration::from_secs(2);
/// How often an ending tree is looked at, at first and at last; every death makes another look.
const LOOK_FIRST: Duration = Duration::from_millis(5);
const LOOK_LAST: Duration = Duration::from_millis(500);
/// How long what a command leaves behind may take to end by itself, as the `tee` of a pipe does.
const AFTERGLOW: Duration = Duration::from_millis(100);
/// A tree that lives so long after it was killed is reported.
const STUCK_AFTER: Duration = Duration::from_secs(5);
/// How often progress is passed on at most.
const TELL_EVERY: Duration = Duration::from_millis(200);
/// Bytes of output that are read at once.
const PIECE: usize = 64 << 10;
/// Most processes that a report names.
const MAX_NAMED: usize = 16;
/// Commands are the first that the kernel may end when memory is short, before daemon and keeper.
const OOM_SCORE: i32 = 500;

/// A command that was started.
pub(super) struct Attempt {
    keeping: Rc<RefCell<Keeping>>,
    ticket: u64,
    run: RunId,
    fence: Fence,
    timeout: Option<Duration>,
    kill_after: Duration,
    echo: bool,
    stdin: Option<Sender>,
    input: Vec<u8>,
    fed: usize,
    output: Option<Receiver>,
    writer: Writer,
    lines: Lines,
    /// Kept here where the command does not inherit it.
    lock: Option<AttemptLock>,
    exited: oneshot::Receiver<Exit>,
    exit: Option<Exit>,
    why: Why,
    left: Vec<Seen>,
    wish: watch::Receiver<Wish>,
    deaths: watch::Receiver<u64>,
}

/// What connects an attempt with its keeper.
pub(super) struct Wires {
    pub(super) exited: oneshot::Receiver<Exit>,
    pub(super) wish: watch::Receiver<Wish>,
    pub(super) deaths: watch::Receiver<u64>,
}

/// Why a command was not started.
pub(super) enum Refused {
    /// Something that may come is missing; in words that users are shown.
    NotNow(String),
    /// As it is defined it can never start.
    Never(Never),
}

/// Starts a command.
pub(super) fn start(keeping: &Rc<RefCell<Keeping>>, order: Order) -> Result<Attempt, Refused> {
    let dir = keeping.borrow().dir.clone();
    let not_kept =
        |what: &str, error: io::Error| Refused::NotNow(format!("cannot keep {what} in {}: {error}", dir.display()));
    let writer = Writer::create(&dir, order.run, order.fence).map_err(|error| not_kept("output", error))?;
    let started = AttemptLock::take(&dir, order.run, order.fence)
        .map_err(|error| not_kept("a lock", error))
        .and_then(|lock| spawn(&order, &lock).map(|child| (lock, child)).map_err(|error| refused(&order, &error)));
    let (lock, mut child) = started.inspect_err(|_| {
        let _ = output::remove(&dir, order.run, order.fence);
        let _ = lock::remove(&dir, order.run, order.fence);
    })?;
    lock.note(&Note {
        node: keeping.borrow().node.clone(),
        job: order.job.clone(),
        pid: child.process.id() as i32,
        session: rustix::process::getpid().as_raw_nonzero().get(),
    });
    let links =
        [rustix::fs::fstat(&child.output).ok().map(|pipe| format!("pipe:[{}]", pipe.st_ino).into_bytes()), lock.link()];
    let stdin = child.process.stdin.take().map(OwnedFd::from);
    let links = links.into_iter().flatten().collect();
    let wires = keeping.borrow_mut().started(order.ticket, child.process.id(), order.fence, links);
    // Without its pipes a command still runs, and is ended as any other.
    Ok(Attempt {
        keeping: keeping.clone(),
        ticket: order.ticket,
        run: order.run,
        fence: order.fence,
        timeout: order.timeout,
        kill_after: order.kill_after,
        echo: order.echo,
        stdin: stdin.and_then(|pipe| Sender::from_owned_fd(pipe).ok()),
        input: order.stdin,
        fed: 0,
        output: Receiver::from_owned_fd(child.output).ok(),
        writer,
        lines: Lines::default(),
        lock: (!order.inherit_lock).then_some(lock),
        exited: wires.exited,
        exit: None,
        why: Why::Itself,
        left: Vec::new(),
        wish: wires.wish,
        deaths: wires.deaths,
    })
}

fn refused(order: &Order, error: &io::Error) -> Refused {
    let path = Path::new(&order.path);
    match script::judge(path, error) {
        Some(never) => Refused::Never(never),
        None => Refused::NotNow(text::clean_to(&format!("cannot start {}: {error}", path.display()), MAX_MESSAGE)),
    }
}

struct Child {
    process: std::process::Child,
    output: OwnedFd,
}

/// The standard library empties the signal mask of a child and makes SIGPIPE deadly again.
fn spawn(order: &Order, lock: &AttemptLock) -> io::Result<Child> {
    let mut command = Command::new(&order.path);
    if let Some((name, arguments)) = order.argv.split_first() {
        command.arg0(name).args(arguments);
    }
    // One pipe, so that what it says stays in the order in which it was written.
    let (output, theirs) = io::pipe()?;
    command
        .env_clear()
        .envs(order.env.iter().map(|(name, value)| (name, value)))
        .current_dir(&order.cwd)
        .process_group(0)
        .stdin(if order.stdin.is_empty() { Stdio::null() } else { Stdio::piped() })
        .stdout(Stdio::from(theirs.try_clone()?))
        .stderr(Stdio::from(theirs));
    // Open during the start of this one command only.
    let inherited = order.inherit_lock.then(|| lock.to_inherit()).transpose()?;
    // A child takes the score along from its first moment; the keeper takes its own back.
    let score = std::fs::read_to_string("/proc/self/oom_score_adj").unwrap_or_default();
    let raised = score.trim().parse().is_ok_and(|score: i32| score < OOM_SCORE)
        && std::fs::write("/proc/self/oom_score_adj", OOM_SCORE.to_string()).is_ok();
    let process = command.spawn();
    if raised {
        let _ = std::fs::write("/proc/self/oom_score_adj", score.trim());
    }
    drop(inherited);
    Ok(Child { process: process?, output: output.into() })
}

/// Where an attempt is on its way to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Its first process works, and nobody asked it to end.
    Working,
    /// What lives of it is asked to end, and killed when its time is up.
    Ending,
    /// Nothing of it lives; the rest of its output is read until its time is up.
    Draining,
}

/// How far the ending of a tree has come.
struct Ending {
    signals: Signals,
    /// The command's own process was asked.
    asked_root: bool,
    /// What is left of its tree was asked, after that one had ended.
    asked_rest: bool,
    /// It is over: everything is killed.
    time_is_up: bool,
    look_after: Duration,
    told_stuck: bool,
}

impl Attempt {
    /// Sees the attempt to its end and reports that.
    pub(super) async fn see_to_its_end(mut self) {
        let mut phase = Phase::Working;
        // The timeout while it works, then what is left of its time to end, then to drain.
        let mut time = pin!(timer(self.timeout));
        let mut afterglow = pin!(timer(None));
        let mut glows = false;
        let mut stuck = pin!(timer(None));
        let mut next_look = pin!(timer(None));
        let mut tell = pin!(timer(None));
        let (mut look, mut time_is_up) = (false, false);
        let mut ending = Ending {
            signals: Signals::default(),
            asked_root: false,
            asked_rest: false,
            time_is_up: false,
            look_after: LOOK_FIRST,
            told_stuck: false,
        };
        let mut buffer = vec![0; PIECE];
        let (mut progress, mut may_tell) = (None, true);
        loop {
            if phase == Phase::Working && (self.exit.is_some() || self.why != Why::Itself) {
                phase = Phase::Ending;
                time_is_up = false;
                time.set(timer(Some(self.kill_after)));
                // Only who ended by itself leaves something behind that may still be at its last words.
                glows = self.why == Why::Itself;
                afterglow.set(timer(Some(AFTERGLOW)));
                look = true;
            }
            if phase == Phase::Ending && look {
                look = false;
                ending.time_is_up = time_is_up;
                if self.end(&mut ending, glows) {
                    phase = Phase::Draining;
                    self.stdin = None;
                    time_is_up = false;
                    time.set(timer(Some(DRAIN)));
                } else {
                    next_look.set(timer(Some(ending.look_after)));
                    ending.look_after = (ending.look_after * 2).min(LOOK_LAST);
                }
            }
            if phase == Phase::Draining && (time_is_up || self.output.is_none()) {
                break;
            }
            progress = self.lines.take_progress().or(progress);
            if may_tell && let Some(progress) = progress.take() {
                self.keeping.borrow_mut().report(&Report::Progress { ticket: self.ticket, progress });
                may_tell = false;
                tell.set(timer(Some(TELL_EVERY)));
            }
            tokio::select! {
                () = readable(&self.output), if self.output.is_some() => self.read(&mut buffer),
                () = writable(&self.stdin), if self.stdin.is_some() => self.feed(),
                // The keeper drops no sender of a living attempt.
                exit = &mut self.exited, if self.exit.is_none() => {
                    self.exit = Some(exit.unwrap_or(Exit::Signal(9)));
                    look = true;
                }
                Ok(()) = self.wish.changed() => {
                    self.must_end(Why::Asked);
                    (look, ending.look_after) = (true, LOOK_FIRST);
                }
                Ok(()) = self.deaths.changed(), if phase == Phase::Ending => look = true,
                () = &mut next_look, if phase == Phase::Ending && !look => look = true,
                () = &mut time, if !time_is_up => {
                    (look, time_is_up) = (true, true);
                    match phase {
                        Phase::Working => self.must_end(Why::TimedOut),
                        Phase::Ending => stuck.set(timer(Some(STUCK_AFTER))),
                        Phase::Draining => {}
                    }
                }
                () = &mut afterglow, if glows => (look, glows) = (true, false),
                () = &mut stuck, if phase == Phase::Ending && !ending.told_stuck => {
                    ending.told_stuck = true;
                    self.tell_stuck();
                }
                () = &mut tell, if !may_tell => may_tell = true,
            }
        }
        if let Some(progress) = progress {
            self.keeping.borrow_mut().report(&Report::Progress { ticket: self.ticket, progress });
        }
        self.report();
    }

    /// A step towards the end of the tree: true when nothing of it is left.
    fn end(&mut self, ending: &mut Ending, glows: bool) -> bool {
        let living = self.keeping.borrow_mut().trees.living(self.ticket);
        let no_process = living.all.is_empty() && living.sure && self.exit.is_some();
        if no_process && !self.is_locked() {
            return true;
        }
        if ending.time_is_up || *self.wish.borrow() == Wish::Now {
            ending.signals.kill(&living.all);
            if no_process {
                // Somebody has the lock who is none of our descendants.
                ending.signals.kill(&self.holders());
            }
        } else if self.exit.is_none() && !planted("term_goes_to_the_whole_tree_at_once") {
            // It may want to end its children in an order of its own.
            if !ending.asked_root {
                let root = self.keeping.borrow().trees.root(self.ticket);
                ending.asked_root = root.is_some();
                ending.signals.ask(root.as_slice());
            }
        } else if !ending.asked_rest && !glows && !living.all.is_empty() {
            ending.asked_rest = true;
            if self.why == Why::Itself {
                self.left = seen(&living.all);
            }
            ending.signals.ask(&living.all);
        }
        false
    }

    fn is_locked(&self) -> bool {
        // One that the command does not have is held here.
        let dir = &self.keeping.borrow().dir;
        self.lock.is_none() && lock::is_held(&lock::path(dir, self.run, self.fence)).unwrap_or(false)
    }

    /// Who holds the lock and began after the command.
    fn holders(&self) -> Vec<Process> {
        let keeping = self.keeping.borrow();
        let mut holders = lock::holders(&keeping.dir).remove(&(self.run, self.fence)).unwrap_or_default();
        holders.retain(|holder| keeping.trees.began_before(holder, self.ticket));
        holders
    }

    fn tell_stuck(&mut self) {
        let mut living = self.keeping.borrow_mut().trees.living(self.ticket).all;
        if living.is_empty() {
            living = self.holders();
        }
        self.keeping.borrow_mut().report(&Report::Stuck { ticket: self.ticket, left: seen(&living) });
    }

    /// A first process that ended before it could be asked has ended by itself.
    fn must_end(&mut self, why: Why) {
        if self.exit.is_none() && self.why == Why::Itself {
            self.keeping.borrow_mut().reap();
            match self.exited.try_recv() {
                Ok(exit) => self.exit = Some(exit),
                Err(_) => self.why = why,
            }
        }
    }

    fn read(&mut self, buffer: &mut [u8]) {
        let Some(open) = &self.output else { return };
        match open.try_read(buffer) {
            Ok(0) => self.output = None,
            Ok(length) => {
                let bytes = &buffer[..length];
                self.lines.feed(bytes);
                self.writer.write(bytes);
                if self.echo {
                    self.keeping.borrow_mut().echo(self.ticket, bytes);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => self.output = None,
        }
    }

    fn feed(&mut self) {
        let Some(open) = &self.stdin else { return };
        match open.try_write(&self.input[self.fed..]) {
            Ok(length) => self.fed += length,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            // A command that does not read its arguments is free not to.
            Err(_) => self.fed = self.input.len(),
        }
        if self.fed >= self.input.len() {
            self.stdin = None;
            self.input = Vec::new();
        }
    }

    fn report(self) {
        let (last_line, result) = self.lines.finish();
        self.writer.close();
        // Nothing of the tree lives: nobody needs the file any more.
        let _ = lock::remove(&self.keeping.borrow().dir, self.run, self.fence);
        let exit = self.exit.unwrap_or(Exit::Signal(9));
        let end = End { exit, why: self.why, last_line, result, left: self.left };
        self.keeping.borrow_mut().ended(self.ticket, end);
    }
}

/// The first of these processes, for people.
fn seen(living: &[Process]) -> Vec<Seen> {
    let one = |process: &Process| Seen {
        pid: process.pid as u32,
        uid: proc::rights_of(process.pid).unwrap_or_default(),
        name: proc::name(process.pid),
    };
    living.iter().take(MAX_NAMED).map(one).collect()
}

async fn readable(pipe: &Option<Receiver>) {
    if let Some(pipe) = pipe {
        // An error shows when it is read.
        let _ = pipe.readable().await;
    }
}

async fn writable(pipe: &Option<Sender>) {
    if let Some(pipe) = pipe {
        let _ = pipe.writable().await;
    }
}
