//! Who a client is, by its address: who connects, or whom a proxy of ours names.

use std::net::IpAddr;

use axum::extract::Request;
use http::{Extensions, HeaderMap, HeaderName};

use crate::config::Network;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address at the other end of the connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// The address of the client behind a request; none when it did not come over a connection.
pub(crate) fn address(request: &Request, trusted: &[Network]) -> Option<IpAddr> {
    let peer = peer(request.extensions())?;
    Some(behind(peer, request.headers(), trusted))
}

fn peer(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get::<Peer>().map(|peer| peer.0)
}

/// Each proxy appends who connected to it, so the list is read from its end, as far as those who wrote it are trusted.
fn behind(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut client = peer;
    let lists = headers.get_all(FORWARDED_FOR).into_iter().collect::<Vec<_>>();
    let named = lists.into_iter().rev().flat_map(|list| list.to_str().unwrap_or_default().rsplit(','));
    for text in named {
        if !is_trusted(client) {
            break;
        }
        let Ok(address) = text.trim().parse::<IpAddr>() else { break };
        client = address.to_canonical();
    }
    client
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    // 10.0.0.0/8 are our proxies.
    #[rstest]
    #[case("who connects, when it is no proxy", "192.0.2.1", &["203.0.113.5"], "192.0.2.1")]
    #[case("whom the proxy names", "10.0.0.1", &["203.0.113.5"], "203.0.113.5")]
    #[case("not whom the client says it is", "10.0.0.1", &["198.51.100.9, 203.0.113.5"], "203.0.113.5")]
    #[case("whom the first of two proxies names", "10.0.0.1", &["203.0.113.5, 10.0.0.2"], "203.0.113.5")]
    #[case("whom the first names, in two headers", "10.0.0.1", &["198.51.100.9, 203.0.113.5", "10.0.0.2"], "203.0.113.5")]
    #[case("the last one known, when the list makes no sense", "10.0.0.1", &["203.0.113.5, unknown"], "10.0.0.1")]
    #[case("the proxy, when it names nobody", "10.0.0.1", &[], "10.0.0.1")]
    #[case("an IPv6 client", "10.0.0.1", &["2001:db8::7"], "2001:db8::7")]
    fn a_client_is(#[case] what: &str, #[case] peer: IpAddr, #[case] lists: &[&str], #[case] client: IpAddr) {
        let mut headers = HeaderMap::new();
        for list in lists {
            headers.append(FORWARDED_FOR, list.parse().unwrap());
        }
        assert_eq!(behind(peer, &headers, &["10.0.0.0/8".parse().unwrap()]), client, "{what}");
    }
}
