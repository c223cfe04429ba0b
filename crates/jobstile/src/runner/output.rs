//! The output of an attempt: a file of bounded size that one process writes and others may read meanwhile.
//!
//! Of an attempt's output the first [`HEAD`] bytes are kept, then a ring of the last [`RING`] bytes. The file is sparse:
//!
//! | offset | what |
//! | --- | --- |
//! | 0 | the mark `JBSTOUT1` |
//! | 8 | `reserved`: bytes of output that may have been written, as eight bytes, little end first |
//! | 16 | `written`: bytes of output that have been written |
//! | 24 | `lost`: bytes that could not be written, because the disk was full |
//! | 32 | 1 when no more will come |
//! | 64 | the first [`HEAD`] bytes |
//! | 64 + [`HEAD`] | the ring: byte *p* of the output lies at (*p* − [`HEAD`]) modulo [`RING`] |
//!
//! The writer raises `reserved` before it overwrites anything, and `written` after. What a reader got from the ring is
//! good if `reserved`, looked at afterwards, has not come round to it.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use jobstile_core::id::{Fence, RunId};
use rustix::fs::{Gid, Mode, OFlags, fchmod, fchown};

/// How much of the beginning is kept.
pub const HEAD: u64 = 16 << 10;
/// How much of the end is kept while the attempt runs.
pub const RING: u64 = 2 << 20;
/// How much of the end goes into the store.
pub const TAIL: u64 = 48 << 10;

const MARK: &[u8; 8] = b"JBSTOUT1";
const RESERVED: u64 = 8;
const WRITTEN: u64 = 16;
const LOST: u64 = 24;
const CLOSED: u64 = 32;
const START: u64 = 64;
/// Most bytes that one call of [`Follow::next`] gives.
const PIECE: u64 = 64 << 10;
/// How often a read of the ring is tried again when the writer overtook it.
const TRIES: u32 = 8;

/// What is kept of the output of an attempt that ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Output {
    /// The first bytes, at most [`HEAD`].
    pub head: Vec<u8>,
    /// The last bytes that are not in `head`, at most [`TAIL`] and what of a character did not fit there.
    pub tail: Vec<u8>,
    /// How many bytes between the two are not here.
    pub dropped: u64,
}

impl Output {
    /// Keeps the last `bytes` of the tail and counts the rest as dropped.
    #[must_use]
    pub fn with_tail_of(mut self, bytes: usize) -> Output {
        let cut = self.tail.len().saturating_sub(bytes);
        self.tail.drain(..cut);
        Output { dropped: self.dropped + cut as u64, ..self }.with_whole_characters()
    }

    /// A character of UTF-8 that the end of the head cuts goes to the tail, or where something lies between is left out,
    /// as is one that the beginning of the tail cuts. Other bytes stay as they are.
    fn with_whole_characters(mut self) -> Output {
        let cut = cut_character(&self.head);
        let rest = self.head.split_off(self.head.len() - cut);
        if self.dropped == 0 {
            self.tail.splice(..0, rest);
        } else {
            // At most three bytes go on with a character whose beginning is not here.
            let begun = self.tail.iter().take(3).take_while(|byte| **byte & 0xc0 == 0x80).count();
            self.tail.drain(..begun);
            self.dropped += (cut + begun) as u64;
        }
        self
    }
}

/// How many bytes at the end begin a character of UTF-8 that goes on behind them.
fn cut_character(bytes: &[u8]) -> usize {
    let last: Vec<u8> = bytes.iter().rev().take(3).copied().collect();
    let Some(at) = last.iter().position(|byte| byte & 0xc0 != 0x80) else { return 0 };
    let needs = match last[at] {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return 0,
    };
    if at + 1 < needs { at + 1 } else { 0 }
}

/// The file that holds the output of one attempt.
pub fn path(dir: &Path, run: RunId, fence: Fence) -> PathBuf {
    dir.join(format!("{run}-{fence}.out"))
}

/// What is kept of an attempt's output; empty where it has no file.
///
/// Meant for an attempt that ended, be it that its node is dead. Of one that still writes this is a look at some moment.
pub fn read(dir: &Path, run: RunId, fence: Fence) -> io::Result<Output> {
    let follow = match Follow::open(dir, run, fence) {
        Ok(follow) => follow,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Output::default()),
        Err(error) => return Err(error),
    };
    let mut lost = 0;
    for _ in 0..TRIES {
        let state = follow.state()?;
        lost = state.lost;
        let head = follow.piece(0, state.written.min(HEAD))?;
        let from = state.written.saturating_sub(TAIL).max(HEAD).min(state.written);
        let tail = follow.piece(from, state.written - from)?;
        if follow.state()?.first_kept() <= from {
            let dropped = from - head.len() as u64;
            let output = Output { head, tail, dropped }.with_whole_characters();
            return Ok(Output { dropped: output.dropped + state.lost, ..output });
        }
    }
    // The writer is faster than we are: what can be said is how much there was.
    Ok(Output { head: follow.piece(0, HEAD)?, tail: Vec::new(), dropped: follow.state()?.written - HEAD + lost })
}

/// Removes the file of an attempt; it is fine if there is none.
pub fn remove(dir: &Path, run: RunId, fence: Fence) -> io::Result<()> {
    match fs::remove_file(path(dir, run, fence)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Writes the output of one attempt.
#[derive(Debug)]
pub(crate) struct Writer {
    file: File,
    written: u64,
    lost: u64,
}

impl Writer {
    /// Makes the file, for the owner and the group of its folder. If one of the same attempt exists already, it is not
    /// of ours any more (a fence is given once) and is replaced.
    pub(crate) fn create(dir: &Path, run: RunId, fence: Fence) -> io::Result<Writer> {
        let path = path(dir, run, fence);
        remove(dir, run, fence)?;
        let file = create(&path)?;
        file.write_all_at(MARK, 0)?;
        file.set_len(START)?;
        Ok(Writer { file, written: 0, lost: 0 })
    }

    /// Adds bytes. What the disk does not take is counted and dropped: a full disk does not fail an attempt.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(PIECE as usize) {
            if self.lost > 0 || self.append(piece).is_err() {
                self.lost += piece.len() as u64;
                let _ = self.put(LOST, self.lost);
            }
        }
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let end = self.written + bytes.len() as u64;
        if end > HEAD + RING {
            self.put(RESERVED, end)?;
        }
        let mut at = self.written;
        let mut rest = bytes;
        while !rest.is_empty() {
            let (offset, room) = place(at);
            let (now, later) = rest.split_at(rest.len().min(room as usize));
            self.file.write_all_at(now, offset)?;
            at += now.len() as u64;
            rest = later;
        }
        self.put(WRITTEN, end)?;
        self.written = end;
        Ok(())
    }

    fn put(&self, offset: u64, number: u64) -> io::Result<()> {
        self.file.write_all_at(&number.to_le_bytes(), offset)
    }

    /// Says that no more will come.
    pub(crate) fn close(self) {
        let _ = self.put(CLOSED, 1);
    }
}

/// Makes a file that the owner and the group of its folder may read and write.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .custom_flags(OFlags::NOFOLLOW.bits() as i32)
        .open(path)?;
    if let Some(folder) = path.parent()
        && let Ok(folder) = fs::metadata(folder)
        && folder.gid() != file.metadata()?.gid()
    {
        // Only root and members of the group may; where it is refused the file stays with our own group.
        let _ = fchown(&file, None, Some(Gid::from_raw(folder.gid())));
    }
    fchmod(&file, Mode::from_raw_mode(0o660))?;
    Ok(file)
}

/// Where byte `at` of the output lies in the file, and how many bytes from there on lie in a row.
fn place(at: u64) -> (u64, u64) {
    if at < HEAD {
        return (START + at, HEAD - at);
    }
    let turn = (at - HEAD) % RING;
    (START + HEAD + turn, RING - turn)
}

#[derive(Debug, Clone, Copy)]
struct State {
    reserved: u64,
    written: u64,
    lost: u64,
    closed: bool,
}

impl State {
    /// The first byte behind the head that nothing has overwritten.
    fn first_kept(&self) -> u64 {
        self.reserved.max(self.written).saturating_sub(RING)
    }
}

/// What [`Follow::next`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// More output.
    Data(Vec<u8>),
    /// This many bytes were overwritten before they could be read, or lost to a full disk.
    Skipped(u64),
    /// Nothing now; look again later, and whether the attempt still runs (its node may be dead).
    Wait,
    /// The attempt has ended and everything was read.
    End,
}

/// Reads an attempt's output from its beginning, while it is written and after: `jobstile logs -f`.
///
/// It goes on to work when the file is removed meanwhile.
#[derive(Debug)]
pub struct Follow {
    file: File,
    at: u64,
    told: u64,
}

impl Follow {
    /// Opens the output of an attempt.
    ///
    /// Errors: `NotFound` where the attempt has no file here (any more), `InvalidData` where the file is none of ours.
    pub fn open(dir: &Path, run: RunId, fence: Fence) -> io::Result<Follow> {
        let file =
            OpenOptions::new().read(true).custom_flags(OFlags::NOFOLLOW.bits() as i32).open(path(dir, run, fence))?;
        let mut mark = [0; 8];
        if file.read_exact_at(&mut mark, 0).is_err() || &mark != MARK {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("the output of run {run} is not readable: wrong mark"),
            ));
        }
        Ok(Follow { file, at: 0, told: 0 })
    }

    /// Leaves out all but the last `bytes` of what is there now.
    pub fn skip_to_last(&mut self, bytes: u64) -> io::Result<()> {
        self.at = self.at.max(self.state()?.written.saturating_sub(bytes));
        Ok(())
    }

    /// What comes next; never waits.
    #[expect(clippy::should_implement_trait, reason = "an end now is not an end for good")]
    pub fn next(&mut self) -> io::Result<Next> {
        for _ in 0..TRIES {
            let state = self.state()?;
            if self.at >= state.written {
                if state.lost > self.told {
                    let news = state.lost - self.told;
                    self.told = state.lost;
                    return Ok(Next::Skipped(news));
                }
                return Ok(if state.closed { Next::End } else { Next::Wait });
            }
            let kept = state.first_kept();
            if self.at >= HEAD && self.at < kept {
                return Ok(Next::Skipped(self.skip(kept)));
            }
            let limit = if self.at < HEAD { HEAD } else { state.written };
            let data = self.piece(self.at, (limit.min(state.written) - self.at).min(PIECE))?;
            if self.at < HEAD || self.state()?.first_kept() <= self.at {
                self.at += data.len() as u64;
                return Ok(Next::Data(data));
            }
        }
        let written = self.state()?.written;
        Ok(Next::Skipped(self.skip(written)))
    }

    fn skip(&mut self, to: u64) -> u64 {
        let skipped = to - self.at;
        self.at = to;
        skipped
    }

    fn state(&self) -> io::Result<State> {
        let mut bytes = [0; 32];
        self.file.read_exact_at(&mut bytes, RESERVED)?;
        let number = |at: usize| {
            let mut number = [0; 8];
            number.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(number)
        };
        Ok(State { reserved: number(0), written: number(8), lost: number(16), closed: number(24) != 0 })
    }

    fn piece(&self, mut at: u64, bytes: u64) -> io::Result<Vec<u8>> {
        let mut data = vec![0; bytes as usize];
        let mut rest = &mut data[..];
        while !rest.is_empty() {
            let (offset, room) = place(at);
            let (now, later) = rest.split_at_mut((room as usize).min(bytes as usize).min(rest.len()));
            self.file.read_exact_at(now, offset)?;
            at += now.len() as u64;
            rest = later;
        }
        Ok(data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RUN: RunId = RunId(7);
    const FENCE: Fence = Fence(9);

    fn bytes(from: u64, to: u64) -> Vec<u8> {
        // No period that divides the ring.
        (from..to).map(|at| (at % 251) as u8).collect()
    }

    #[test]
    fn the_file_is_for_its_owner_and_the_group_of_its_folder() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("a folder");
        Writer::create(dir.path(), RUN, FENCE).expect("made").close();
        let file = fs::metadata(path(dir.path(), RUN, FENCE)).expect("there");
        assert_eq!(file.permissions().mode() & 0o777, 0o660);
        assert_eq!(file.gid(), fs::metadata(dir.path()).expect("there").gid());
        assert_eq!(path(dir.path(), RUN, FENCE).file_name().expect("a name"), "7-9.out");
    }

    #[test]
    fn what_is_not_ours_is_not_read() {
        let dir = tempfile::tempdir().expect("a folder");
        let kind = |result: io::Result<Follow>| result.map(drop).map_err(|error| error.kind());
        assert_eq!(kind(Follow::open(dir.path(), RUN, FENCE)), Err(io::ErrorKind::NotFound));
        fs::write(path(dir.path(), RUN, FENCE), "something else").expect("written");
        assert_eq!(kind(Follow::open(dir.path(), RUN, FENCE)), Err(io::ErrorKind::InvalidData));
        fs::write(path(dir.path(), RUN, FENCE), "").expect("written");
        assert_eq!(kind(Follow::open(dir.path(), RUN, FENCE)), Err(io::ErrorKind::InvalidData));
    }

    #[test]
    fn a_full_disk_is_counted_and_does_no_harm() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut writer = Writer::create(dir.path(), RUN, FENCE).expect("made");
        writer.write(b"kept");
        writer.file = File::options().read(true).open(path(dir.path(), RUN, FENCE)).expect("opened");
        writer.write(b"not kept");
        assert_eq!(writer.lost, 8);
        let output = read(dir.path(), RUN, FENCE).expect("readable");
        assert_eq!(output.head, b"kept");
    }

    #[test]
    fn a_reader_left_behind_is_told_how_much_it_missed() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut writer = Writer::create(dir.path(), RUN, FENCE).expect("made");
        writer.write(&bytes(0, HEAD));
        let mut follow = Follow::open(dir.path(), RUN, FENCE).expect("open");
        assert_eq!(follow.next().expect("readable"), Next::Data(bytes(0, HEAD)));
        assert_eq!(follow.next().expect("readable"), Next::Wait);
        let end = HEAD + RING + 1000;
        writer.write(&bytes(HEAD, end));
        assert_eq!(follow.next().expect("readable"), Next::Skipped(1000));
        let mut at = HEAD + 1000;
        while let Next::Data(data) = follow.next().expect("readable") {
            assert_eq!(data, bytes(at, at + data.len() as u64));
            at += data.len() as u64;
        }
        assert_eq!(at, end);
        writer.close();
        assert_eq!(follow.next().expect("readable"), Next::End);
        let mut last = Follow::open(dir.path(), RUN, FENCE).expect("open");
        last.skip_to_last(10).expect("readable");
        assert_eq!(last.next().expect("readable"), Next::Data(bytes(end - 10, end)));
    }

    #[test]
    fn a_writer_that_overtakes_its_readers_never_shows_them_torn_output() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut writer = Writer::create(dir.path(), RUN, FENCE).expect("made");
        let mut follow = Follow::open(dir.path(), RUN, FENCE).expect("open");
        let total = 10 * RING;
        let writing = std::thread::spawn(move || {
            let mut at = 0;
            while at < total {
                let next = (at + 50_000).min(total);
                writer.write(&bytes(at, next));
                at = next;
            }
            writer.close();
        });
        let (mut at, mut skips) = (0, 0);
        loop {
            match follow.next().expect("readable") {
                Next::Data(data) => {
                    assert_eq!(data, bytes(at, at + data.len() as u64), "at {at}");
                    at += data.len() as u64;
                }
                Next::Skipped(bytes) => {
                    at += bytes;
                    skips += 1;
                }
                Next::Wait => {}
                Next::End => break,
            }
            // A reader that is slower than the writer.
            if skips == 0 {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
        }
        assert_eq!(at, total);
        assert!(skips > 0, "the writer never overtook");
        writing.join().expect("joined");
        let output = read(dir.path(), RUN, FENCE).expect("readable");
        assert_eq!(output.head, bytes(0, HEAD));
        assert!(bytes(total - TAIL, total).ends_with(&output.tail) && output.tail.len() as u64 > TAIL - 4);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn the_beginning_and_the_end_are_kept(
            pieces in prop::collection::vec(prop_oneof![0..2_000u64, 10_000..20_000u64, 0..900_000u64], 0..8)
        ) {
            let dir = tempfile::tempdir().expect("a folder");
            let mut writer = Writer::create(dir.path(), RUN, FENCE).expect("made");
            let mut total = 0;
            for piece in pieces {
                writer.write(&bytes(total, total + piece));
                total += piece;
            }
            writer.close();
            let output = read(dir.path(), RUN, FENCE).expect("readable");
            let (head, tail) = (output.head.len() as u64, output.tail.len() as u64);
            prop_assert!(head + 3 >= total.min(HEAD) && head <= HEAD);
            prop_assert!(tail + 3 >= (total - head).min(TAIL) && tail <= TAIL + 3);
            prop_assert_eq!(output.head, bytes(0, head));
            prop_assert_eq!(output.tail, bytes(total - tail, total));
            prop_assert_eq!(output.dropped, total - head - tail);
            let size = fs::metadata(path(dir.path(), RUN, FENCE)).expect("there").len();
            prop_assert!(size <= START + HEAD + RING);
        }
    }
}
