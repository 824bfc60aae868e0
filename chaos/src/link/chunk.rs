//! What flows through a link: chunks of bytes with the instant they were read, in bounded queues.
use std::collections::VecDeque;

use bytes::Bytes;
use tokio::time::Instant;

/// Memory that a chunk costs beside its bytes, so that a million one-byte chunks also reach a limit.
const CHUNK_OVERHEAD_BYTES: usize = 64;

/// Bytes as they came out of one read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chunk {
    pub(crate) bytes: Bytes,
    /// When the bytes came to the place where they are now: read from the socket, or ideally handed on by a toxic.
    pub(crate) read_at: Instant,
}

/// Chunks in order, and whether the stream has ended after them.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    chunks: VecDeque<Chunk>,
    weight: usize,
    ended: bool,
}

impl Queue {
    pub(crate) fn push(&mut self, chunk: Chunk) {
        self.weight += weight(&chunk);
        self.chunks.push_back(chunk);
    }

    pub(crate) fn front(&self) -> Option<&Chunk> {
        self.chunks.front()
    }

    pub(crate) fn pop(&mut self) -> Option<Chunk> {
        let chunk = self.chunks.pop_front()?;
        self.weight -= weight(&chunk);
        Some(chunk)
    }

    /// Takes at most `count` bytes off the front chunk; the rest keeps its instant.
    pub(crate) fn take(&mut self, count: usize) -> Option<Chunk> {
        let front = self.chunks.front_mut()?;
        if front.bytes.len() <= count {
            return self.pop();
        }
        self.weight -= count;
        Some(Chunk { bytes: front.bytes.split_to(count), read_at: front.read_at })
    }

    /// Says that nothing follows what is in here.
    pub(crate) fn end(&mut self) {
        self.ended = true;
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// True when nothing is in here and nothing will come.
    pub(crate) fn is_drained(&self) -> bool {
        self.ended && self.chunks.is_empty()
    }

    /// What is held, in bytes of memory.
    pub(crate) fn weight(&self) -> usize {
        self.weight
    }

    /// Appends everything of `other`, its end included.
    pub(crate) fn absorb(&mut self, mut other: Queue) {
        self.chunks.append(&mut other.chunks);
        self.weight += other.weight;
        self.ended |= other.ended;
    }
}

fn weight(chunk: &Chunk) -> usize {
    chunk.bytes.len() + CHUNK_OVERHEAD_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(text: &'static str) -> Chunk {
        Chunk { bytes: Bytes::from_static(text.as_bytes()), read_at: Instant::now() }
    }

    #[test]
    fn what_goes_in_comes_out_in_order_and_the_weight_follows() {
        let mut queue = Queue::default();
        queue.push(chunk("abcdef"));
        queue.push(chunk("gh"));
        assert_eq!(queue.weight(), 8 + 2 * CHUNK_OVERHEAD_BYTES);
        let mut texts = Vec::new();
        while let Some(chunk) = queue.take(4) {
            texts.push(chunk.bytes);
        }
        assert_eq!(texts, ["abcd", "ef", "gh"]);
        assert_eq!(queue.weight(), 0);
        assert!(queue.take(4).is_none() && !queue.is_drained());
    }

    #[test]
    fn absorbing_keeps_order_and_end() {
        let (mut first, mut second) = (Queue::default(), Queue::default());
        first.push(chunk("a"));
        second.push(chunk("b"));
        second.end();
        first.absorb(second);
        assert_eq!(first.pop().unwrap().bytes, "a");
        assert!(!first.is_drained());
        assert_eq!(first.pop().unwrap().bytes, "b");
        assert!(first.is_drained() && first.weight() == 0);
    }
}
