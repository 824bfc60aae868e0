//! The toxics of one direction of one connection, in order, each with its queue.
//!
//! ```text
//!  read ─▶ [queue│toxic] ─▶ [queue│toxic] ─▶ … ─▶ output ─▶ write
//! ```
//!
//! A queue that is full stops what is before it, and in the end the reading: the sender feels a slow receiver.
use std::sync::Arc;

use tokio::time::Instant;

use super::{
    chunk::{Chunk, Queue},
    counters::{Hits, ToxicCounters},
    spec::Spec,
    toxic::{HELD_LITTLE, Leave, Start, Step, Toxic},
};

/// What the chain waits for after it moved all that can move.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Advance {
    /// More input, room in the output, or this instant.
    Waits(Option<Instant>),
    /// The connection must be reset.
    Reset,
}

/// The chain of one direction of one connection.
pub(crate) struct Chain {
    connection: u64,
    hits: Arc<Hits>,
    stages: Vec<Stage>,
    output: Queue,
    /// A toxic ended the connection: nothing more is read, and both directions close once the output is written.
    closing: bool,
}

struct Stage {
    id: u64,
    revision: u64,
    toxic: Box<dyn Toxic>,
    queue: Queue,
    held_bytes_max: usize,
    hands_on: bool,
    counters: Arc<ToxicCounters>,
    has_hit: bool,
    is_finished: bool,
}

impl Chain {
    /// `hits` is shared by both directions of the connection.
    pub(crate) fn new(connection: u64, hits: Arc<Hits>) -> Self {
        Self { connection, hits, stages: Vec::new(), output: Queue::default(), closing: false }
    }

    pub(crate) fn has_toxics(&self) -> bool {
        !self.stages.is_empty()
    }

    /// True when a read may be made.
    pub(crate) fn has_room(&self) -> bool {
        !self.closing && self.stages.first().map_or_else(|| room(&self.output, HELD_LITTLE), Stage::has_room)
    }

    pub(crate) fn push(&mut self, chunk: Chunk) {
        self.entrance().push(chunk);
    }

    pub(crate) fn end(&mut self) {
        self.entrance().end();
    }

    /// What is to be written now.
    pub(crate) fn output(&mut self) -> &mut Queue {
        &mut self.output
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing
    }

    fn entrance(&mut self) -> &mut Queue {
        self.stages.first_mut().map_or(&mut self.output, |stage| &mut stage.queue)
    }

    /// Takes over the toxics as they are now. Nothing that is held is lost, and nothing overtakes.
    pub(crate) fn reconcile(&mut self, specs: &[Arc<Spec>], now: Instant) {
        let hitting: Vec<&Arc<Spec>> = specs.iter().filter(|spec| spec.hits(self.connection)).collect();
        let mut index = 0;
        while index < self.stages.len() {
            let id = self.stages[index].id;
            match hitting.iter().find(|spec| spec.id == id) {
                Some(spec) => {
                    self.stages[index].take_over(spec);
                    index += 1;
                }
                None => self.remove(index),
            }
        }
        for spec in hitting {
            let position = self.stages.partition_point(|stage| stage.id < spec.id);
            if self.stages.get(position).is_none_or(|stage| stage.id != spec.id) {
                self.insert(position, spec, now);
            }
        }
    }

    fn remove(&mut self, index: usize) {
        let stage = self.stages.remove(index);
        let next = self.stages.get_mut(index).map_or(&mut self.output, |stage| &mut stage.queue);
        match stage.toxic.leave() {
            Leave::Release => next.absorb(stage.queue),
            Leave::Close => {
                next.end();
                self.closing = true;
            }
        }
    }

    fn insert(&mut self, position: usize, spec: &Spec, now: Instant) {
        let start = Start { now, draw: spec.draw.numbered(self.connection).named("stream") };
        let mut queue = Queue::default();
        let next_has_ended = self.stages.get(position).map_or(self.output.has_ended(), |next| next.queue.has_ended());
        if next_has_ended {
            queue.end();
        }
        let stage = Stage {
            id: spec.id,
            revision: spec.revision,
            toxic: (spec.kind.start)(&spec.attributes, start),
            queue,
            held_bytes_max: spec.kind.held_bytes_max,
            hands_on: spec.kind.hands_on,
            counters: Arc::clone(&spec.counters),
            has_hit: false,
            is_finished: false,
        };
        self.stages.insert(position, stage);
    }

    /// Moves everything that can move at this instant.
    pub(crate) fn advance(&mut self, now: Instant) -> Advance {
        loop {
            let (mut has_moved, mut wake) = (false, None);
            for index in 0..self.stages.len() {
                match self.advance_stage(index, now) {
                    Stop::Reset => return Advance::Reset,
                    Stop::Waits { moved, until } => {
                        has_moved |= moved;
                        wake = [wake, until].into_iter().flatten().min();
                    }
                }
            }
            if !has_moved {
                return Advance::Waits(wake);
            }
        }
    }

    fn advance_stage(&mut self, index: usize, now: Instant) -> Stop {
        let (before, after) = self.stages.split_at_mut(index + 1);
        let (stage, hits) = (&mut before[index], &*self.hits);
        let (next, next_bytes_max) = match after.first_mut() {
            Some(next) => (&mut next.queue, next.held_bytes_max),
            None => (&mut self.output, HELD_LITTLE),
        };
        let mut moved = false;
        while !stage.is_finished && (!stage.hands_on || room(next, next_bytes_max)) {
            match stage.toxic.step(&mut stage.queue, now) {
                Step::Pass(chunk) => next.push(chunk),
                Step::Late(chunk, by) => {
                    stage.hit(hits);
                    stage.counters.count_late(chunk.bytes.len(), by);
                    next.push(chunk);
                }
                Step::Changed(chunk) => {
                    stage.hit(hits);
                    stage.counters.count_changed(chunk.bytes.len());
                    next.push(chunk);
                }
                Step::Dropped(bytes) => {
                    stage.hit(hits);
                    stage.counters.count_dropped(bytes);
                }
                Step::Wait(until) => return Stop::Waits { moved, until: Some(until) },
                Step::Idle => return Stop::Waits { moved, until: None },
                Step::End(by) => {
                    if !by.is_zero() {
                        stage.hit(hits);
                    }
                    stage.is_finished = true;
                    next.end();
                }
                Step::Close => {
                    stage.hit(hits);
                    stage.is_finished = true;
                    next.end();
                    self.closing = true;
                }
                Step::Reset => {
                    stage.hit(hits);
                    return Stop::Reset;
                }
            }
            moved = true;
        }
        Stop::Waits { moved, until: None }
    }
}

enum Stop {
    Waits { moved: bool, until: Option<Instant> },
    Reset,
}

impl Stage {
    fn has_room(&self) -> bool {
        room(&self.queue, self.held_bytes_max)
    }

    fn take_over(&mut self, spec: &Spec) {
        if self.revision != spec.revision {
            self.revision = spec.revision;
            self.toxic.configure(&spec.attributes);
        }
    }

    fn hit(&mut self, hits: &Hits) {
        if !self.has_hit {
            self.has_hit = true;
            if hits.is_first(self.id) {
                self.counters.count_connection();
            }
        }
    }
}

fn room(queue: &Queue, bytes_max: usize) -> bool {
    queue.weight() < bytes_max
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;
    use crate::{draw::Draw, fault::kind, link::toxic::Attributes};

    fn spec(id: u64, name: &str, settings: &[(&str, u64)], toxicity: f64) -> Arc<Spec> {
        let kind = kind(name).unwrap();
        let mut attributes = Attributes::of(kind);
        let value_of = |name: &str| Ok::<_, ()>(settings.iter().find(|(key, _)| *key == name).map(|(_, value)| *value));
        attributes.merge(value_of).unwrap();
        let draw = Draw::seeded(9).named(name);
        let (choice, census, counters) = Default::default();
        Arc::new(Spec { id, revision: 0, kind, attributes, toxicity, choice, census, draw, counters })
    }

    fn ms(value: u64) -> Duration {
        Duration::from_millis(value)
    }

    fn push(chain: &mut Chain, text: &'static str, read_at: Instant) {
        chain.push(Chunk { bytes: Bytes::from_static(text.as_bytes()), read_at });
    }

    fn written(chain: &mut Chain) -> String {
        std::iter::from_fn(|| chain.output().pop()).map(|c| String::from_utf8(c.bytes.to_vec()).unwrap()).collect()
    }

    #[test]
    fn without_toxics_everything_passes_and_two_latencies_add_up() {
        let zero = Instant::now();
        let mut chain = Chain::new(0, Arc::default());
        push(&mut chain, "a", zero);
        assert_eq!(chain.advance(zero), Advance::Waits(None));
        assert_eq!(written(&mut chain), "a");

        chain.reconcile(
            &[spec(1, "latency", &[("latency", 30)], 1.0), spec(2, "latency", &[("latency", 20)], 1.0)],
            zero,
        );
        push(&mut chain, "b", zero);
        assert_eq!(chain.advance(zero), Advance::Waits(Some(zero + ms(30))));
        assert_eq!(chain.advance(zero + ms(35)), Advance::Waits(Some(zero + ms(50))));
        assert_eq!(chain.advance(zero + ms(50)), Advance::Waits(None));
        assert_eq!(written(&mut chain), "b");
    }

    #[test]
    fn toxics_come_and_go_without_loss_or_overtaking() {
        let zero = Instant::now();
        let (slow, noop) = (spec(1, "latency", &[("latency", 1000)], 1.0), spec(2, "noop", &[], 1.0));
        let mut chain = Chain::new(0, Arc::default());
        chain.reconcile(&[Arc::clone(&slow)], zero);
        push(&mut chain, "a", zero);
        chain.advance(zero);
        chain.reconcile(&[slow, Arc::clone(&noop)], zero);
        push(&mut chain, "b", zero);
        chain.advance(zero);
        assert_eq!(written(&mut chain), "");
        chain.reconcile(&[noop], zero);
        push(&mut chain, "c", zero);
        chain.end();
        chain.advance(zero);
        assert_eq!(written(&mut chain), "abc");
        assert!(chain.output().is_drained() && !chain.is_closing());
    }

    #[test]
    fn removing_a_black_hole_closes_only_what_lost_data() {
        let zero = Instant::now();
        for (sent, closes) in [("", false), ("lost", true)] {
            let mut chain = Chain::new(0, Arc::default());
            chain.reconcile(&[spec(1, "timeout", &[], 1.0)], zero);
            if !sent.is_empty() {
                push(&mut chain, sent, zero);
            }
            chain.advance(zero);
            chain.reconcile(&[], zero);
            assert_eq!((chain.is_closing(), chain.has_room()), (closes, !closes), "{sent:?}");
        }
    }

    #[test]
    fn a_full_queue_stops_the_reading() {
        let zero = Instant::now();
        let mut chain = Chain::new(0, Arc::default());
        chain.reconcile(&[spec(1, "noop", &[], 1.0), spec(2, "bandwidth", &[("rate", 0)], 1.0)], zero);
        let block = Bytes::from(vec![0; 16 * 1024]);
        let mut pushed = 0;
        while chain.has_room() {
            chain.push(Chunk { bytes: block.clone(), read_at: zero });
            chain.advance(zero);
            pushed += block.len();
            assert!(pushed < 1 << 20, "two queues of 64 KiB");
        }
        assert!(pushed >= 2 * HELD_LITTLE, "{pushed}");
    }

    #[test]
    fn a_reset_does_not_wait_for_a_stalled_reader() {
        let zero = Instant::now();
        let mut chain = Chain::new(0, Arc::default());
        push(&mut chain, "x", zero);
        chain.output().push(Chunk { bytes: Bytes::from(vec![0; HELD_LITTLE]), read_at: zero });
        chain.reconcile(&[spec(1, "reset_peer", &[("timeout", 5)], 1.0)], zero);
        assert_eq!(chain.advance(zero), Advance::Waits(Some(zero + ms(5))));
        assert_eq!(chain.advance(zero + ms(5)), Advance::Reset);
    }

    #[test]
    fn the_share_is_drawn_once_per_connection_whatever_else_changes() {
        let zero = Instant::now();
        let some = spec(5, "latency", &[("latency", 1)], 0.3);
        let hit = |chain: &Chain| chain.stages.iter().any(|stage| stage.id == 5);
        let mut hits = 0;
        for connection in 0..400 {
            let mut chain = Chain::new(connection, Arc::default());
            chain.reconcile(&[Arc::clone(&some)], zero);
            let first = hit(&chain);
            chain.reconcile(&[Arc::clone(&some), spec(6, "noop", &[], 1.0)], zero);
            assert_eq!(hit(&chain), first);
            chain.reconcile(&[spec(5, "latency", &[("latency", 1)], 1.0)], zero);
            assert!(hit(&chain), "a share of 1 hits every connection");
            hits += u32::from(first);
        }
        // Binomial: 120 expected, standard deviation 9.2; four of them.
        assert!((83..=157).contains(&hits), "{hits}");
    }

    #[test]
    fn the_delays_of_a_connection_follow_the_seed() {
        let zero = Instant::now();
        let dues = |connection| {
            let mut chain = Chain::new(connection, Arc::default());
            chain.reconcile(&[spec(1, "latency", &[("latency", 50), ("jitter", 40)], 1.0)], zero);
            let mut dues = Vec::new();
            for _ in 0..20 {
                push(&mut chain, "x", zero);
                let Advance::Waits(Some(due)) = chain.advance(zero) else { panic!("at least 10 ms") };
                dues.push(due - zero);
                chain.advance(zero + ms(90));
            }
            dues
        };
        assert_eq!(dues(3), dues(3));
        assert_ne!(dues(3), dues(4));
    }

    #[test]
    fn what_was_touched_is_counted() {
        let zero = Instant::now();
        let slow = spec(1, "latency", &[("latency", 10)], 1.0);
        let mut chain = Chain::new(0, Arc::default());
        chain.reconcile(&[Arc::clone(&slow)], zero);
        push(&mut chain, "abc", zero);
        push(&mut chain, "de", zero);
        chain.advance(zero + ms(12));
        let effects = slow.counters.effects("slow", "latency", false);
        assert_eq!((effects.connections, effects.chunks, effects.bytes, effects.delayed_us), (1, 2, 5, 24_000));
    }
}
