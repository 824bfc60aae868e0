//! `tls_alert`: a TLS handshake fails. The first message of one side is replaced by a fatal alert, and the connection closes.
//!
//! A link carries bytes and has no certificate, so it can break a handshake and not impersonate a server. Connections without TLS, and those
//! whose handshake is over, are left alone.
use std::{fmt, time::Duration};

use bytes::Bytes;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::Instant;

use super::setting::Error;
use crate::link::{Attributes, HELD_LITTLE, Kind, Queue, Reach, Step, Toxic};

/// Settings of a failed handshake in a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TlsAlert {
    /// What the alert says.
    pub alert: Alert,
}

/// Why a side gives a handshake up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Alert {
    /// No common parameters.
    HandshakeFailure,
    /// No common version of TLS.
    ProtocolVersion,
    /// The certificate of the side that gets the alert has expired.
    CertificateExpired,
    /// A failure that has nothing to do with the peer.
    InternalError,
    /// The server does not know the name that it was asked for.
    UnrecognizedName,
}

impl Alert {
    /// Source: RFC 8446, section 6, and RFC 6066, section 3.
    fn code(self) -> u8 {
        match self {
            Alert::HandshakeFailure => HANDSHAKE_FAILURE,
            Alert::CertificateExpired => 45,
            Alert::ProtocolVersion => 70,
            Alert::InternalError => 80,
            Alert::UnrecognizedName => 112,
        }
    }
}

/// What 0, an attribute that is not set, stands for.
const HANDSHAKE_FAILURE: u8 = 40;

impl TlsAlert {
    pub(super) fn attributes(&self) -> Result<Vec<(&'static str, u64)>, Error> {
        Ok(vec![("alert", u64::from(self.alert.code()))])
    }
}

impl fmt::Display for TlsAlert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tls_alert {}", self.alert.code())
    }
}

pub(super) const KIND: Kind = Kind {
    name: "tls_alert",
    attributes: &["alert"],
    reach: Reach::Stream,
    held_bytes_max: HELD_LITTLE,
    hands_on: true,
    start: |attributes, _| Box::new(Breaking { code: code(attributes), stage: Stage::Before }),
};

/// How far the stream is.
enum Stage {
    /// Nothing has been seen.
    Before,
    /// It is no handshake, or one that was there before the fault.
    Spared,
    Alerted,
}

struct Breaking {
    code: u8,
    stage: Stage,
}

impl Toxic for Breaking {
    fn configure(&mut self, attributes: &Attributes) {
        self.code = code(attributes);
    }

    fn step(&mut self, queue: &mut Queue, _now: Instant) -> Step {
        if matches!(self.stage, Stage::Alerted) {
            return Step::Close;
        }
        let Some(mut chunk) = queue.pop() else {
            return if queue.has_ended() { Step::End(Duration::ZERO) } else { Step::Idle };
        };
        if matches!(self.stage, Stage::Before) && begins_a_handshake(&chunk.bytes) {
            self.stage = Stage::Alerted;
            chunk.bytes = alert(self.code);
            return Step::Changed(chunk);
        }
        self.stage = Stage::Spared;
        Step::Pass(chunk)
    }
}

/// Whether these are the first bytes of a TLS record with a ClientHello or a ServerHello.
fn begins_a_handshake(bytes: &[u8]) -> bool {
    matches!(bytes, [22, 3, _, _, _, 1 | 2, ..])
}

/// A record of type alert (21), version TLS 1.2, two bytes long: fatal, and why. Source: RFC 8446, sections 5.1 and 6.
fn alert(code: u8) -> Bytes {
    Bytes::copy_from_slice(&[21, 3, 3, 0, 2, 2, code])
}

fn code(attributes: &Attributes) -> u8 {
    match u8::try_from(attributes.number("alert")) {
        Ok(code @ 1..) => code,
        _ => HANDSHAKE_FAILURE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::testing::Bench;

    const SERVER_HELLO: [u8; 8] = [22, 3, 3, 0, 122, 2, 0, 0];

    #[test]
    fn the_first_message_of_a_handshake_becomes_a_fatal_alert() {
        let mut bench = Bench::new(&KIND, &[("alert", 70)]);
        bench.arrive(0, &SERVER_HELLO);
        assert!(matches!(bench.step(0), Step::Changed(chunk) if chunk.bytes[..] == [21, 3, 3, 0, 2, 2, 70]));
        assert_eq!(bench.step(0), Step::Close);
    }

    #[test]
    fn other_protocols_and_handshakes_that_are_over_are_spared() {
        for first in [&b"HTTP/1.1 200 OK"[..], &[23, 3, 3, 0, 5, 2], &[22], b""] {
            let mut bench = Bench::new(&KIND, &[]);
            bench.arrive(0, first);
            bench.arrive(0, &SERVER_HELLO);
            assert!(matches!(bench.step(0), Step::Pass(chunk) if chunk.bytes == first));
            assert!(matches!(bench.step(0), Step::Pass(_)), "after {first:?} nothing is a first message");
        }
    }
}
