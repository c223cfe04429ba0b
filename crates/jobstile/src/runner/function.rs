//! Rust functions as jobs.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jobstile_core::id::{Fence, RunId};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle};

use super::keeper::{stopped, timer};
use super::progress::Progress;
use super::{Attempt, Ended, Outcome, Stop};
use crate::bugs::planted;
use crate::error::{Kind, Wish};

/// Most causes of an error that go into a message.
const MAX_CAUSES: usize = 8;

/// Any error of a handler.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// An async function that executes a job: `async fn(args: A, run: Run) -> Result<(), E>`, or a closure of that shape.
///
/// The arguments are read from JSON; a trigger without arguments gives `null`, which is `()`. Any error that `?` can turn into
/// a boxed one will do; an error or a panic is a failed attempt.
///
/// An attempt that is cancelled, interrupted or takes longer than its `timeout` is ended by dropping its future at its next
/// `.await`. A handler that has looked at [`Run::is_cancelled`] or [`Run::cancelled`] is first asked in that way, and dropped
/// only after `kill_after`. A handler that does not come to an `.await` cannot be ended: its run keeps its slots until it
/// does.
pub trait Handler<A>: Send + Sync + 'static {
    /// Executes one attempt.
    fn call(&self, args: A, run: Run) -> impl Future<Output = Result<(), BoxError>> + Send;
}

impl<A, F, Fut, E> Handler<A> for F
where
    A: Send + 'static,
    F: Fn(A, Run) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), E>> + Send,
    E: Into<BoxError>,
{
    async fn call(&self, args: A, run: Run) -> Result<(), BoxError> {
        self(args, run).await.map_err(Into::into)
    }
}

/// A handler whose argument type is known to itself only.
pub trait ErasedHandler: fmt::Debug + Send + Sync {
    /// The attempt as a future, or why its arguments do not fit.
    fn begin(&self, args: &str, run: Run) -> Result<Work, String>;
}

/// One attempt of a function; its error is ready to be shown.
pub type Work = Pin<Box<dyn Future<Output = Result<(), Failed>> + Send>>;

/// Why an attempt failed, and what its function wants to follow.
#[derive(Debug)]
pub struct Failed {
    message: String,
    wish: Option<Wish>,
}

/// Takes the argument type out of a handler's type.
pub fn erase<A, H>(handler: H) -> Arc<dyn ErasedHandler>
where
    A: DeserializeOwned + Send + 'static,
    H: Handler<A>,
{
    Arc::new(Typed { handler: Arc::new(handler), args: PhantomData::<fn(A)> })
}

struct Typed<A, H> {
    handler: Arc<H>,
    args: PhantomData<fn(A)>,
}

impl<A, H> fmt::Debug for Typed<A, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handler<{}>", std::any::type_name::<A>())
    }
}

impl<A, H> ErasedHandler for Typed<A, H>
where
    A: DeserializeOwned + Send + 'static,
    H: Handler<A>,
{
    fn begin(&self, args: &str, run: Run) -> Result<Work, String> {
        let args: A = serde_json::from_str(args).map_err(|error| {
            let wanted = std::any::type_name::<A>();
            format!("the arguments do not fit {wanted}: {error}")
        })?;
        let handler = self.handler.clone();
        Ok(Box::pin(async move {
            handler.call(args, run).await.map_err(|error| {
                // Here and not outside: writing out an error is the user's code as well, and may panic.
                Failed { message: with_causes(error.as_ref()), wish: Wish::of(error.as_ref()) }
            })
        }))
    }
}

fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    for _ in 0..MAX_CAUSES {
        let Some(error) = cause else { break };
        let text = error.to_string();
        // Many errors already repeat their cause.
        if !message.ends_with(&text) {
            message = format!("{message}: {text}");
        }
        cause = error.source();
    }
    message
}

/// What a handler is told about its attempt. Cheap to clone.
#[derive(Clone)]
pub struct Run {
    attempt: Arc<Attempt>,
    asked: watch::Receiver<bool>,
    looked: Arc<AtomicBool>,
    given: Arc<Mutex<Option<Vec<u8>>>>,
}

impl Run {
    /// The run; its retries have the same.
    pub fn id(&self) -> RunId {
        self.attempt.run
    }

    /// Which execution of the run this is, from 1.
    pub fn attempt(&self) -> u32 {
        self.attempt.attempt
    }

    /// A number that grows with every attempt of any job. A server that remembers the largest it has seen can refuse an
    /// older attempt that is still on its way.
    pub fn fence(&self) -> Fence {
        self.attempt.fence
    }

    /// The job's name.
    pub fn job(&self) -> &str {
        &self.attempt.job
    }

    /// Gives something back to everybody who waits for the run, if the attempt succeeds. The last one holds; at most 64 KiB
    /// as JSON. It is kept as long as the run is, and `explain RUN` shows it: no place for secrets.
    ///
    /// # Errors
    /// [`Kind::Invalid`] if it is not JSON, or too long.
    pub fn result(&self, value: &impl Serialize) -> Result<(), crate::Error> {
        let wrong = |what: String| crate::Error::new(Kind::Invalid, format!("the result of run {}: {what}", self.id()));
        let json = serde_json::to_vec(value).map_err(|error| wrong(error.to_string()))?;
        super::result::read(&json).map_err(wrong)?;
        *self.given.lock().unwrap_or_else(PoisonError::into_inner) = Some(json);
        Ok(())
    }

    /// Says how far it is. Nothing keeps or shows it yet.
    pub fn progress(&self, done: u64, total: u64, words: &str) {
        self.attempt.progress.tell(Progress::new(done, Some(total), words));
    }

    /// Has the attempt been asked to end? To look is to promise to end soon: see [`Handler`].
    pub fn is_cancelled(&self) -> bool {
        self.looked.store(true, Ordering::Release);
        *self.asked.borrow()
    }

    /// Waits until the attempt is asked to end. May be dropped at any time.
    pub async fn cancelled(&self) {
        self.looked.store(true, Ordering::Release);
        let mut asked = self.asked.clone();
        if asked.wait_for(|asked| *asked).await.is_err() {
            // The attempt is over; a clone of this may live on elsewhere.
        }
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("id", &self.attempt.run)
            .field("attempt", &self.attempt.attempt)
            .field("fence", &self.attempt.fence)
            .field("job", &self.attempt.job)
            .finish_non_exhaustive()
    }
}

/// Ends a handler whose attempt is dropped.
struct Task(JoinHandle<Result<(), Failed>>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

pub(super) async fn call(
    attempt: Attempt,
    handler: &dyn ErasedHandler,
    mut stop: watch::Receiver<Option<Stop>>,
    started: impl FnOnce(Option<u32>),
) -> Ended {
    let (timeout, kill_after) = (attempt.timeout, attempt.kill_after);
    let (ask, asked) = watch::channel(false);
    let looked = Arc::new(AtomicBool::new(false));
    let args = attempt.args.clone();
    let attempt = Arc::new(attempt);
    let given = Arc::new(Mutex::new(None));
    let run = Run { attempt: Arc::clone(&attempt), asked, looked: looked.clone(), given: Arc::clone(&given) };
    let begun = catch_unwind(AssertUnwindSafe(|| handler.begin(&args, run)));
    let work = match begun {
        Ok(Ok(work)) => work,
        Ok(Err(reason)) => return Ended::new(Outcome::Failure, reason),
        Err(panic) => return Ended::new(Outcome::Failure, panicked(panic)),
    };
    let mut task = Task(tokio::spawn(work));
    started(None);
    let mut told = None;
    let mut why: Option<Outcome> = None;
    let mut asked = false;
    let mut patience = pin!(timer(timeout));
    loop {
        let request = tokio::select! {
            // Somebody who is ready has ended by itself.
            biased;
            result = &mut task.0 => {
                let mut ended = ended(result, why, timeout);
                let given = given.lock().unwrap_or_else(PoisonError::into_inner).take();
                ended.take_result(&attempt, given.as_deref());
                return ended;
            }
            request = stopped(&mut stop, told) => {
                told = Some(request);
                why = why.or(Some(request.outcome()));
                request
            }
            () = &mut patience => {
                let more = if asked { Stop::Now } else { Stop::Cancel };
                why = why.or(Some(Outcome::Timeout));
                more
            }
        };
        let _ = ask.send(true);
        if request == Stop::Now || !looked.load(Ordering::Acquire) {
            // Its end is waited for: until then it may still be at work, and its slots are its own.
            task.0.abort();
            patience.set(timer(None));
        } else if !asked {
            patience.set(timer(Some(kill_after)));
        }
        asked = true;
    }
}

fn ended(result: Result<Result<(), Failed>, JoinError>, why: Option<Outcome>, timeout: Option<Duration>) -> Ended {
    let (message, wish) = match result {
        Ok(Ok(())) => (None, None),
        Ok(Err(Failed { message, wish })) => (Some(message), wish),
        Err(error) => (error.try_into_panic().map(panicked).ok(), None),
    };
    let ended = match (why, message) {
        (None, None) => Ended::new(Outcome::Success, None),
        (None, _) if planted("embedded_failure_is_a_success") => Ended::new(Outcome::Success, None),
        (None, message) => Ended::new(Outcome::Failure, message),
        (Some(Outcome::Timeout), None) => Ended::new(Outcome::Timeout, Ended::timed_out(timeout)),
        (Some(Outcome::Timeout), Some(message)) => {
            Ended::new(Outcome::Timeout, format!("{}, {message}", Ended::timed_out(timeout)))
        }
        (Some(why), message) => Ended::new(why, message),
    };
    Ended { wish, ..ended }
}

fn panicked(panic: Box<dyn Any + Send>) -> String {
    let message = match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => format!("panic: {text}"),
        (_, Some(text)) => format!("panic: {text}"),
        _ => "panic".to_owned(),
    };
    // Even what was thrown may panic when it is dropped.
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        std::mem::forget(second);
    }
    message
}
