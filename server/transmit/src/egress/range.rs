//! Ranges of addresses that are not the public internet.
//!
//! From the IANA registries of special-purpose addresses, and what clouds put on addresses of their own. What carries an
//! IPv4 address inside is judged by it where the mapping is in use, and refused where it is a relic.

use super::network::Network;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why an address is not public.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Range {
    Unspecified,
    Loopback,
    Private,
    LinkLocal,
    Metadata,
    CarrierNat,
    Protocol,
    Documentation,
    Benchmark,
    Multicast,
    Reserved,
    Broadcast,
    SiteLocal,
    Discard,
    Embedding,
}

impl Range {
    pub(super) fn words(self) -> &'static str {
        match self {
            Range::Unspecified => "of this network (unspecified)",
            Range::Loopback => "a loopback address",
            Range::Private => "a private address",
            Range::LinkLocal => "a link-local address",
            Range::Metadata => "a metadata service",
            Range::CarrierNat => "an address of a carrier's NAT",
            Range::Protocol => "an address for protocols",
            Range::Documentation => "an address for documentation",
            Range::Benchmark => "an address for benchmarks",
            Range::Multicast => "a multicast address",
            Range::Reserved => "a reserved address",
            Range::Broadcast => "the broadcast address",
            Range::SiteLocal => "a site-local address",
            Range::Discard => "an address whose packets are discarded",
            Range::Embedding => "an address that carries another one",
        }
    }

    /// The range of an address; nothing if it is public. An IPv4 address in IPv6 form is the IPv4 address.
    pub(super) fn of(address: IpAddr) -> Option<Range> {
        match address.to_canonical() {
            IpAddr::V4(address) => find(&V4, address.into()),
            IpAddr::V6(address) => match translated(address) {
                Some(inner) => find(&V4, inner.into()),
                None => find(&V6, address.into()).or_else(|| is_isatap(address).then_some(Range::Embedding)),
            },
        }
    }
}

fn find(table: &[(Network, Range)], address: IpAddr) -> Option<Range> {
    table.iter().find(|(network, _)| network.contains(address)).map(|(_, range)| *range)
}

/// The address behind a translator of the well-known prefix (RFC 6052 2.1), which networks without IPv4 do use.
fn translated(address: Ipv6Addr) -> Option<Ipv4Addr> {
    match address.octets() {
        [0x00, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d] => Some(Ipv4Addr::new(a, b, c, d)),
        _ => None,
    }
}

/// An interface identifier that tunnels to the IPv4 address it ends in (RFC 5214 6.1), whatever the prefix.
fn is_isatap(address: Ipv6Addr) -> bool {
    matches!(address.segments(), [_, _, _, _, 0x0000 | 0x0200, 0x5efe, _, _])
}

/// The first entry that contains an address counts.
const V4: [(Network, Range); 22] = [
    (Network::v4([0, 0, 0, 0], 8), Range::Unspecified),
    (Network::v4([10, 0, 0, 0], 8), Range::Private),
    (Network::v4([100, 100, 100, 200], 32), Range::Metadata),
    (Network::v4([100, 64, 0, 0], 10), Range::CarrierNat),
    (Network::v4([127, 0, 0, 0], 8), Range::Loopback),
    (Network::v4([168, 63, 129, 16], 32), Range::Metadata),
    (Network::v4([169, 254, 169, 254], 32), Range::Metadata),
    (Network::v4([169, 254, 170, 2], 32), Range::Metadata),
    (Network::v4([169, 254, 0, 0], 16), Range::LinkLocal),
    (Network::v4([172, 16, 0, 0], 12), Range::Private),
    (Network::v4([192, 0, 0, 192], 32), Range::Metadata),
    (Network::v4([192, 0, 0, 0], 24), Range::Protocol),
    (Network::v4([192, 0, 2, 0], 24), Range::Documentation),
    (Network::v4([192, 88, 99, 0], 24), Range::Embedding),
    (Network::v4([192, 168, 0, 0], 16), Range::Private),
    (Network::v4([198, 18, 0, 0], 15), Range::Benchmark),
    (Network::v4([198, 51, 100, 0], 24), Range::Documentation),
    (Network::v4([203, 0, 113, 0], 24), Range::Documentation),
    (Network::v4([233, 252, 0, 0], 24), Range::Documentation),
    (Network::v4([224, 0, 0, 0], 4), Range::Multicast),
    (Network::v4([255, 255, 255, 255], 32), Range::Broadcast),
    (Network::v4([240, 0, 0, 0], 4), Range::Reserved),
];

const V6: [(Network, Range); 20] = [
    (Network::v6([0, 0, 0, 0, 0, 0, 0, 0], 128), Range::Unspecified),
    (Network::v6([0, 0, 0, 0, 0, 0, 0, 1], 128), Range::Loopback),
    // IPv4-compatible, and the mappings of translators that are not ours.
    (Network::v6([0, 0, 0, 0, 0, 0, 0, 0], 32), Range::Embedding),
    (Network::v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48), Range::Embedding),
    (Network::v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64), Range::Discard),
    (Network::v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 32), Range::Embedding),
    (Network::v6([0x2001, 2, 0, 0, 0, 0, 0, 0], 48), Range::Benchmark),
    (Network::v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32), Range::Documentation),
    (Network::v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23), Range::Protocol),
    (Network::v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16), Range::Embedding),
    (Network::v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20), Range::Documentation),
    (Network::v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0], 32), Range::Metadata),
    (Network::v6([0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254], 128), Range::Metadata),
    (Network::v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7), Range::Private),
    (Network::v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10), Range::LinkLocal),
    (Network::v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10), Range::SiteLocal),
    (Network::v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8), Range::Multicast),
    // Global unicast is 2000::/3; the rest was never given out.
    (Network::v6([0, 0, 0, 0, 0, 0, 0, 0], 3), Range::Reserved),
    (Network::v6([0x4000, 0, 0, 0, 0, 0, 0, 0], 2), Range::Reserved),
    (Network::v6([0x8000, 0, 0, 0, 0, 0, 0, 0], 1), Range::Reserved),
];

#[cfg(test)]
mod tests;
