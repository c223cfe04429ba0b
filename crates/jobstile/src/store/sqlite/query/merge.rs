//! One ordered page out of many ordered streams, reading no more of each than it needs.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use crate::error::Result;

/// The `limit` greatest of all streams, each of which gives its own from the greatest down. `read` is asked for so many
/// of a stream that lie below the place of the last one read of it.
pub(super) fn greatest<S, T, P: Ord + Copy>(
    streams: &[S],
    limit: usize,
    place: impl Fn(&T) -> P,
    mut read: impl FnMut(&S, Option<P>, usize) -> Result<Vec<T>>,
) -> Result<Vec<T>> {
    let piece = (limit / streams.len().max(1)).clamp(1, limit.max(1)) + 1;
    let mut heads = BinaryHeap::new();
    let mut buffers: Vec<VecDeque<T>> = Vec::with_capacity(streams.len());
    for (at, stream) in streams.iter().enumerate() {
        let rows = read(stream, None, piece)?;
        heads.extend(rows.first().map(|row| (place(row), Reverse(at))));
        buffers.push(rows.into());
    }
    let mut page = Vec::with_capacity(limit.min(1_000));
    while page.len() < limit
        && let Some((last, Reverse(at))) = heads.pop()
    {
        page.extend(buffers[at].pop_front());
        if buffers[at].is_empty() {
            buffers[at] = read(&streams[at], Some(last), piece)?.into();
        }
        heads.extend(buffers[at].front().map(|row| (place(row), Reverse(at))));
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_page_is_the_greatest_of_all(streams in prop::collection::vec(prop::collection::btree_set(0u32..500, 0..40), 0..8), limit in 0usize..60) {
            let mut all: Vec<u32> = streams.iter().flatten().copied().collect();
            all.sort_unstable_by(|a, b| b.cmp(a));
            all.truncate(limit);
            let page = greatest(&streams, limit, |n| *n, |stream, below, piece| {
                Ok(stream.iter().rev().filter(|n| below.is_none_or(|below| **n < below)).take(piece).copied().collect())
            });
            prop_assert_eq!(page.unwrap(), all);
        }
    }
}
