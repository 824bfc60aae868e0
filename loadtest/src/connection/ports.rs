//! Local ports: a load that opens a connection per request must not run out of them.
//!
//! Whoever closes a connection first keeps its port for a minute (TIME-WAIT), so a machine can open to one address only as many
//! connections a minute as it has local ports. Beyond that, connecting fails on this side, which says nothing about the target.
use std::{net::SocketAddr, time::Duration};

/// How long Linux keeps the port of a closed connection. Source: `TCP_TIMEWAIT_LEN` in include/net/tcp.h.
const TIME_WAIT: Duration = Duration::from_secs(60);
/// After how long it may be used again where the system is told so. Source: `tcp_tw_reuse` in Documentation/networking/ip-sysctl.rst.
const REUSE_AFTER: Duration = Duration::from_secs(1);

/// Why the machine has too few local ports.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`keep_alive = false` opens up to {needed} connections within {}, this machine has local ports for {limit} (see `sysctl \
     net.ipv4.ip_local_port_range net.ipv4.tcp_tw_reuse`)",
    reports::units::format_duration(*.within)
)]
pub struct Error {
    /// Connections that the plan opens.
    pub needed: u64,
    /// Those that the ports allow.
    pub limit: u64,
    /// Within which time.
    pub within: Duration,
}

/// What the system says about its local ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// How many may be used for connections.
    pub count: u64,
    /// `tcp_tw_reuse`: 0 never, 1 always, 2 towards this machine itself.
    pub reuse: u8,
}

impl Ports {
    /// Asks the system; `None` where it does not tell.
    #[must_use]
    pub fn of_this_machine() -> Option<Self> {
        let read = |name: &str| std::fs::read_to_string(format!("/proc/sys/net/ipv4/{name}")).ok();
        Self::parse(&read("ip_local_port_range")?, &read("tcp_tw_reuse").unwrap_or_default())
    }

    fn parse(range: &str, reuse: &str) -> Option<Self> {
        let mut bounds = range.split_whitespace().map(|bound| bound.parse::<u64>().ok());
        let (first, last) = (bounds.next()??, bounds.next()??);
        Some(Self { count: (last + 1).checked_sub(first)?, reuse: reuse.trim().parse().unwrap_or(0) })
    }

    /// Within which time a port to one of these addresses is used once.
    #[must_use]
    pub fn held_for(&self, addresses: &[SocketAddr]) -> Duration {
        let is_own = addresses.iter().all(|address| address.ip().is_loopback());
        if self.reuse == 1 || (self.reuse == 2 && is_own) { REUSE_AFTER } else { TIME_WAIT }
    }

    /// Makes sure that so many connections can be opened to each of the addresses in turn, within the time that a port is held.
    ///
    /// # Errors
    /// When they are more than there are ports.
    pub fn ensure(&self, needed: u64, addresses: usize, within: Duration) -> Result<(), Error> {
        let limit = self.count.saturating_mul(addresses.max(1) as u64);
        if needed > limit { Err(Error { needed, limit, within }) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_those_of_the_range_and_free_again_as_the_system_says() {
        let ports = |reuse| Ports::parse("32768\t60999\n", reuse).unwrap();
        assert_eq!(ports("2\n"), Ports { count: 28_232, reuse: 2 });
        let (own, other) = (["127.0.0.1:80".parse().unwrap()], ["192.0.2.1:80".parse().unwrap()]);
        for (reuse, own_s, other_s) in [("0", 60, 60), ("1", 1, 1), ("2", 1, 60), ("", 60, 60)] {
            let held = [ports(reuse).held_for(&own), ports(reuse).held_for(&other)];
            assert_eq!(held, [own_s, other_s].map(Duration::from_secs), "{reuse}");
        }
        for range in ["", "1", "a b", "9 1"] {
            assert_eq!(Ports::parse(range, "0"), None, "{range}");
        }
    }

    #[test]
    fn more_connections_than_ports_are_refused_with_the_numbers() {
        let ports = Ports { count: 28_232, reuse: 0 };
        assert_eq!(ports.ensure(28_232, 1, TIME_WAIT), Ok(()));
        assert_eq!(ports.ensure(56_464, 2, TIME_WAIT), Ok(()), "each address has all ports");
        let text = ports.ensure(28_233, 1, TIME_WAIT).unwrap_err().to_string();
        assert!(
            text.starts_with(
                "`keep_alive = false` opens up to 28233 connections within 1m, this machine has local ports for 28232"
            ),
            "{text}"
        );
    }
}
