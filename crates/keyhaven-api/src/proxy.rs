//! The client's address, seen through the proxies that are trusted.

use std::net::IpAddr;

use axum::http::HeaderMap;
use ipnet::IpNet;

/// The header in which the trusted proxies write whom they heard from.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ProxyHeader {
    /// `Forwarded` (RFC 7239).
    Forwarded,
    /// `X-Forwarded-For`.
    #[default]
    XForwardedFor,
}

/// The address of whoever spoke to the outermost trusted proxy; the peer's own where that is no trusted proxy.
///
/// Each proxy appends the address it heard from, so the list is read from the right, past trusted ones, up to the first
/// element that is no address: left of it, anybody may have written. Only one header is read, never the other in its
/// place: proxies pass on what they do not know, so the other one is the client's to write.
pub(crate) fn client_ip(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet], header: ProxyHeader) -> IpAddr {
    let peer = peer.to_canonical();
    if !is_trusted(peer, trusted) {
        return peer;
    }
    let chain = match header {
        ProxyHeader::Forwarded => elements(headers, "forwarded", parse_forwarded),
        ProxyHeader::XForwardedFor => elements(headers, "x-forwarded-for", parse_node),
    };
    let mut seen = peer;
    for hop in chain.into_iter().rev() {
        let Some(ip) = hop else { break };
        seen = ip;
        if !is_trusted(ip, trusted) {
            break;
        }
    }
    seen
}

pub(crate) fn is_trusted(ip: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|network| network.contains(&ip))
}

/// All elements of a comma-separated header, in order. Each is decoded alone: what is left of a proxy's own element is
/// the client's to write, and with one octet that is no text it would hide all of them.
fn elements(headers: &HeaderMap, name: &str, parse: impl Fn(&str) -> Option<IpAddr>) -> Vec<Option<IpAddr>> {
    let values = headers.get_all(name).iter();
    let elements = values.flat_map(|value| {
        let elements = value.as_bytes().split(|&byte| byte == b',');
        elements.map(|element| parse(str::from_utf8(element).ok()?.trim()))
    });
    elements.collect()
}

/// An address with or without port, an IPv6 one with or without brackets and quotes.
fn parse_node(text: &str) -> Option<IpAddr> {
    let text = text.trim_matches('"');
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Some(ip.to_canonical());
    }
    if let Ok(socket) = text.parse::<std::net::SocketAddr>() {
        return Some(socket.ip().to_canonical());
    }
    text.strip_prefix('[')?
        .strip_suffix(']')?
        .parse::<IpAddr>()
        .ok()
        .map(|ip| ip.to_canonical())
}

/// The first `for` of an element decides; its other parameters do not matter.
fn parse_forwarded(element: &str) -> Option<IpAddr> {
    let mut pairs = element.split(';').filter_map(|pair| pair.trim().split_once('='));
    let (_, node) = pairs.find(|(name, _)| name.eq_ignore_ascii_case("for"))?;
    parse_node(node.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(peer: &str, headers: &[(&'static str, &'static str)]) -> String {
        seen_by(ProxyHeader::XForwardedFor, peer, headers)
    }

    fn seen_by(header: ProxyHeader, peer: &str, headers: &[(&'static str, &'static str)]) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let trusted = ["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
        client_ip(peer.parse().unwrap(), &map, &trusted, header).to_string()
    }

    #[test]
    fn strangers_are_not_believed() {
        assert_eq!(
            seen("192.0.2.1", &[("x-forwarded-for", "203.0.113.9")]),
            "192.0.2.1"
        );
    }

    #[test]
    fn the_list_is_read_from_the_right() {
        assert_eq!(
            seen(
                "10.0.0.1",
                &[("x-forwarded-for", "198.51.100.7, 203.0.113.9, 10.0.0.2")]
            ),
            "203.0.113.9"
        );
        assert_eq!(
            seen(
                "10.0.0.1",
                &[
                    ("x-forwarded-for", "198.51.100.7"),
                    ("x-forwarded-for", "203.0.113.9")
                ]
            ),
            "203.0.113.9"
        );
        assert_eq!(
            seen("10.0.0.1", &[("x-forwarded-for", "203.0.113.9, nonsense")]),
            "10.0.0.1"
        );
        assert_eq!(seen("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(
            seen("::ffff:10.0.0.1", &[("x-forwarded-for", "203.0.113.9:4711")]),
            "203.0.113.9"
        );
    }

    #[test]
    fn a_hop_that_is_no_address_hides_what_stands_left_of_it() {
        for hop in ["nonsense", "unknown", "_hidden", "", "\u{e9}"] {
            let value = format!("203.0.113.9, {hop}, 10.0.0.2");
            let mut map = HeaderMap::new();
            map.append(
                "x-forwarded-for",
                axum::http::HeaderValue::from_bytes(value.as_bytes()).unwrap(),
            );
            let trusted = ["10.0.0.0/8".parse().unwrap()];
            let ip = client_ip([10, 0, 0, 1].into(), &map, &trusted, ProxyHeader::XForwardedFor);
            // The last one that is trusted to have said the truth.
            assert_eq!(ip, IpAddr::from([10, 0, 0, 2]), "{hop:?}");
        }
    }

    /// Else who sends such a header would pass for the proxy itself, and be counted with everybody or nobody.
    #[test]
    fn a_client_cannot_hide_behind_octets_that_are_no_text() {
        let mut map = HeaderMap::new();
        for (name, value) in [
            ("x-forwarded-for", &b"\xe9, 203.0.113.9"[..]),
            ("forwarded", b"for=\xe9, for=203.0.113.9"),
        ] {
            map.append(name, axum::http::HeaderValue::from_bytes(value).unwrap());
        }
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        for header in [ProxyHeader::Forwarded, ProxyHeader::XForwardedFor] {
            let ip = client_ip([10, 0, 0, 1].into(), &map, &trusted, header);
            assert_eq!(ip, IpAddr::from([203, 0, 113, 9]), "{header:?}");
        }
    }

    #[test]
    fn forwarded_is_read_where_it_is_the_header() {
        let chain = ("forwarded", "for=\"[2001:db8::7]:80\";proto=https, FOR=10.0.0.3");
        assert_eq!(
            seen_by(ProxyHeader::Forwarded, "10.0.0.1", &[chain]),
            "2001:db8::7"
        );
        let twice = (
            "forwarded",
            "for=203.0.113.9, by=10.0.0.9;for=unknown;for=198.51.100.7",
        );
        assert_eq!(seen_by(ProxyHeader::Forwarded, "10.0.0.1", &[twice]), "10.0.0.1");
    }

    #[test]
    fn the_other_header_is_the_clients_own_and_never_read() {
        let own = ("forwarded", "for=198.51.100.7");
        let proxys = ("x-forwarded-for", "203.0.113.9");
        assert_eq!(seen("10.0.0.1", &[own, proxys]), "203.0.113.9");
        assert_eq!(seen("10.0.0.1", &[own]), "10.0.0.1");
        assert_eq!(
            seen("10.0.0.1", &[own, ("x-forwarded-for", "unknown")]),
            "10.0.0.1"
        );
        assert_eq!(
            seen_by(ProxyHeader::Forwarded, "10.0.0.1", &[own, proxys]),
            "198.51.100.7"
        );
        assert_eq!(seen_by(ProxyHeader::Forwarded, "10.0.0.1", &[proxys]), "10.0.0.1");
    }
}
