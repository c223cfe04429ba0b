//! One command in the keeper, from its start to the death of the last process of its tree.

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::pin::pin;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use tokio::net::unix::pipe::{Receiver, Sender};
use tokio::sync::{oneshot, watch};

use super::protocol::{Order, Report};
use super::serve::{Keeping, Wish};
use super::timer;
use crate::runner::output::{self, Writer};
use crate::runner::sweep::Signals;
use crate::runner::{Exit, MAX_MESSAGE};
use crate::text;

/// Longest time that output is still read when the whole tree is dead, because somebody else has the pipe.
const DRAIN: Duration = Duration::from_secs(2);
/// How often an ending tree is looked at, at first and at last; every death makes another look.
const LOOK_FIRST: Duration = Duration::from_millis(5);
const LOOK_LAST: Duration = Duration::from_millis(500);
/// Bytes of output that are read at once.
const PIECE: usize = 64 << 10;
/// Longest last line that is reported.
const MAX_LINE: usize = 512;
/// Commands are the first that the kernel may end when memory is short, before daemon and keeper.
const OOM_SCORE: i32 = 500;

/// A command that was started.
pub(super) struct Attempt {
    keeping: Rc<RefCell<Keeping>>,
    ticket: u64,
    kill_after: Duration,
    echo: bool,
    stdin: Option<Sender>,
    input: Vec<u8>,
    fed: usize,
    stdout: Option<Receiver>,
    stderr: Option<Receiver>,
    writer: Writer,
    stdout_line: LastLine,
    stderr_line: LastLine,
    exited: oneshot::Receiver<Exit>,
    exit: Option<Exit>,
    asked: bool,
    wish: watch::Receiver<Wish>,
    deaths: watch::Receiver<u64>,
}

/// What connects an attempt with its keeper.
pub(super) struct Wires {
    pub(super) exited: oneshot::Receiver<Exit>,
    pub(super) wish: watch::Receiver<Wish>,
    pub(super) deaths: watch::Receiver<u64>,
}

/// Starts a command. The error is what users are shown.
pub(super) fn start(keeping: &Rc<RefCell<Keeping>>, order: Order) -> Result<Attempt, String> {
    let dir = keeping.borrow().dir.clone();
    let writer = Writer::create(&dir, order.run, order.fence)
        .map_err(|error| format!("cannot keep output in {}: {error}", dir.display()))?;
    let mut child = match spawn(&order) {
        Ok(child) => child,
        Err(error) => {
            let _ = output::remove(&dir, order.run, order.fence);
            let path = Path::new(&order.path).display();
            return Err(text::clean_to(&format!("cannot start {path}: {error}"), MAX_MESSAGE));
        }
    };
    let stdin = child.stdin.take().map(OwnedFd::from);
    let stdout = child.stdout.take().map(OwnedFd::from);
    let stderr = child.stderr.take().map(OwnedFd::from);
    let pipes: Vec<&dyn AsFd> = [&stdout, &stderr].into_iter().flatten().map(|pipe| pipe as &dyn AsFd).collect();
    let wires = keeping.borrow_mut().started(order.ticket, child.id(), order.fence, &pipes);
    // Without its pipes a command still runs, and is ended as any other.
    Ok(Attempt {
        keeping: keeping.clone(),
        ticket: order.ticket,
        kill_after: order.kill_after,
        echo: order.echo,
        stdin: stdin.and_then(|pipe| Sender::from_owned_fd(pipe).ok()),
        input: order.stdin,
        fed: 0,
        stdout: stdout.and_then(|pipe| Receiver::from_owned_fd(pipe).ok()),
        stderr: stderr.and_then(|pipe| Receiver::from_owned_fd(pipe).ok()),
        writer,
        stdout_line: LastLine::default(),
        stderr_line: LastLine::default(),
        exited: wires.exited,
        exit: None,
        asked: false,
        wish: wires.wish,
        deaths: wires.deaths,
    })
}

/// The standard library empties the signal mask of a child and makes SIGPIPE deadly again.
fn spawn(order: &Order) -> io::Result<std::process::Child> {
    let mut command = Command::new(&order.path);
    if let Some((name, arguments)) = order.argv.split_first() {
        command.arg0(name).args(arguments);
    }
    command
        .env_clear()
        .envs(order.env.iter().map(|(name, value)| (name, value)))
        .current_dir(&order.cwd)
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    // A child takes the score along from its first moment; the keeper takes its own back.
    let score = std::fs::read_to_string("/proc/self/oom_score_adj").unwrap_or_default();
    let raised = score.trim().parse().is_ok_and(|score: i32| score < OOM_SCORE)
        && std::fs::write("/proc/self/oom_score_adj", OOM_SCORE.to_string()).is_ok();
    let child = command.spawn();
    if raised {
        let _ = std::fs::write("/proc/self/oom_score_adj", score.trim());
    }
    child
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

impl Attempt {
    /// Sees the attempt to its end and reports that.
    pub(super) async fn see_to_its_end(mut self) {
        let mut phase = Phase::Working;
        let mut time = pin!(timer(None));
        let mut time_is_up = false;
        let mut next_look = pin!(timer(None));
        let mut look = false;
        let mut look_after = LOOK_FIRST;
        let mut signals = Signals::default();
        let mut asked = 0;
        let mut buffer = vec![0; PIECE];
        if self.input.is_empty() {
            self.stdin = None;
        }
        loop {
            if phase == Phase::Working && (self.exit.is_some() || self.asked) {
                phase = Phase::Ending;
                time.set(timer(Some(self.kill_after)));
                look = true;
            }
            if phase == Phase::Ending && look {
                look = false;
                let living = self.keeping.borrow_mut().trees.living(self.ticket);
                if living.all.is_empty() && living.sure && self.exit.is_some() {
                    phase = Phase::Draining;
                    self.stdin = None;
                    time_is_up = false;
                    time.set(timer(Some(DRAIN)));
                } else {
                    // What its first process left behind is asked as well, once that has ended.
                    let times = if self.exit.is_some() { 2 } else { 1 };
                    if time_is_up || *self.wish.borrow() == Wish::Now {
                        signals.kill(&living.all);
                    } else if asked < times {
                        asked = times;
                        signals.ask(&living.all);
                    }
                    next_look.set(timer(Some(look_after)));
                    look_after = (look_after * 2).min(LOOK_LAST);
                }
            }
            if phase == Phase::Draining && (time_is_up || self.stdout.is_none() && self.stderr.is_none()) {
                break;
            }
            tokio::select! {
                () = readable(&self.stdout), if self.stdout.is_some() => self.read(Stream::Stdout, &mut buffer),
                () = readable(&self.stderr), if self.stderr.is_some() => self.read(Stream::Stderr, &mut buffer),
                () = writable(&self.stdin), if self.stdin.is_some() => self.feed(),
                // The keeper drops no sender of a living attempt.
                exit = &mut self.exited, if self.exit.is_none() => {
                    self.exit = Some(exit.unwrap_or(Exit::Signal(9)));
                    look = true;
                }
                Ok(()) = self.wish.changed() => {
                    self.asked_to_end();
                    (look, look_after) = (true, LOOK_FIRST);
                }
                Ok(()) = self.deaths.changed(), if phase == Phase::Ending => look = true,
                () = &mut next_look, if phase == Phase::Ending && !look => look = true,
                () = &mut time, if phase != Phase::Working && !time_is_up => (look, time_is_up) = (true, true),
            }
        }
        self.report();
    }

    /// A first process that ended before it could be asked has ended by itself.
    fn asked_to_end(&mut self) {
        if self.exit.is_none() && !self.asked {
            self.keeping.borrow_mut().reap();
            match self.exited.try_recv() {
                Ok(exit) => self.exit = Some(exit),
                Err(_) => self.asked = true,
            }
        }
    }

    fn read(&mut self, stream: Stream, buffer: &mut [u8]) {
        let (pipe, line) = match stream {
            Stream::Stdout => (&mut self.stdout, &mut self.stdout_line),
            Stream::Stderr => (&mut self.stderr, &mut self.stderr_line),
        };
        let Some(open) = pipe else { return };
        match open.try_read(buffer) {
            Ok(0) => *pipe = None,
            Ok(length) => {
                let bytes = &buffer[..length];
                line.feed(bytes);
                self.writer.write(bytes);
                if self.echo {
                    self.keeping.borrow_mut().echo(self.ticket, bytes);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => *pipe = None,
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
        let mut last_line = self.stderr_line.finish();
        if last_line.is_empty() {
            last_line = self.stdout_line.finish();
        }
        self.writer.close();
        self.keeping.borrow_mut().ended(Report::Ended {
            ticket: self.ticket,
            exit: self.exit.unwrap_or(Exit::Signal(9)),
            asked: self.asked,
            last_line,
        });
    }
}

enum Stream {
    Stdout,
    Stderr,
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

/// The last line of a stream that is not blank, at most [`MAX_LINE`] bytes of it.
#[derive(Debug, Default)]
struct LastLine {
    open: Vec<u8>,
    last: Vec<u8>,
}

impl LastLine {
    fn feed(&mut self, mut bytes: &[u8]) {
        // Of a large piece only the end can matter.
        if bytes.len() > 4 * MAX_LINE {
            self.open.clear();
            bytes = &bytes[bytes.len() - 4 * MAX_LINE..];
        }
        let mut lines = bytes.split(|byte| *byte == b'\n');
        // `split` gives at least one piece, and the last one is still open.
        let open = lines.next_back().unwrap_or_default();
        for line in lines {
            self.add(line);
            if !self.open.trim_ascii().is_empty() {
                std::mem::swap(&mut self.last, &mut self.open);
            }
            self.open.clear();
        }
        self.add(open);
    }

    fn add(&mut self, bytes: &[u8]) {
        let room = MAX_LINE.saturating_sub(self.open.len());
        self.open.extend(&bytes[..bytes.len().min(room)]);
    }

    fn finish(self) -> Vec<u8> {
        let line = if self.open.trim_ascii().is_empty() { self.last } else { self.open };
        line.trim_ascii().to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::LastLine;

    fn last(pieces: &[&str]) -> String {
        let mut line = LastLine::default();
        for piece in pieces {
            line.feed(piece.as_bytes());
        }
        String::from_utf8(line.finish()).expect("text")
    }

    #[test]
    fn the_last_line_is_the_last_that_says_something() {
        assert_eq!(last(&["one\ntwo\n"]), "two");
        assert_eq!(last(&["one\ntwo"]), "two");
        assert_eq!(last(&["one\n\n  \n"]), "one");
        assert_eq!(last(&["on", "e\n", "\n"]), "one");
        assert_eq!(last(&[]), "");
        let flood = "y\n".repeat(100_000) + "the end\n";
        assert_eq!(last(&["start\n", &flood]), "the end");
        assert_eq!(last(&[&"x".repeat(10_000)]).len(), super::MAX_LINE);
    }
}
