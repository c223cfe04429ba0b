//! What the daemon and its keeper say to each other.
//!
//! One stream socket. First one byte, [`GREETING`], with the node's lock beside it as a file descriptor; then frames in both
//! directions: a length of four bytes, little end first, a byte that names the frame, and its fields. Numbers are little
//! end first, texts and bytes have their length of four bytes in front. The first frame of the daemon is [`Request::Hello`],
//! the first of the keeper [`Report::Ready`]; they name the [`VERSION`], and the two are normally the same program.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::time::Duration;

use jobstile_core::id::{Fence, RunId};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::runner::Exit;
use crate::runner::progress::Progress;

/// Changes with every change of the frames.
pub(crate) const VERSION: u32 = 2;
/// The byte that carries the lock.
pub(super) const GREETING: u8 = b'J';
/// Longest frame: arguments, environment and command together; the kernel takes at most 6 MiB of the latter two.
pub(super) const MAX_FRAME: usize = 16 << 20;
/// Most words of a command line, and most variables.
const MAX_WORDS: u32 = 1 << 20;

/// A command that is to be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Order {
    /// Names the attempt between the two; given by the daemon, never again by this one.
    pub(crate) ticket: u64,
    pub(crate) run: RunId,
    pub(crate) fence: Fence,
    pub(crate) job: String,
    pub(crate) path: OsString,
    pub(crate) argv: Vec<OsString>,
    pub(crate) env: Vec<(OsString, OsString)>,
    pub(crate) cwd: OsString,
    pub(crate) stdin: Vec<u8>,
    /// The keeper ends it then, also when the daemon stands still; `None` means never.
    pub(crate) timeout: Option<Duration>,
    pub(crate) kill_after: Duration,
    pub(crate) echo: bool,
    /// Whether the command inherits the descriptor of its attempt's lock.
    pub(crate) inherit_lock: bool,
}

/// Why a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// By itself.
    Itself,
    /// It was asked to before it ended.
    Asked,
    /// Its time was up before it ended.
    TimedOut,
}

/// Somebody of an attempt's tree, as the keeper saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) pid: u32,
    pub(crate) uid: u32,
    pub(crate) name: String,
}

/// How an attempt ended, as the keeper saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) exit: Exit,
    pub(crate) why: Why,
    pub(crate) last_line: Vec<u8>,
    /// What it gave as its result.
    pub(crate) result: Option<Vec<u8>>,
    /// What it had left running when it ended by itself, and which was ended then.
    pub(crate) left: Vec<Seen>,
}

/// From the daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Request {
    Hello {
        version: u32,
        node: String,
        dir: OsString,
    },
    Start(Order),
    /// Ask it to end, or end it at once.
    Stop {
        ticket: u64,
        now: bool,
    },
}

/// From the keeper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Report {
    Ready {
        version: u32,
    },
    Started {
        ticket: u64,
        pid: u32,
    },
    NotStarted {
        ticket: u64,
        reason: String,
    },
    /// It can never start as it is defined.
    Never {
        ticket: u64,
        code: i32,
        reason: String,
    },
    /// Nothing of the attempt is left.
    Ended {
        ticket: u64,
        end: End,
    },
    /// These processes of it do not end.
    Stuck {
        ticket: u64,
        left: Vec<Seen>,
    },
    Progress {
        ticket: u64,
        progress: Progress,
    },
    /// Nothing; every second, so that the daemon knows that its keeper works.
    Alive,
    /// Output, for those who want it at once; some may be left out when the daemon does not keep up.
    Echo {
        ticket: u64,
        bytes: Vec<u8>,
    },
}

impl Request {
    pub(super) fn encode(&self) -> Vec<u8> {
        match self {
            Request::Hello { version, node, dir } => {
                Frame::new(b'H').number(u64::from(*version)).bytes(node.as_bytes()).bytes(dir.as_bytes()).done()
            }
            Request::Start(order) => {
                let mut frame = Frame::new(b'S')
                    .number(order.ticket)
                    .number(order.run.0 as u64)
                    .number(order.fence.0 as u64)
                    .bytes(order.job.as_bytes())
                    .bytes(order.path.as_bytes())
                    .number(order.argv.len() as u64);
                for word in &order.argv {
                    frame = frame.bytes(word.as_bytes());
                }
                frame = frame.number(order.env.len() as u64);
                for (name, value) in &order.env {
                    frame = frame.bytes(name.as_bytes()).bytes(value.as_bytes());
                }
                frame
                    .bytes(order.cwd.as_bytes())
                    .bytes(&order.stdin)
                    .maybe(order.timeout.map(|timeout| timeout.as_millis() as u64))
                    .number(order.kill_after.as_millis() as u64)
                    .number(u64::from(order.echo))
                    .number(u64::from(order.inherit_lock))
                    .done()
            }
            Request::Stop { ticket, now } => Frame::new(b'T').number(*ticket).number(u64::from(*now)).done(),
        }
    }

    pub(super) fn decode(frame: &[u8]) -> io::Result<Request> {
        let mut fields = Fields(frame);
        let request = match fields.kind()? {
            b'H' => Request::Hello { version: fields.small()?, node: fields.text()?, dir: fields.os()? },
            b'S' => Request::Start(Order {
                ticket: fields.number()?,
                run: RunId(fields.number()? as i64),
                fence: Fence(fields.number()? as i64),
                job: fields.text()?,
                path: fields.os()?,
                argv: fields.list(Fields::os)?,
                env: fields.list(|fields| Ok((fields.os()?, fields.os()?)))?,
                cwd: fields.os()?,
                stdin: fields.bytes()?.to_vec(),
                timeout: fields.maybe()?.map(Duration::from_millis),
                kill_after: Duration::from_millis(fields.number()?),
                echo: fields.number()? != 0,
                inherit_lock: fields.number()? != 0,
            }),
            b'T' => Request::Stop { ticket: fields.number()?, now: fields.number()? != 0 },
            other => return Err(unknown(other)),
        };
        fields.end(request)
    }
}

impl Report {
    pub(super) fn encode(&self) -> Vec<u8> {
        match self {
            Report::Ready { version } => Frame::new(b'R').number(u64::from(*version)).done(),
            Report::Started { ticket, pid } => Frame::new(b's').number(*ticket).number(u64::from(*pid)).done(),
            Report::NotStarted { ticket, reason } => Frame::new(b'n').number(*ticket).bytes(reason.as_bytes()).done(),
            Report::Never { ticket, code, reason } => {
                Frame::new(b'v').number(*ticket).number(*code as u64).bytes(reason.as_bytes()).done()
            }
            Report::Ended { ticket, end } => {
                let (kind, number) = match end.exit {
                    Exit::Code(code) => (0, code),
                    Exit::Signal(signal) => (1, signal),
                };
                let why = match end.why {
                    Why::Itself => 0,
                    Why::Asked => 1,
                    Why::TimedOut => 2,
                };
                let frame = Frame::new(b'e').number(*ticket).number(kind).number(number as u64).number(why);
                let frame = frame.bytes(&end.last_line).number(u64::from(end.result.is_some()));
                frame.bytes(end.result.as_deref().unwrap_or_default()).seen(&end.left).done()
            }
            Report::Stuck { ticket, left } => Frame::new(b'k').number(*ticket).seen(left).done(),
            Report::Progress { ticket, progress } => Frame::new(b'p')
                .number(*ticket)
                .number(progress.done)
                .maybe(progress.total)
                .bytes(progress.words.as_bytes())
                .done(),
            Report::Alive => Frame::new(b'a').done(),
            Report::Echo { ticket, bytes } => Frame::new(b'o').number(*ticket).bytes(bytes).done(),
        }
    }

    pub(super) fn decode(frame: &[u8]) -> io::Result<Report> {
        let mut fields = Fields(frame);
        let report = match fields.kind()? {
            b'R' => Report::Ready { version: fields.small()? },
            b's' => Report::Started { ticket: fields.number()?, pid: fields.small()? },
            b'n' => Report::NotStarted { ticket: fields.number()?, reason: fields.text()? },
            b'v' => Report::Never { ticket: fields.number()?, code: fields.number()? as i32, reason: fields.text()? },
            b'e' => Report::Ended { ticket: fields.number()?, end: fields.ended()? },
            b'k' => Report::Stuck { ticket: fields.number()?, left: fields.list(Fields::seen)? },
            b'p' => {
                let ticket = fields.number()?;
                let (done, total) = (fields.number()?, fields.maybe()?);
                Report::Progress { ticket, progress: Progress { done, total, words: fields.text()? } }
            }
            b'a' => Report::Alive,
            b'o' => Report::Echo { ticket: fields.number()?, bytes: fields.bytes()?.to_vec() },
            other => return Err(unknown(other)),
        };
        fields.end(report)
    }
}

/// Reads one frame without its length; `None` at the end of the stream.
pub(super) async fn read_frame(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    match stream.read_exact(&mut length).await {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    };
    let length = u32::from_le_bytes(length) as usize;
    if length > MAX_FRAME {
        return Err(broken("too long"));
    }
    let mut frame = vec![0; length];
    stream.read_exact(&mut frame).await?;
    Ok(Some(frame))
}

struct Frame(Vec<u8>);

impl Frame {
    fn new(kind: u8) -> Frame {
        Frame(vec![0, 0, 0, 0, kind])
    }

    fn number(mut self, number: u64) -> Frame {
        self.0.extend(number.to_le_bytes());
        self
    }

    fn maybe(self, number: Option<u64>) -> Frame {
        self.number(u64::from(number.is_some())).number(number.unwrap_or_default())
    }

    fn seen(self, all: &[Seen]) -> Frame {
        all.iter().fold(self.number(all.len() as u64), |frame, seen| {
            frame.number(u64::from(seen.pid)).number(u64::from(seen.uid)).bytes(seen.name.as_bytes())
        })
    }

    fn bytes(mut self, bytes: &[u8]) -> Frame {
        self.0.extend((bytes.len() as u32).to_le_bytes());
        self.0.extend(bytes);
        self
    }

    fn done(mut self) -> Vec<u8> {
        let length = (self.0.len() - 4) as u32;
        self.0[..4].copy_from_slice(&length.to_le_bytes());
        self.0
    }
}

struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> io::Result<&'a [u8]> {
        let (now, later) = self.0.split_at_checked(length).ok_or_else(|| broken("too short"))?;
        self.0 = later;
        Ok(now)
    }

    fn kind(&mut self) -> io::Result<u8> {
        Ok(self.take(1)?[0])
    }

    fn number(&mut self) -> io::Result<u64> {
        let mut number = [0; 8];
        number.copy_from_slice(self.take(8)?);
        Ok(u64::from_le_bytes(number))
    }

    fn maybe(&mut self) -> io::Result<Option<u64>> {
        let (is_there, number) = (self.number()?, self.number()?);
        Ok((is_there != 0).then_some(number))
    }

    fn seen(&mut self) -> io::Result<Seen> {
        Ok(Seen { pid: self.small()?, uid: self.small()?, name: self.text()? })
    }

    fn ended(&mut self) -> io::Result<End> {
        let (kind, number) = (self.number()?, self.number()? as i32);
        let exit = if kind == 0 { Exit::Code(number) } else { Exit::Signal(number) };
        let why = match self.number()? {
            0 => Why::Itself,
            1 => Why::Asked,
            _ => Why::TimedOut,
        };
        let last_line = self.bytes()?.to_vec();
        let (has_result, result) = (self.number()? != 0, self.bytes()?.to_vec());
        Ok(End { exit, why, last_line, result: has_result.then_some(result), left: self.list(Fields::seen)? })
    }

    fn small(&mut self) -> io::Result<u32> {
        u32::try_from(self.number()?).map_err(|_| broken("a number is too large"))
    }

    fn bytes(&mut self) -> io::Result<&'a [u8]> {
        let mut length = [0; 4];
        length.copy_from_slice(self.take(4)?);
        self.take(u32::from_le_bytes(length) as usize)
    }

    fn os(&mut self) -> io::Result<OsString> {
        Ok(OsString::from_vec(self.bytes()?.to_vec()))
    }

    fn text(&mut self) -> io::Result<String> {
        String::from_utf8(self.bytes()?.to_vec()).map_err(|_| broken("a text is not UTF-8"))
    }

    fn list<T>(&mut self, one: impl Fn(&mut Self) -> io::Result<T>) -> io::Result<Vec<T>> {
        let length = self.small()?;
        if length > MAX_WORDS {
            return Err(broken("a list is too long"));
        }
        (0..length).map(|_| one(self)).collect()
    }

    fn end<T>(&self, decoded: T) -> io::Result<T> {
        if self.0.is_empty() { Ok(decoded) } else { Err(broken("too long for its kind")) }
    }
}

fn unknown(kind: u8) -> io::Error {
    broken(&format!("unknown kind {kind}"))
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("broken frame between daemon and keeper: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn word() -> impl Strategy<Value = OsString> {
        // Any bytes: names of files and values of variables need not be UTF-8.
        prop::collection::vec(any::<u8>(), 0..20).prop_map(OsString::from_vec)
    }

    fn order() -> impl Strategy<Value = Order> {
        let words = prop::collection::vec(word(), 0..4);
        let env = prop::collection::vec((word(), word()), 0..4);
        let numbers = any::<(u64, i64, i64, u32, Option<u32>, bool, bool)>();
        (numbers, any::<String>(), word(), words, env, word(), any::<Vec<u8>>()).prop_map(
            |((ticket, run, fence, kill_after, timeout, echo, inherit_lock), job, path, argv, env, cwd, stdin)| Order {
                ticket,
                run: RunId(run),
                fence: Fence(fence),
                job,
                path,
                argv,
                env,
                cwd,
                stdin,
                timeout: timeout.map(|ms| Duration::from_millis(ms.into())),
                kill_after: Duration::from_millis(kill_after.into()),
                echo,
                inherit_lock,
            },
        )
    }

    proptest! {
        #[test]
        fn requests_arrive_as_they_were_sent(order in order(), ticket: u64, now: bool, node: String, dir in word()) {
            for request in [
                Request::Start(order),
                Request::Stop { ticket, now },
                Request::Hello { version: VERSION, node, dir },
            ] {
                let frame = request.encode();
                prop_assert_eq!(u32::from_le_bytes([frame[0], frame[1], frame[2], frame[3]]) as usize, frame.len() - 4);
                prop_assert_eq!(Request::decode(&frame[4..]).expect("decoded"), request);
                // Cut short or with something behind it, it is refused.
                prop_assert!(Request::decode(&frame[4..frame.len() - 1]).is_err());
                prop_assert!(Request::decode(&[&frame[4..], b"x"].concat()).is_err());
            }
        }

        #[test]
        fn reports_arrive_as_they_were_sent(
            ticket: u64, pid: u32, code in 0..256, total: Option<u64>, result: Option<Vec<u8>>, text: String, bytes: Vec<u8>
        ) {
            let left = vec![Seen { pid, uid: 7, name: text.clone() }];
            let end = |exit, why| End { exit, why, last_line: bytes.clone(), result: result.clone(), left: left.clone() };
            for report in [
                Report::Ready { version: VERSION },
                Report::Started { ticket, pid },
                Report::NotStarted { ticket, reason: text.clone() },
                Report::Never { ticket, code, reason: text.clone() },
                Report::Ended { ticket, end: end(Exit::Code(code), Why::Itself) },
                Report::Ended { ticket, end: end(Exit::Signal(code), Why::Asked) },
                Report::Ended { ticket, end: End { left: Vec::new(), ..end(Exit::Signal(code), Why::TimedOut) } },
                Report::Stuck { ticket, left: left.clone() },
                Report::Progress { ticket, progress: Progress { done: ticket, total, words: text.clone() } },
                Report::Alive,
                Report::Echo { ticket, bytes: bytes.clone() },
            ] {
                prop_assert_eq!(Report::decode(&report.encode()[4..]).expect("decoded"), report);
            }
        }

        #[test]
        fn any_bytes_are_refused_or_understood(kind in prop::sample::select(b"HSTRsnvekpaox".as_slice()), bytes: Vec<u8>) {
            let frame = [&[kind], bytes.as_slice()].concat();
            let _ = Request::decode(&frame);
            let _ = Report::decode(&frame);
        }
    }

    #[tokio::test]
    async fn a_frame_that_is_too_long_is_not_read() {
        let length = (MAX_FRAME as u32 + 1).to_le_bytes();
        let error = read_frame(&mut length.as_slice()).await.expect_err("refused");
        assert_eq!(error.to_string(), "broken frame between daemon and keeper: too long");
        let mut end: &[u8] = &[];
        assert!(read_frame(&mut end).await.expect("an end").is_none());
    }
}
