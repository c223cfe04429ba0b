//! The thread and the queue around a store: callers that come together share one transaction, and everybody is answered
//! after its commit.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::Counters;
use super::question::Question;
use super::sqlite::{Reader, Store};
use crate::clock::Clock;
use crate::error::{Error, Kind, Result};
use crate::fact::Fact;
use crate::op::{Answer, Claim, Claimed, Due, Op, Operation};

/// Operations of one batch.
pub const MAX_BATCH: usize = 1_000;
/// Bytes of arguments and output in one batch.
pub const MAX_BATCH_BYTES: usize = 4 << 20;
/// How long the operations of one batch may take before its commit: larger groups are slower ones for everybody in them.
const MAX_BATCH_TIME: Duration = Duration::from_millis(20);
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
    /// What it could run now; `None` means nothing.
    fn offer(&self) -> Option<Claim>;
    /// What it was given, after the commit.
    fn claimed(&self, claimed: Vec<Claimed>);
    /// What happened, after the commit.
    fn committed(&self, facts: &[Fact], hints: Hints);
}

type Ask = Box<dyn FnOnce(&mut Store) + Send>;

enum Message {
    One(Op, oneshot::Sender<Result<Answer>>),
    Many(Vec<Op>, oneshot::Sender<Vec<Result<Answer>>>),
    /// A question, answered after the batch.
    Ask(Ask),
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
            Self::Ask(_) => "Ask",
            Self::Look => "Look",
        })
    }
}

impl Queue {
    /// Starts the thread that owns the store. It ends when the last queue in front of it is gone.
    ///
    /// # Errors
    /// If no thread can be had.
    pub(crate) fn start(store: Store, clock: Clock, standing: Option<Arc<dyn Standing>>) -> Result<Self> {
        let (sender, receiver) = mpsc::channel(MAX_ASKED);
        let writer = Writer { store, clock, standing, receiver, last: None, room: MAX_BATCH };
        std::thread::Builder::new()
            .name("jobstile-store".to_owned())
            .spawn(move || writer.work())
            .map_err(|e| Error::new(Kind::Store, "cannot start the store's thread").because(e))?;
        Ok(Self { sender })
    }

    /// Executes one operation; the answer comes after the commit. Dropping the future does not undo it.
    ///
    /// # Errors
    /// The operation's own, or [`Kind::Closed`] if the store's thread is gone.
    pub async fn execute<O: Operation>(&self, op: O) -> Result<O::Answer> {
        let (answer, answered) = oneshot::channel();
        self.sender.send(Message::One(op.into(), answer)).await.map_err(|_| gone())?;
        typed::<O>(answered.await.map_err(|_| gone())?)
    }

    /// Executes operations of one kind in one transaction.
    ///
    /// # Errors
    /// As [`Queue::execute`].
    pub async fn execute_all<O: Operation>(&self, ops: Vec<O>) -> Result<Vec<Result<O::Answer>>> {
        let answers = self.send_all(ops.into_iter().map(Into::into).collect()).await?;
        Ok(answers.into_iter().map(typed::<O>).collect())
    }

    /// Executes two operations in one transaction.
    ///
    /// # Errors
    /// As [`Queue::execute`].
    pub async fn execute_both<A: Operation, B: Operation>(
        &self,
        first: A,
        second: B,
    ) -> Result<(Result<A::Answer>, Result<B::Answer>)> {
        let mut answers = self.send_all(vec![first.into(), second.into()]).await?.into_iter();
        let mut next = || answers.next().unwrap_or_else(|| Err(gone()));
        Ok((typed::<A>(next()), typed::<B>(next())))
    }

    async fn send_all(&self, ops: Vec<Op>) -> Result<Vec<Result<Answer>>> {
        let (answer, answered) = oneshot::channel();
        self.sender.send(Message::Many(ops, answer)).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())
    }

    /// Reads the store in its own thread, after every batch that was answered before.
    ///
    /// # Errors
    /// The reader's own, or [`Kind::Closed`] if the store's thread is gone.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Reader) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.after_the_batch(move |store| store.read(read)).await
    }

    /// Asks a question, which sees every batch that was answered before it.
    ///
    /// # Errors
    /// The store's own, or [`Kind::Closed`] if the store's thread is gone.
    pub async fn ask<Q: Question>(&self, question: Q) -> Result<Q::Answer> {
        self.after_the_batch(move |store| store.ask(&question)).await
    }

    async fn after_the_batch<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&mut Store) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        // Somebody who does not wait for the answer any more does not need it.
        let ask = Box::new(move |store: &mut Store| drop(answer.send(ask(store))));
        self.sender.send(Message::Ask(ask)).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }

    /// Says that there may be something new. A hint: it may be dropped where the queue is full anyway.
    pub(crate) fn look(&self) {
        // A full queue looks soon enough; a closed one has nobody to look.
        let _ = self.sender.try_send(Message::Look);
    }
}

fn typed<O: Operation>(answer: Result<Answer>) -> Result<O::Answer> {
    O::answer(answer?).ok_or_else(|| Error::invariant("an operation has the answer of its kind"))
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
    /// Operations for which there is time in a batch.
    room: usize,
}

#[derive(Default)]
struct Group {
    ops: Vec<Op>,
    askers: Vec<Asker>,
    /// Answered after the batch.
    questions: Vec<Ask>,
    bytes: usize,
    look: bool,
}

impl Writer {
    fn work(mut self) {
        while let Some(mut group) = self.gather() {
            let questions = std::mem::take(&mut group.questions);
            self.answer(group);
            questions.into_iter().for_each(|ask| ask(&mut self.store));
        }
    }

    fn answer(&mut self, mut group: Group) {
        if group.ops.is_empty() && !(group.look && self.store.changed_by_others().unwrap_or(true)) {
            self.store.tidy();
            return;
        }
        if group.ops.is_empty() {
            // A batch without an operation would not see what the others wrote where this node has no free worker.
            group.ops.push(Due { max: 0 }.into());
            group.askers.push(Asker::Nobody);
        }
        self.batch(group);
    }

    /// The callers that have come; waits only for the first. `None` means nobody can come any more.
    fn gather(&mut self) -> Option<Group> {
        let mut group = Group::default();
        while group.ops.len() < self.room && group.bytes < MAX_BATCH_BYTES {
            match self.receiver.try_recv() {
                Ok(message) => group.take_in(message),
                Err(_) if group.is_empty() => group.take_in(self.receiver.blocking_recv()?),
                Err(_) => break,
            }
        }
        Some(group)
    }

    fn batch(&mut self, Group { mut ops, askers, .. }: Group) {
        let offer = self.standing.as_ref().and_then(|standing| standing.offer());
        let claims = offer.is_some();
        ops.extend(offer.map(Op::Claim));
        if ops.is_empty() {
            return;
        }
        let mut done = self.store.execute(self.clock.now(), &ops);
        self.room = room(self.room, ops.len(), done.took);
        // After the commit: a batch that is repeated says it once.
        for job in &done.set_back {
            tracing::warn!(job_type = %job, "The clock was set back, the schedule goes on from now");
        }
        let claimed = if claims { done.answers.pop() } else { None };
        let mut answers = done.answers.into_iter();
        for asker in askers {
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

impl Group {
    fn is_empty(&self) -> bool {
        self.askers.is_empty() && self.questions.is_empty() && !self.look
    }

    fn take_in(&mut self, message: Message) {
        match message {
            Message::One(op, answer) => {
                self.bytes += weight(&op);
                self.ops.push(op);
                self.askers.push(Asker::One(answer));
            }
            Message::Many(many, answer) => {
                self.bytes += many.iter().map(weight).sum::<usize>();
                self.askers.push(Asker::Many(many.len(), answer));
                self.ops.extend(many);
            }
            Message::Ask(ask) => self.questions.push(ask),
            Message::Look => self.look = true,
        }
    }
}

// Halved by a batch that took too long, and larger again after each that did not.
fn room(room: usize, ops: usize, took: Duration) -> usize {
    match took > MAX_BATCH_TIME {
        true => (ops.min(room) / 2).max(1),
        false => (room * 2).min(MAX_BATCH),
    }
}

fn weight(op: &Op) -> usize {
    match op {
        Op::Trigger(trigger) => trigger.args.as_ref().map_or(0, |args| args.canonical().len()),
        Op::Settle(settle) => settle.printed.as_ref().map_or(0, |p| p.head.len() + p.tail.len()),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_that_takes_too_long_makes_room_for_fewer() {
        let (slow, quick) = (MAX_BATCH_TIME * 2, MAX_BATCH_TIME / 2);
        let rooms = [(1_000, 1_000, slow, 500), (1_000, 64, slow, 32), (1, 1, slow, 1), (500, 500, quick, 1_000)];
        for (before, ops, took, after) in rooms {
            assert_eq!(room(before, ops, took), after);
        }
    }
}
