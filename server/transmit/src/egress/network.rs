//! A network: an address and how many of its leading bits count.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A network of either family, its addresses between `first` and `last`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Network {
    first: u128,
    last: u128,
    is_v4: bool,
}

impl Network {
    pub(super) const fn v4(address: [u8; 4], bits: u32) -> Network {
        let [a, b, c, d] = address;
        Network::of(Ipv4Addr::new(a, b, c, d).to_bits() as u128, 32, bits, true)
    }

    pub(super) const fn v6(address: [u16; 8], bits: u32) -> Network {
        let [a, b, c, d, e, f, g, h] = address;
        Network::of(Ipv6Addr::new(a, b, c, d, e, f, g, h).to_bits(), 128, bits, false)
    }

    /// The network of some leading bits of an address; nothing if it has fewer.
    pub(super) fn new(address: IpAddr, bits: u32) -> Option<Network> {
        match address {
            IpAddr::V4(address) if bits <= 32 => Some(Network::v4(address.octets(), bits)),
            IpAddr::V6(address) if bits <= 128 => Some(Network::v6(address.segments(), bits)),
            _ => None,
        }
    }

    const fn of(address: u128, width: u32, bits: u32, is_v4: bool) -> Network {
        let host = width - bits;
        // All ones in the host part; a shift by the whole width is not defined.
        let mask = if host == 128 { u128::MAX } else { (1 << host) - 1 };
        Network { first: address & !mask, last: address | mask, is_v4 }
    }

    pub(super) fn contains(&self, address: IpAddr) -> bool {
        let (is_v4, bits) = match address {
            IpAddr::V4(address) => (true, u128::from(address.to_bits())),
            IpAddr::V6(address) => (false, address.to_bits()),
        };
        is_v4 == self.is_v4 && self.first <= bits && bits <= self.last
    }

    /// The first and last address.
    pub(super) fn ends(&self) -> [IpAddr; 2] {
        [self.first, self.last].map(|bits| match u32::try_from(bits) {
            Ok(bits) if self.is_v4 => IpAddr::V4(Ipv4Addr::from_bits(bits)),
            _ => IpAddr::V6(Ipv6Addr::from_bits(bits)),
        })
    }
}
