//! A map that keeps the entries written last: the bound on what a provider remembers.

use std::collections::{BTreeMap, HashMap};

/// At most `capacity` values by text; writing one more drops the one whose last write is oldest.
#[derive(Debug)]
pub(crate) struct Recent<V> {
    capacity: usize,
    writes: u64,
    entries: HashMap<String, Entry<V>>,
    /// Keys by the number of their last write.
    order: BTreeMap<u64, String>,
}

#[derive(Debug)]
struct Entry<V> {
    written: u64,
    value: V,
}

impl<V> Recent<V> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity, writes: 0, entries: HashMap::new(), order: BTreeMap::new() }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&V> {
        self.entries.get(key).map(|entry| &entry.value)
    }

    /// The value under `key`, to change without counting as a write.
    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut V> {
        self.entries.get_mut(key).map(|entry| &mut entry.value)
    }

    pub(crate) fn remove(&mut self, key: &str) -> Option<V> {
        let entry = self.entries.remove(key)?;
        self.order.remove(&entry.written);
        Some(entry.value)
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The value to write to under `key`, made by `new` if there is none.
    pub(crate) fn write(&mut self, key: &str, new: impl FnOnce() -> V) -> &mut V {
        self.writes += 1;
        match self.entries.get(key) {
            Some(entry) => {
                self.order.remove(&entry.written);
            }
            None if self.entries.len() == self.capacity => self.drop_oldest(),
            None => {}
        }
        self.order.insert(self.writes, key.to_owned());
        let entry = self.entries.entry(key.to_owned()).or_insert_with(|| Entry { written: 0, value: new() });
        entry.written = self.writes;
        &mut entry.value
    }

    fn drop_oldest(&mut self) {
        if let Some((_, key)) = self.order.pop_first() {
            self.entries.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_entry_written_longest_ago_is_dropped() {
        let mut recent = Recent::new(2);
        for key in ["a", "b", "a", "c"] {
            *recent.write(key, || 0) += 1;
        }
        assert_eq!((recent.get("a"), recent.get("b"), recent.get("c")), (Some(&2), None, Some(&1)));
    }

    #[test]
    fn it_never_grows_beyond_its_capacity() {
        let mut recent = Recent::new(10);
        for key in 0..1000 {
            recent.write(&key.to_string(), || ());
        }
        assert_eq!((recent.len(), recent.order.len()), (10, 10));
    }

    #[test]
    fn what_is_removed_makes_room() {
        let mut recent = Recent::new(2);
        recent.write("a", || 1);
        assert_eq!((recent.remove("a"), recent.remove("a")), (Some(1), None));
        for key in ["b", "c"] {
            recent.write(key, || 2);
        }
        *recent.get_mut("b").unwrap() = 3;
        assert_eq!((recent.get("b"), recent.get("c"), recent.order.len()), (Some(&3), Some(&2), 2));
    }
}
