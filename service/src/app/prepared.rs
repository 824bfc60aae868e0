//! An answer of a provider as its JSON, written once: a remembered answer is then copied, not written again.
//!
//! The JSON is all that is kept. The value itself takes several times as much memory, and is read back where it is needed.

use std::marker::PhantomData;

use bytes::{BufMut as _, Bytes, BytesMut};
use serde::{Serialize, de::DeserializeOwned};

/// Room for what an answer says besides the prepared part, in bytes.
const REST_BYTES: usize = 512;

/// A value as a JSON object with at least one member.
#[derive(Debug)]
pub(crate) struct Prepared<T> {
    json: Bytes,
    value: PhantomData<fn() -> T>,
}

impl<T: Serialize + DeserializeOwned> Prepared<T> {
    /// Writes `value`, which must be a struct with named fields that is read as it is written.
    pub(crate) fn new(value: &T) -> Self {
        let json = serde_json::to_vec(value).expect("an answer has only string keys");
        Self { json: json.into_boxed_slice().into(), value: PhantomData }
    }

    /// The value.
    pub(crate) fn read(&self) -> T {
        serde_json::from_slice(&self.json).expect("it was written from such a value")
    }

    /// The JSON object with the members of the value and then those of `rest`, both structs with named fields.
    pub(crate) fn with(&self, rest: &impl Serialize) -> Bytes {
        let mut body = BytesMut::with_capacity(self.json.len() + REST_BYTES);
        body.extend_from_slice(&self.json);
        // The brace that closes the value and the one that opens the rest become a comma.
        let seam = body.len() - 1;
        serde_json::to_writer((&mut body).writer(), rest).expect("an answer has only string keys");
        body[seam] = b',';
        body[seam + 1] = b' ';
        body.freeze()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn both_parts_are_members_of_one_object() {
        let value = std::collections::BTreeMap::from([("offers".to_owned(), json!([{"id": "a}"}]))]);
        let prepared = Prepared::new(&value);
        assert_eq!(prepared.read(), value);
        let body = prepared.with(&json!({"cached": true, "meta": {"degraded": false}}));
        let expected = json!({"offers": [{"id": "a}"}], "cached": true, "meta": {"degraded": false}});
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), expected);
    }
}
