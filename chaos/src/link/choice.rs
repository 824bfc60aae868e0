//! Which connections a toxic takes hold of, by the order in which they meet it. Ours, not in a real Toxiproxy.
use crate::draw::Draw;

/// The attributes that choose, on a toxic of every type; 0 or absent chooses everything, and only what is set is listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Choice {
    /// The first so many connections are spared.
    skip: u64,
    /// Then every so manieth is taken, the first of them included.
    every: u64,
    /// Of those, no more than so many.
    count: u64,
    /// Of those, so many of a thousand, drawn from the seed.
    per_mille: u64,
}

impl Choice {
    /// Sets what `value_of` has a value for.
    pub(crate) fn merge<E>(&mut self, value_of: impl Fn(&str) -> Result<Option<u64>, E>) -> Result<(), E> {
        let mut merged = *self;
        for (name, value) in merged.fields() {
            if let Some(new) = value_of(name)? {
                *value = new;
            }
        }
        *self = merged;
        Ok(())
    }

    /// The attributes that are set.
    pub(crate) fn set(mut self) -> impl Iterator<Item = (&'static str, u64)> {
        let all = self.fields().map(|(name, value)| (name, *value));
        all.into_iter().filter(|(_, value)| *value > 0)
    }

    /// Whether the connection that came at this place, counted from 0, is taken; `draw` is its own.
    pub(crate) fn takes(&self, place: u64, draw: Draw) -> bool {
        let every = self.every.max(1);
        let Some(left) = place.checked_sub(self.skip).filter(|left| left % every == 0) else { return false };
        let is_counted = self.count == 0 || left / every < self.count;
        is_counted && (self.per_mille == 0 || draw.named("per_mille").fraction() * 1000.0 < self.per_mille as f64)
    }

    fn fields(&mut self) -> [(&'static str, &mut u64); 4] {
        [
            ("skip", &mut self.skip),
            ("every", &mut self.every),
            ("count", &mut self.count),
            ("per_mille", &mut self.per_mille),
        ]
    }
}

/// The connections of a link at one instant, so that those which meet a toxic can be counted: open ones first, oldest first, then new ones.
#[derive(Debug, Default)]
pub(crate) struct Census {
    /// Ordinals of the open connections, rising.
    open: Vec<u64>,
    /// The ordinal of the next connection.
    next: u64,
}

impl Census {
    pub(crate) fn new(mut open: Vec<u64>, next: u64) -> Self {
        open.sort_unstable();
        Self { open, next }
    }

    /// The place of a connection among those that meet the toxic, from 0.
    pub(crate) fn place(&self, ordinal: u64) -> u64 {
        match ordinal.checked_sub(self.next) {
            Some(later) => self.open.len() as u64 + later,
            None => self.open.partition_point(|open| *open < ordinal) as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(settings: &[(&str, u64)]) -> Vec<u64> {
        let mut choice = Choice::default();
        let value_of = |name: &str| Ok::<_, ()>(settings.iter().find(|(key, _)| *key == name).map(|(_, value)| *value));
        choice.merge(value_of).unwrap();
        assert_eq!(choice.set().count(), settings.iter().filter(|(_, value)| *value > 0).count());
        (0..12).filter(|place| choice.takes(*place, Draw::seeded(1).numbered(*place))).collect()
    }

    #[test]
    fn connections_are_chosen_by_their_place() {
        assert_eq!(taken(&[]), (0..12).collect::<Vec<_>>());
        assert_eq!(taken(&[("skip", 0), ("every", 0), ("count", 0)]).len(), 12, "0 chooses everything");
        assert_eq!(taken(&[("skip", 9)]), [9, 10, 11]);
        assert_eq!(taken(&[("count", 2)]), [0, 1]);
        assert_eq!(taken(&[("every", 5)]), [0, 5, 10]);
        assert_eq!(taken(&[("skip", 2), ("every", 3), ("count", 3)]), [2, 5, 8]);
        assert_eq!(taken(&[("skip", u64::MAX)]), [0; 0]);
        assert_eq!(taken(&[("per_mille", 1000)]).len(), 12);
    }

    #[test]
    fn a_share_in_thousandths_is_drawn_per_connection() {
        let mut choice = Choice::default();
        choice.merge(|name| Ok::<_, ()>((name == "per_mille").then_some(300))).unwrap();
        let takes = |ordinal| choice.takes(ordinal, Draw::seeded(1).numbered(ordinal));
        let hits = (0..1000).filter(|ordinal| takes(*ordinal)).count();
        // Binomial: 300 expected, standard deviation 14.5; four of them.
        assert!((242..=358).contains(&hits), "{hits}");
        assert!((0..1000).all(|ordinal| takes(ordinal) == takes(ordinal)));
    }

    #[test]
    fn open_connections_come_first_and_new_ones_after_them() {
        let census = Census::new(vec![9, 4, 7], 10);
        assert_eq!([4, 7, 9, 10, 12].map(|ordinal| census.place(ordinal)), [0, 1, 2, 3, 5]);
        assert_eq!(Census::default().place(3), 3);
    }
}
