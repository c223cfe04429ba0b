//! How an attempt is executed: a command, a shell line, an HTTP call or a Rust function.
//!
//! [`Runners::run`] takes an attempt from its start to its end, whatever it is, and says how it ended. It returns only
//! when nothing of the attempt is left on this machine: a command's whole process tree is dead, a function's future is
//! dropped, a connection is closed. Only then may its slots go to somebody else.
//!
//! Commands are children of the keeper ([`keeper`]), a process of its own that ends them when the daemon dies. What they
//! and HTTP servers say is kept bounded in a file ([`output`]). [`sweep`] ends what is left of a node whose daemon and
//! keeper are both dead.

pub mod command;
mod echo;
pub mod function;
mod http;
pub mod keeper;
pub mod lock;
pub mod output;
pub(crate) mod proc;
pub mod progress;
pub mod result;
pub mod script;
pub mod sweep;
pub mod variables;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jobstile_core::id::{Fence, RunId};
pub use jobstile_core::outcome::Outcome;
use tokio::sync::watch;

use crate::error::Wish;

pub use self::command::{Command, Program, Shell};
pub use self::echo::EchoForm;
pub use self::function::{ErasedHandler, Handler, Run};
pub use self::http::{Header, Http};
pub use self::output::Output;

/// Longest message of an attempt, in characters.
pub const MAX_MESSAGE: usize = 500;

/// One execution of a run, as the claim gave it.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The job's name.
    pub job: String,
    /// The run that is executed.
    pub run: RunId,
    /// Which execution of the run this is, from 1.
    pub attempt: u32,
    /// The number that makes this attempt the newest one.
    pub fence: Fence,
    /// The arguments as canonical JSON, `null` where there are none.
    pub args: Arc<str>,
    /// How long the attempt may take from its start; `None` for as long as it likes.
    pub timeout: Option<Duration>,
    /// How long an attempt that was asked to end is given before it is ended.
    pub kill_after: Duration,
    /// Whether the reason of its end may quote what it printed: reasons are logged.
    pub log_output: bool,
    /// Who is told how far it is.
    pub progress: progress::Listener,
}

/// What a job executes.
#[derive(Debug, Clone)]
pub enum Definition {
    /// A program with its arguments.
    Command(Command),
    /// A line for `/bin/sh -c`.
    Shell(Shell),
    /// An HTTP call.
    Http(Http),
    /// A Rust function of this process.
    Function(Arc<dyn ErasedHandler>),
}

/// A request to end an attempt.
///
/// The first request decides the outcome, a later one only hurries. An attempt that had ended by itself before the request
/// reached it keeps its own outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Somebody cancelled the run: it is asked, after `kill_after` it is ended; outcome [`Outcome::Cancelled`].
    Cancel,
    /// The node shuts down: likewise, outcome [`Outcome::Interrupted`].
    Interrupt,
    /// It is ended at once; outcome [`Outcome::Interrupted`] unless it was cancelled before.
    Now,
}

impl Stop {
    fn outcome(self) -> Outcome {
        match self {
            Stop::Cancel => Outcome::Cancelled,
            Stop::Interrupt | Stop::Now => Outcome::Interrupted,
        }
    }
}

/// How the first process of a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It exited with this code, 0 to 255.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The outcome. Of a command that ended by itself, code 0 is a success and everything else a failure.
    pub outcome: Outcome,
    /// How a command's first process ended; `None` for everything else.
    pub exit: Option<Exit>,
    /// Why, in one line that is safe to print, at most [`MAX_MESSAGE`] characters: `exit code 1, "no such host"`.
    pub message: Option<String>,
    /// How long the server asked us to wait before the next attempt, at most a day.
    pub retry_after: Option<Duration>,
    /// What a function wants to follow its failure.
    pub wish: Option<Wish>,
    /// What it gave back to those who wait for the run, as JSON of at most [`result::MAX_RESULT`] bytes.
    pub result: Option<String>,
    /// What is kept of what it said. Its file stays until [`output::remove`].
    pub output: Output,
}

impl Ended {
    fn new(outcome: Outcome, message: impl Into<Option<String>>) -> Ended {
        Ended {
            outcome,
            exit: None,
            message: message.into().map(|message| crate::text::clean_to(&message, MAX_MESSAGE)),
            retry_after: None,
            wish: None,
            result: None,
            output: Output::default(),
        }
    }

    /// Takes the result that a success gave; one that is none is said in the log.
    fn take_result(&mut self, attempt: &Attempt, given: Option<&[u8]>) {
        let Some(given) = given.filter(|_| self.outcome == Outcome::Success) else { return };
        match result::read(given) {
            Ok(result) => self.result = Some(result),
            Err(reason) => {
                tracing::warn!(job_type = attempt.job.as_str(), run = attempt.run.0, reason, "Result not kept");
            }
        }
    }

    fn timed_out(timeout: Option<Duration>) -> String {
        format!("timed out after {}", span(timeout.unwrap_or_default()))
    }
}

/// As people write it: `5m`, `1h 30m`, `700ms`.
fn span(time: Duration) -> String {
    if time.as_secs() < 60 || time.subsec_nanos() > 0 {
        return format!("{time:?}");
    }
    let seconds = time.as_secs();
    let parts = [(seconds / 3600, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let parts: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count}{unit}")).collect();
    parts.join(" ")
}

/// What runners need to know about the node they work for.
#[derive(Debug)]
pub struct Context {
    /// The node's random id. Every command carries it in its environment.
    pub node: String,
    /// What proves that a process was started by this node of this store ([`sweep::mark`]); every command carries it too.
    pub mark: String,
    /// The folder for the output of attempts; it must be there.
    pub dir: PathBuf,
    /// The store, where it is a file; commands find it as `JOBSTILE_STORE`.
    pub store: Option<PathBuf>,
    /// The program that has the verb `keep`; without one there are no command jobs. `/proc/self/exe` is a good choice for a
    /// program that has the verb itself: it is there also after an upgrade took its file away.
    pub keeper: Option<PathBuf>,
    /// A handle of the node's lock, which the keeper shares. Without it nobody can tell whether a keeper without daemon is
    /// still at work.
    pub lock: Option<OwnedFd>,
    /// The environment that commands get their part of; normally the one this process started with.
    pub environment: BTreeMap<OsString, OsString>,
    /// Does every child of this process but the keeper come from a lost keeper? True for a program that starts no other
    /// processes. Then also a process that hid all its traces is ended with its keeper.
    pub owns_children: bool,
    /// Print the output of commands to standard output as it comes, each line in this form.
    pub echo: Option<EchoForm>,
}

impl Context {
    /// A context without store, keeper and lock, with the environment of this process.
    pub fn new(node: impl Into<String>, dir: impl Into<PathBuf>) -> Context {
        let node = node.into();
        Context {
            mark: sweep::mark("", &node),
            node,
            dir: dir.into(),
            store: None,
            keeper: None,
            lock: None,
            environment: std::env::vars_os().collect(),
            owns_children: false,
            echo: None,
        }
    }
}

/// Executes attempts. Cheap to clone; all clones share one keeper.
#[derive(Debug, Clone)]
pub struct Runners {
    context: Arc<Context>,
    keeper: keeper::Keeper,
    http: http::Caller,
}

impl Runners {
    /// Runners for a node. Starts nothing yet: the keeper comes with the first command, the HTTP client with the first call.
    pub fn new(context: Context) -> Runners {
        let context = Arc::new(context);
        Runners { keeper: keeper::Keeper::new(context.clone()), http: http::Caller::default(), context }
    }

    /// Executes one attempt and returns when nothing of it is left.
    ///
    /// `started` is called once when it works, with the pid of a command. `stop` ends it early; that its sender is gone is
    /// no request. Dropping the returned future ends the attempt without waiting for its end.
    pub async fn run(
        &self,
        attempt: Attempt,
        definition: &Definition,
        stop: watch::Receiver<Option<Stop>>,
        started: impl FnOnce(Option<u32>) + Send,
    ) -> Ended {
        match definition {
            Definition::Command(command) => {
                let program = command.program();
                self.command(&attempt, &program, stop, started).await
            }
            Definition::Shell(shell) => {
                let program = shell.program();
                self.command(&attempt, &program, stop, started).await
            }
            Definition::Http(http) => {
                started(None);
                let environment = &self.context.environment;
                self.http.call(&self.context.dir, &attempt, http, environment, stop).await
            }
            Definition::Function(handler) => function::call(attempt, handler.as_ref(), stop, started).await,
        }
    }

    /// Can this node execute such an attempt now? If not, the reason in words that users are shown.
    ///
    /// Looks at files, so it may take the time of a disk.
    pub fn can_run(&self, definition: &Definition) -> Result<(), String> {
        match definition {
            Definition::Command(command) => self.can_start(&command.program()),
            Definition::Shell(shell) => self.can_start(&shell.program()),
            Definition::Http(http) => http.can_call(&self.context.environment),
            Definition::Function(_) => Ok(()),
        }
    }

    /// Why an attempt would fail at once, although its command is there: its first line names no interpreter of this
    /// machine, and the like. `None` means that nothing is known against it.
    ///
    /// Looks at files, as [`Runners::can_run`] does.
    pub fn would_fail(&self, definition: &Definition) -> Option<script::Never> {
        let program = match definition {
            Definition::Command(command) => command.program(),
            Definition::Shell(_) | Definition::Http(_) | Definition::Function(_) => return None,
        };
        script::look(&program.look_up(&self.context.environment).ok()?)
    }

    /// Ends the keeper, which ends what still runs, and waits until it has left.
    ///
    /// False where some of it cannot be ended. The keeper stays with it then and holds the node's lock: the slots of those
    /// attempts are not free.
    pub async fn close(&self) -> bool {
        self.keeper.close().await
    }

    /// How many attempts there are whose processes were killed and do not end.
    #[must_use]
    pub fn stuck(&self) -> usize {
        self.keeper.stuck()
    }

    /// The folder where the output of attempts lies.
    pub fn dir(&self) -> &Path {
        &self.context.dir
    }

    fn can_start(&self, program: &Program) -> Result<(), String> {
        let keeper = self.context.keeper.as_ref();
        keeper.ok_or(keeper::NO_KEEPER)?;
        program.look_up(&self.context.environment).map(drop)
    }

    async fn command(
        &self,
        attempt: &Attempt,
        program: &Program,
        stop: watch::Receiver<Option<Stop>>,
        started: impl FnOnce(Option<u32>),
    ) -> Ended {
        let order = match command::order(&self.context, attempt, program) {
            Ok(order) => order,
            Err(message) => return Ended::new(Outcome::NotStarted, message),
        };
        let mut ended = self.keeper.run(order, attempt, stop, started).await;
        match output::read(&self.context.dir, attempt.run, attempt.fence) {
            Ok(output) => ended.output = output,
            Err(error) => tracing::warn!(run = attempt.run.0, %error, "Output is not readable"),
        }
        ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_written_as_people_write_it() {
        let table = [(700, "700ms"), (1_500, "1.5s"), (59_000, "59s"), (300_000, "5m"), (5_400_000, "1h 30m")];
        for (ms, text) in table {
            assert_eq!(span(Duration::from_millis(ms)), text);
        }
    }
}
