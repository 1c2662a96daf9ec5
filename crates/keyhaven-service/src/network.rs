//! Who shares an address range: the networks around an address, from one customer's to a whole provider's.

use std::net::IpAddr;

/// A range of addresses that one party may have to itself. IPv4 in IPv6 counts as IPv4.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Network {
    /// 4 or 6.
    version: u8,
    /// Bits of the address that count.
    prefix: u8,
    /// The address, with the other bits zero; an IPv4 address in the last 32 bits.
    bits: u128,
}

impl Network {
    /// The smallest network that one customer has: an IPv4 address, or an IPv6 /64.
    #[must_use]
    pub fn smallest(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(_) => Self::around(ip, 32),
            IpAddr::V6(_) => Self::around(ip, 64),
        }
    }

    /// The networks around an address, smallest first, and how many times a single customer's share each one gets.
    ///
    /// Whoever rents a range gets all of its addresses, so a share for each would be no bound: a household's /56 has
    /// 256 networks of /64, a site's /48 has 65,536. The shares grow much more slowly than the ranges do, and end with
    /// the ranges that registries hand out to providers (IPv6 /32; IPv4 /16).
    #[must_use]
    pub fn ladder(ip: IpAddr) -> Vec<(Self, u32)> {
        let steps: &[(u8, u32)] = match ip.to_canonical() {
            IpAddr::V4(_) => &[(32, 1), (24, 8), (16, 16)],
            IpAddr::V6(_) => &[(64, 1), (56, 4), (48, 8), (32, 16)],
        };
        steps
            .iter()
            .map(|&(prefix, shares)| (Self::around(ip, prefix), shares))
            .collect()
    }

    /// A form of fixed length that no two networks share.
    pub(crate) fn to_bytes(self) -> [u8; 18] {
        let mut bytes = [0; 18];
        let (head, address) = bytes.split_at_mut(2);
        head.copy_from_slice(&[self.version, self.prefix]);
        address.copy_from_slice(&self.bits.to_be_bytes());
        bytes
    }

    fn around(ip: IpAddr, prefix: u8) -> Self {
        let (version, bits, host_bits) = match ip.to_canonical() {
            IpAddr::V4(ip) => (4, u128::from(ip.to_bits()), 32_u32.saturating_sub(prefix.into())),
            IpAddr::V6(ip) => (6, ip.to_bits(), 128_u32.saturating_sub(prefix.into())),
        };
        let mask = u128::MAX.checked_shl(host_bits).unwrap_or(0);
        Self {
            version,
            prefix,
            bits: bits & mask,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ladder(ip: &str) -> Vec<(Network, u32)> {
        Network::ladder(ip.parse().unwrap())
    }

    /// The first step from which two addresses are in one network.
    fn meet_at(a: &str, b: &str) -> Option<u8> {
        let (a, b) = (ladder(a), ladder(b));
        let met = a.iter().zip(&b).find(|(a, b)| a == b)?;
        Some(met.0.0.prefix)
    }

    #[test]
    fn addresses_meet_in_the_networks_that_hold_both() {
        assert_eq!(meet_at("192.0.2.1", "::ffff:192.0.2.1"), Some(32));
        assert_eq!(meet_at("192.0.2.1", "192.0.2.2"), Some(24));
        assert_eq!(meet_at("192.0.2.1", "192.0.3.1"), Some(16));
        assert_eq!(meet_at("192.0.2.1", "192.1.2.1"), None);
        assert_eq!(meet_at("2001:db8::1", "2001:db8::ffff"), Some(64));
        assert_eq!(meet_at("2001:db8::1", "2001:db8:0:ff::1"), Some(56));
        assert_eq!(meet_at("2001:db8::1", "2001:db8:0:100::1"), Some(48));
        assert_eq!(meet_at("2001:db8::1", "2001:db8:1::1"), Some(32));
        assert_eq!(meet_at("2001:db8::1", "2001:db9::1"), None);
        // An IPv4 address is not the IPv6 one with the same bits.
        assert_eq!(meet_at("0.0.0.5", "::5"), None);
    }

    #[test]
    fn a_wider_network_gets_more_but_far_less_than_its_size() {
        for ip in ["192.0.2.1", "2001:db8::1"] {
            let ladder = ladder(ip);
            assert_eq!(ladder[0], (Network::smallest(ip.parse().unwrap()), 1));
            for pair in ladder.windows(2) {
                assert!(pair[0].1 < pair[1].1 && pair[0].0.prefix > pair[1].0.prefix);
            }
        }
    }
}
