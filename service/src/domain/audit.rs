//! The audit log: what happened, in an order that cannot be changed unseen.
//!
//! Events are sealed one after the other: the hash of each link covers the event and the hash before it, so that an event
//! that is changed, missing or at another place breaks the chain where it stands.
//! Source: Crosby and Wallach, "Efficient Data Structures for Tamper-Evident Logging" (2009), hash chains.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::digest::sha256;

/// What stands before the first link.
pub(crate) const FIRST_HASH: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// An event as administrators see it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditEvent {
    pub(crate) id: Uuid,
    /// Who did it; the nil UUID when nobody is known to have.
    pub(crate) user_id: Uuid,
    /// What was done, for example `trip.created`.
    pub(crate) action: String,
    /// What it was done to.
    pub(crate) subject_id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub(crate) details: Option<Value>,
    pub(crate) created_at: Timestamp,
}

/// An event exactly as stored: what is sealed must not depend on how it is read.
#[derive(Debug, Clone)]
pub(crate) struct StoredEvent {
    pub(crate) id: String,
    pub(crate) user_id: String,
    pub(crate) action: String,
    pub(crate) subject_id: String,
    pub(crate) details: Option<String>,
    /// Microseconds since 1970.
    pub(crate) created_at: i64,
}

/// A link of the chain, and the event it seals if that is still there.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub(crate) seq: i64,
    pub(crate) event_id: String,
    pub(crate) previous_hash: String,
    pub(crate) hash: String,
    pub(crate) event: Option<StoredEvent>,
}

/// Where a chain ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    /// Number of the last link; 0 before the first.
    pub(crate) seq: i64,
    pub(crate) hash: String,
}

/// The first link that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Break {
    /// Number of the link.
    pub(crate) seq: i64,
    pub(crate) event_id: String,
    pub(crate) kind: BreakKind,
}

/// What is wrong with a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BreakKind {
    /// The event is not the one that was sealed.
    Changed,
    /// The event, or the link before this one, is gone.
    Missing,
    /// The link does not follow on the one before it.
    Reordered,
}

impl StoredEvent {
    /// The hash of a link that seals this event after another.
    pub(crate) fn sealed_after(&self, previous_hash: &str) -> String {
        let fields = json!([self.id, self.user_id, self.action, self.subject_id, self.details, self.created_at]);
        // The hash before it has a fixed length, and a JSON array has one reading only, whatever is in its texts.
        sha256(format!("{previous_hash}{fields}"))
    }
}

impl Default for Head {
    fn default() -> Self {
        Self { seq: 0, hash: FIRST_HASH.into() }
    }
}

impl Head {
    /// The link that seals `event` next, and the head after it.
    pub(crate) fn seal(&self, event: StoredEvent) -> (Link, Self) {
        let (seq, hash) = (self.seq + 1, event.sealed_after(&self.hash));
        let head = Self { seq, hash: hash.clone() };
        (Link { seq, event_id: event.id.clone(), previous_hash: self.hash.clone(), hash, event: Some(event) }, head)
    }

    /// The head after a link that holds.
    ///
    /// # Errors
    /// It does not.
    pub(crate) fn check(&self, link: &Link) -> Result<Self, Break> {
        let broken = |kind| Break { seq: link.seq, event_id: link.event_id.clone(), kind };
        if link.seq != self.seq + 1 {
            return Err(broken(BreakKind::Missing));
        }
        if link.previous_hash != self.hash {
            return Err(broken(BreakKind::Reordered));
        }
        let event = link.event.as_ref().ok_or_else(|| broken(BreakKind::Missing))?;
        if event.id != link.event_id || event.sealed_after(&self.hash) != link.hash {
            return Err(broken(BreakKind::Changed));
        }
        Ok(Self { seq: link.seq, hash: link.hash.clone() })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn event(id: &str) -> StoredEvent {
        let text = |text: &str| text.to_owned();
        let (user_id, action, subject_id) = (text("u"), text("trip.created"), text("t"));
        StoredEvent { id: text(id), user_id, action, subject_id, details: None, created_at: 7 }
    }

    fn chain() -> Vec<Link> {
        let mut head = Head::default();
        let seal = |id| {
            let (link, next) = head.seal(event(id));
            head = next;
            link
        };
        ["a", "b", "c", "d"].map(seal).into()
    }

    fn first_break(links: &[Link]) -> Option<(i64, BreakKind)> {
        let checked = links.iter().try_fold(Head::default(), |head, link| head.check(link));
        checked.err().map(|found| (found.seq, found.kind))
    }

    type Tampering = fn(&mut Vec<Link>);

    fn of(link: &mut Link) -> &mut StoredEvent {
        link.event.as_mut().unwrap()
    }

    const NOTHING: Tampering = |_| ();
    const ANOTHER_ACTION: Tampering = |links| of(&mut links[1]).action = "x".into();
    const DETAILS_ADDED: Tampering = |links| of(&mut links[2]).details = Some("1".into());
    const ANOTHER_INSTANT: Tampering = |links| of(&mut links[0]).created_at += 1;
    const HASH_MADE_TO_MATCH: Tampering = |links| {
        of(&mut links[1]).action = "x".into();
        links[1].hash = links[1].event.as_ref().unwrap().sealed_after(&links[1].previous_hash);
    };
    const EVENT_GONE: Tampering = |links| links[2].event = None;
    const LINK_GONE: Tampering = |links| drop(links.remove(1));
    const FIRST_LINK_GONE: Tampering = |links| drop(links.remove(0));
    const LINKS_SWAPPED: Tampering = |links| {
        links.swap(1, 2);
        (links[1].seq, links[2].seq) = (2, 3);
    };
    const EVENTS_SWAPPED: Tampering = |links| {
        let event = links[1].event.clone();
        links[1].event = std::mem::replace(&mut links[2].event, event);
    };

    #[rstest]
    #[case(NOTHING, None)]
    #[case(ANOTHER_ACTION, Some((2, BreakKind::Changed)))]
    #[case(DETAILS_ADDED, Some((3, BreakKind::Changed)))]
    #[case(ANOTHER_INSTANT, Some((1, BreakKind::Changed)))]
    #[case(HASH_MADE_TO_MATCH, Some((3, BreakKind::Reordered)))]
    #[case(EVENT_GONE, Some((3, BreakKind::Missing)))]
    #[case(LINK_GONE, Some((3, BreakKind::Missing)))]
    #[case(FIRST_LINK_GONE, Some((2, BreakKind::Missing)))]
    #[case(LINKS_SWAPPED, Some((2, BreakKind::Reordered)))]
    #[case(EVENTS_SWAPPED, Some((2, BreakKind::Changed)))]
    fn every_change_breaks_the_chain_where_it_is(
        #[case] tamper: Tampering,
        #[case] expected: Option<(i64, BreakKind)>,
    ) {
        let mut links = chain();
        tamper(&mut links);
        assert_eq!(first_break(&links), expected);
    }

    #[test]
    fn fields_cannot_flow_into_each_other() {
        let (mut one, mut other) = (event("a"), event("a"));
        (one.action, one.subject_id) = ("x\",\"y".into(), "z".into());
        (other.action, other.subject_id) = ("x".into(), "y\",\"z".into());
        assert_ne!(one.sealed_after(FIRST_HASH), other.sealed_after(FIRST_HASH));
    }
}
