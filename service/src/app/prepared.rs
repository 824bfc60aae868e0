//! An answer of a provider together with its JSON, written once: a remembered answer is then copied, not written again.

use std::ops::Deref;

use bytes::{BufMut as _, Bytes, BytesMut};
use serde::Serialize;

/// Room for what an answer says besides the prepared part, in bytes.
const REST_BYTES: usize = 512;

/// A value that is written as a JSON object with at least one member, and that object.
#[derive(Debug)]
pub(crate) struct Prepared<T> {
    value: T,
    json: Bytes,
}

impl<T> Deref for Prepared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: Serialize> Prepared<T> {
    /// Writes `value`, which must be a struct with named fields.
    pub(crate) fn new(value: T) -> Self {
        let json = serde_json::to_vec(&value).expect("an answer has only string keys").into();
        Self { value, json }
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
        let prepared = Prepared::new(std::collections::BTreeMap::from([("offers", json!([{"id": "a}"}]))]));
        let body = prepared.with(&json!({"cached": true, "meta": {"degraded": false}}));
        let expected = json!({"offers": [{"id": "a}"}], "cached": true, "meta": {"degraded": false}});
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), expected);
    }
}
