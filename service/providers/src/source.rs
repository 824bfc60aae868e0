//! Where every random choice comes from: independent streams, each a pure function of a seed and a name.
//!
//! A stream is addressed either by a number (the `k`-th call) or by text (the arguments of a call), so neither
//! concurrency nor the order of requests changes what is drawn.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

/// A family of random streams for one purpose, such as the offers of the flights server.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    key: [u8; 32],
}

impl Source {
    /// The family called `name` under `seed`; different names are independent.
    pub(crate) fn new(seed: u64, name: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(seed.to_le_bytes());
        hash.update(name.as_bytes());
        Self { key: hash.finalize().into() }
    }

    /// The stream of call number `k`, reached without drawing the ones before.
    pub(crate) fn nth(&self, k: u64) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::from_seed(self.key);
        rng.set_stream(k);
        rng
    }

    /// The stream that belongs to these texts, in this order.
    pub(crate) fn of(&self, texts: &[&str]) -> ChaCha8Rng {
        ChaCha8Rng::from_seed(self.digest(texts))
    }

    /// An identifier for these texts: 16 hexadecimal digits.
    pub(crate) fn id(&self, texts: &[&str]) -> String {
        self.digest(texts)[..8].iter().fold(String::with_capacity(16), |id, byte| id + &format!("{byte:02x}"))
    }

    fn digest(&self, texts: &[&str]) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.key);
        for text in texts {
            // The length keeps ("ab", "c") apart from ("a", "bc").
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        }
        hash.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use rand::RngExt;

    use super::*;

    #[test]
    fn a_stream_depends_on_seed_name_and_address_only() {
        let first = |source: &Source| source.nth(3).random::<u64>();
        let source = Source::new(7, "flights");
        assert_eq!(first(&source), first(&Source::new(7, "flights")));
        assert_ne!(first(&source), first(&Source::new(8, "flights")));
        assert_ne!(first(&source), first(&Source::new(7, "weather")));
        assert_ne!(source.nth(3).random::<u64>(), source.nth(4).random::<u64>());
    }

    #[test]
    fn texts_are_kept_apart() {
        let source = Source::new(7, "flights");
        assert_ne!(source.id(&["ab", "c"]), source.id(&["a", "bc"]));
        assert_eq!(source.id(&["ab"]).len(), 16);
        assert_ne!(source.of(&["a"]).random::<u64>(), source.of(&["b"]).random::<u64>());
    }
}
