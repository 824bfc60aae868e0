//! How often a trace has asked for the same thing, so that a retry is a request of its own.
use std::{collections::HashMap, mem};

/// Traces of one generation; two generations are kept, so a retry is known as one among the last 32 768 requests at least.
const GENERATION: usize = 32_768;

/// Occurrences by trace and what it asked for.
#[derive(Debug, Default)]
pub(super) struct Occurrences {
    present: HashMap<String, u64>,
    past: HashMap<String, u64>,
}

impl Occurrences {
    /// How often the key was asked for before.
    pub(super) fn next(&mut self, key: &str) -> u64 {
        if let Some(count) = self.present.get_mut(key) {
            *count += 1;
            return *count;
        }
        let count = self.past.get(key).map_or(0, |count| count + 1);
        if self.present.len() >= GENERATION {
            self.past = mem::take(&mut self.present);
        }
        self.present.insert(key.to_owned(), count);
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_is_counted_on_its_own_and_memory_is_bounded() {
        let mut keys = Occurrences::default();
        assert_eq!([keys.next("a"), keys.next("b"), keys.next("a"), keys.next("a")], [0, 0, 1, 2]);
        for number in 0..GENERATION {
            keys.next(&number.to_string());
        }
        assert_eq!(keys.next("a"), 3, "a generation ago is still known");
        for number in 0..3 * GENERATION {
            keys.next(&format!("x{number}"));
        }
        assert!(keys.present.len() + keys.past.len() <= 2 * GENERATION);
        assert_eq!(keys.next("a"), 0, "forgotten");
    }
}
