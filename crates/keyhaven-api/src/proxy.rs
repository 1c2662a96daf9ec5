//! The client's address, seen through the proxies that are trusted.

use std::net::IpAddr;

use axum::http::HeaderMap;
use ipnet::IpNet;

/// The address of whoever spoke to the outermost trusted proxy; the peer's own where that is no trusted proxy.
///
/// Each proxy appends the address it heard from, so the list is read from the right, past trusted ones. Where
/// `Forwarded` (RFC 7239) and `X-Forwarded-For` are both there and disagree, one of them came from the client itself:
/// then neither is believed.
pub(crate) fn client_ip(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let peer = peer.to_canonical();
    if !is_trusted(peer, trusted) {
        return peer;
    }
    let by_list = outermost(list(headers, "x-forwarded-for", parse_node), trusted);
    let by_rfc = outermost(list(headers, "forwarded", parse_forwarded), trusted);
    match (by_list, by_rfc) {
        (None, None) => peer,
        (Some(ip), None) | (None, Some(ip)) => ip,
        (Some(a), Some(b)) => {
            if a == b {
                a
            } else {
                peer
            }
        }
    }
}

fn is_trusted(ip: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|network| network.contains(&ip))
}

/// All elements of a comma-separated header, in order; `None` where the header is absent.
fn list(
    headers: &HeaderMap,
    name: &str,
    parse: impl Fn(&str) -> Option<IpAddr>,
) -> Option<Vec<Option<IpAddr>>> {
    let mut values = headers.get_all(name).iter().peekable();
    values.peek()?;
    let elements = values.flat_map(|value| {
        let text = value.to_str().unwrap_or("");
        text.split(',')
            .map(|element| parse(element.trim()))
            .collect::<Vec<_>>()
    });
    Some(elements.collect())
}

/// The rightmost address that is no trusted proxy; the leftmost where all are; none beyond an unreadable element.
fn outermost(chain: Option<Vec<Option<IpAddr>>>, trusted: &[IpNet]) -> Option<IpAddr> {
    let mut last = None;
    for element in chain?.into_iter().rev() {
        let Some(ip) = element else { break };
        last = Some(ip);
        if !is_trusted(ip, trusted) {
            break;
        }
    }
    last
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

fn parse_forwarded(element: &str) -> Option<IpAddr> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        name.eq_ignore_ascii_case("for")
            .then(|| parse_node(value.trim()))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(peer: &str, headers: &[(&'static str, &'static str)]) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let trusted = ["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
        client_ip(peer.parse().unwrap(), &map, &trusted).to_string()
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
    fn forwarded_is_read_and_a_contradiction_is_not_believed() {
        assert_eq!(
            seen(
                "10.0.0.1",
                &[("forwarded", "for=\"[2001:db8::7]:80\";proto=https, for=10.0.0.3")]
            ),
            "2001:db8::7"
        );
        assert_eq!(
            seen(
                "10.0.0.1",
                &[
                    ("forwarded", "for=198.51.100.7"),
                    ("x-forwarded-for", "203.0.113.9")
                ]
            ),
            "10.0.0.1"
        );
    }
}
