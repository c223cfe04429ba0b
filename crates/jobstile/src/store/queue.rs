//! The thread and the queue around a store: callers that come together share one transaction, and everybody is answered
//! after its commit.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::Counters;
use super::sqlite::Store;
use crate::engine::clock::Clock;
use crate::error::{Error, Kind, Result};
use crate::fact::Fact;
use crate::op::{Answer, Claim, Claimed, Op};

/// Operations of one batch.
pub const MAX_BATCH: usize = 1_000;
/// Bytes of arguments and output in one batch.
pub const MAX_BATCH_BYTES: usize = 4 << 20;
/// Callers that wait for a place in the queue; more wait outside.
const MAX_ASKED: usize = 4_096;

/// What a commit changed, for those who wait for something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hints {
    /// A claim looked at as many runs as one may: there are more.
    pub cut_short: bool,
    /// Some running run was asked to end.
    pub asked_to_end: bool,
    /// Something waits for a time that was not known before.
    pub timed: bool,
    /// What other processes wrote since the last batch: runs and refusals from these numbers on.
    pub others: Option<(Counters, Counters)>,
}

/// A node that claims: its offer goes along with every batch, so that a trigger and the start of its run, or the end of
/// an attempt and the next one, are one transaction.
pub(crate) trait Standing: Send + Sync {
    /// What it could run now; none: nothing.
    fn offer(&self) -> Option<Claim>;
    /// What it was given, after the commit.
    fn claimed(&self, claimed: Vec<Claimed>);
    /// What happened, after the commit.
    fn committed(&self, facts: &[Fact], hints: Hints);
}

enum Message {
    One(Op, oneshot::Sender<Result<Answer>>),
    Many(Vec<Op>, oneshot::Sender<Vec<Result<Answer>>>),
    /// Another process may have written: look, and claim.
    Look,
}

/// A queue in front of a store.
#[derive(Debug, Clone)]
pub struct Queue {
    sender: mpsc::Sender<Message>,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::One(..) => "One",
            Self::Many(..) => "Many",
            Self::Look => "Look",
        })
    }
}

impl Queue {
    /// Starts the thread that owns the store. It ends when the last queue in front of it is gone.
    ///
    /// # Errors
    /// Where no thread can be had.
    pub(crate) fn start(store: Store, clock: Clock, standing: Option<Arc<dyn Standing>>) -> Result<Self> {
        let (sender, receiver) = mpsc::channel(MAX_ASKED);
        let writer = Writer { store, clock, standing, receiver, last: None };
        std::thread::Builder::new()
            .name("jobstile-store".to_owned())
            .spawn(move || writer.work())
            .map_err(|e| Error::new(Kind::Store, "cannot start the store's thread").because(e))?;
        Ok(Self { sender })
    }

    /// Executes one operation; the answer comes after the commit. Dropping the future does not undo it.
    ///
    /// # Errors
    /// The operation's own, or [`Kind::Closed`] where the store's thread is gone.
    pub async fn execute(&self, op: Op) -> Result<Answer> {
        let (answer, answered) = oneshot::channel();
        self.sender.send(Message::One(op, answer)).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }

    /// Executes operations in one transaction.
    ///
    /// # Errors
    /// As [`Queue::execute`].
    pub async fn execute_all(&self, ops: Vec<Op>) -> Result<Vec<Result<Answer>>> {
        let (answer, answered) = oneshot::channel();
        self.sender.send(Message::Many(ops, answer)).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())
    }

    /// Says that there may be something new. A hint: it may be dropped where the queue is full anyway.
    pub(crate) fn look(&self) {
        // A full queue looks soon enough; a closed one has nobody to look.
        let _ = self.sender.try_send(Message::Look);
    }
}

fn gone() -> Error {
    Error::new(Kind::Closed, "the store is closed")
}

enum Asker {
    Nobody,
    One(oneshot::Sender<Result<Answer>>),
    Many(usize, oneshot::Sender<Vec<Result<Answer>>>),
}

struct Writer {
    store: Store,
    clock: Clock,
    standing: Option<Arc<dyn Standing>>,
    receiver: mpsc::Receiver<Message>,
    last: Option<Counters>,
}

impl Writer {
    fn work(mut self) {
        let (mut ops, mut askers) = (Vec::new(), Vec::new());
        while let Some(first) = self.receiver.blocking_recv() {
            let mut bytes = 0;
            let mut look = take_in(first, &mut ops, &mut askers, &mut bytes);
            while ops.len() < MAX_BATCH && bytes < MAX_BATCH_BYTES {
                match self.receiver.try_recv() {
                    Ok(message) => look |= take_in(message, &mut ops, &mut askers, &mut bytes),
                    Err(_) => break,
                }
            }
            if ops.is_empty() && !(look && self.store.changed_by_others().unwrap_or(true)) {
                continue;
            }
            if ops.is_empty() {
                // A batch without an operation would not see what the others wrote where this node has no free worker.
                ops.push(Op::Due { max: 0 });
                askers.push(Asker::Nobody);
            }
            self.batch(&mut ops, &mut askers);
        }
    }

    fn batch(&mut self, ops: &mut Vec<Op>, askers: &mut Vec<Asker>) {
        let offer = self.standing.as_ref().and_then(|standing| standing.offer());
        let claims = offer.is_some();
        ops.extend(offer.map(Op::Claim));
        if ops.is_empty() {
            return;
        }
        let mut done = self.store.execute(self.clock.now(), ops);
        ops.clear();
        let claimed = if claims { done.answers.pop() } else { None };
        let mut answers = done.answers.into_iter();
        for asker in askers.drain(..) {
            // Somebody who does not wait for the answer any more has it in the store.
            match asker {
                Asker::Nobody => drop(answers.next()),
                Asker::One(answer) => drop(answer.send(answers.next().unwrap_or_else(|| Err(gone())))),
                Asker::Many(n, answer) => drop(answer.send(answers.by_ref().take(n).collect())),
            }
        }
        let others = match (self.last, done.counters) {
            (Some(last), Some((before, _))) if last.run < before.run || last.refusal < before.refusal => {
                Some((last, before))
            }
            _ => None,
        };
        self.last = done.counters.map(|(_, after)| after).or(self.last);
        let Some(standing) = &self.standing else { return };
        // The facts first: a run is logged as started before anything that its handler does.
        let hints = Hints { cut_short: done.cut_short, asked_to_end: done.asked_to_end, timed: done.timed, others };
        standing.committed(&done.facts, hints);
        if let Some(Ok(Answer::Claimed(claimed))) = claimed
            && !claimed.is_empty()
        {
            standing.claimed(claimed);
        }
    }
}

fn take_in(message: Message, ops: &mut Vec<Op>, askers: &mut Vec<Asker>, bytes: &mut usize) -> bool {
    match message {
        Message::One(op, answer) => {
            *bytes += weight(&op);
            ops.push(op);
            askers.push(Asker::One(answer));
            false
        }
        Message::Many(many, answer) => {
            *bytes += many.iter().map(weight).sum::<usize>();
            askers.push(Asker::Many(many.len(), answer));
            ops.extend(many);
            false
        }
        Message::Look => true,
    }
}

fn weight(op: &Op) -> usize {
    match op {
        Op::Trigger(trigger) => trigger.args.as_ref().map_or(0, |args| args.canonical().len()),
        Op::Settle(settle) => settle.printed.as_ref().map_or(0, |p| p.head.len() + p.tail.len()),
        _ => 0,
    }
}
