//! Networks: an address and how many of its bits matter.

use std::{net::IpAddr, str::FromStr};

/// Addresses that begin with the same bits, written `10.0.0.0/8` or as one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    prefix_bits: u32,
}

/// Not a network.
#[derive(Debug, PartialEq, Eq)]
pub struct NotANetwork;

impl Network {
    /// Whether the address is one of them. An IPv4 address that is written as an IPv6 one counts as IPv4.
    pub fn contains(self, address: IpAddr) -> bool {
        match (self.base, address.to_canonical()) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                let rest = 32 - self.prefix_bits;
                (u64::from(base.to_bits()) >> rest) == (u64::from(address.to_bits()) >> rest)
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => {
                let differing = base.to_bits() ^ address.to_bits();
                differing.leading_zeros() >= self.prefix_bits
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let (base, prefix_bits) = text.split_once('/').map_or((text, None), |(base, bits)| (base, Some(bits)));
        let base: IpAddr = base.parse().map_err(|_| NotANetwork)?;
        let most = if base.is_ipv4() { 32 } else { 128 };
        let prefix_bits = prefix_bits.map_or(Ok(most), str::parse).map_err(|_| NotANetwork)?;
        if prefix_bits <= most { Ok(Self { base, prefix_bits }) } else { Err(NotANetwork) }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("10.0.0.0/8", "10.255.1.2", true)]
    #[case("10.0.0.0/8", "11.0.0.0", false)]
    #[case("10.0.0.0/8", "::ffff:10.1.2.3", true)]
    #[case("192.0.2.7", "192.0.2.7", true)]
    #[case("192.0.2.7", "192.0.2.6", false)]
    #[case("0.0.0.0/0", "203.0.113.9", true)]
    #[case("0.0.0.0/0", "::1", false)]
    #[case("2001:db8::/32", "2001:db8:ffff::1", true)]
    #[case("2001:db8::/32", "2001:db9::1", false)]
    #[case("::/0", "2001:db9::1", true)]
    fn an_address_is_in_a_network_or_not(#[case] network: Network, #[case] address: IpAddr, #[case] is_in: bool) {
        assert_eq!(network.contains(address), is_in);
    }

    #[rstest]
    #[case("")]
    #[case("10.0.0.0/33")]
    #[case("::1/129")]
    #[case("10.0.0/8")]
    #[case("10.0.0.0/-1")]
    #[case("proxy.local")]
    fn what_is_no_network_is_refused(#[case] text: &str) {
        assert_eq!(text.parse::<Network>(), Err(NotANetwork));
    }
}
