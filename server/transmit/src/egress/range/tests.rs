//! The table of addresses, and random ones beside plain arithmetic.

use super::*;

fn check(address: &str, expected: Option<Range>) {
    assert_eq!(Range::of(address.parse().unwrap()), expected, "{address}");
}

#[test]
fn public_addresses_are_in_no_range() {
    for address in [
        "1.1.1.1",
        "8.8.8.8",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.0",
        "192.0.3.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "198.51.101.0",
        "203.0.114.0",
        "223.255.255.255",
        "2606:4700::1111",
        "2a00:1450::1",
        "2001:4860:4860::8888",
        "2001:200::1",
        "2003::1",
        "3ffe:ffff::1",
        "3fff:1000::1",
        "64:ff9b::8.8.8.8",
        "::ffff:8.8.8.8",
    ] {
        check(address, None);
    }
}

#[test]
fn every_other_address_is_in_its_range() {
    for (address, range) in [
        ("0.0.0.0", Range::Unspecified),
        ("0.1.2.3", Range::Unspecified),
        ("10.0.0.0", Range::Private),
        ("10.255.255.255", Range::Private),
        ("100.64.0.0", Range::CarrierNat),
        ("100.127.255.255", Range::CarrierNat),
        ("100.100.100.200", Range::Metadata),
        ("127.0.0.1", Range::Loopback),
        ("127.255.255.254", Range::Loopback),
        ("168.63.129.16", Range::Metadata),
        ("169.254.0.1", Range::LinkLocal),
        ("169.254.169.254", Range::Metadata),
        ("169.254.170.2", Range::Metadata),
        ("172.16.0.0", Range::Private),
        ("172.31.255.255", Range::Private),
        ("192.0.0.1", Range::Protocol),
        ("192.0.0.192", Range::Metadata),
        ("192.0.2.7", Range::Documentation),
        ("192.88.99.1", Range::Embedding),
        ("192.168.255.255", Range::Private),
        ("198.18.0.0", Range::Benchmark),
        ("198.19.255.255", Range::Benchmark),
        ("198.51.100.0", Range::Documentation),
        ("203.0.113.255", Range::Documentation),
        ("224.0.0.1", Range::Multicast),
        ("239.255.255.255", Range::Multicast),
        ("240.0.0.0", Range::Reserved),
        ("255.255.255.255", Range::Broadcast),
        ("::", Range::Unspecified),
        ("::1", Range::Loopback),
        ("::127.0.0.1", Range::Embedding),
        ("::8.8.8.8", Range::Embedding),
        ("::ffff:127.0.0.1", Range::Loopback),
        ("::ffff:10.1.2.3", Range::Private),
        ("::ffff:169.254.169.254", Range::Metadata),
        ("::ffff:0:127.0.0.1", Range::Embedding),
        ("64:ff9b::127.0.0.1", Range::Loopback),
        ("64:ff9b::10.0.0.1", Range::Private),
        ("64:ff9b::169.254.169.254", Range::Metadata),
        ("64:ff9b:1::8.8.8.8", Range::Embedding),
        ("64:ff9b:2::1", Range::Reserved),
        ("100::1", Range::Discard),
        ("100:0:0:1::1", Range::Reserved),
        ("2001::1", Range::Embedding),
        ("2001:0:53aa:64c:0:0:f5ff:fffe", Range::Embedding),
        ("2001:2::1", Range::Benchmark),
        ("2001:10::1", Range::Protocol),
        ("2001:db8::1", Range::Documentation),
        ("2002:7f00:1::", Range::Embedding),
        ("2002:808:808::", Range::Embedding),
        ("2a00::5efe:127.0.0.1", Range::Embedding),
        ("2a00::200:5efe:8.8.8.8", Range::Embedding),
        ("3fff::1", Range::Documentation),
        ("4000::1", Range::Reserved),
        ("5f00::1", Range::Reserved),
        ("fc00::1", Range::Private),
        ("fd00:ec2::254", Range::Metadata),
        ("fd20:ce::254", Range::Metadata),
        ("fdff::1", Range::Private),
        ("fe80::1", Range::LinkLocal),
        ("febf::1", Range::LinkLocal),
        ("fec0::1", Range::SiteLocal),
        ("ff02::1", Range::Multicast),
        ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Range::Multicast),
    ] {
        check(address, Some(range));
    }
}

/// The standard library's own tests of addresses are the reference: what one of them calls special is in a range, in every
/// form an IPv4 address takes inside IPv6.
#[test]
fn random_addresses_agree_with_the_standard_library() {
    let seed =
        std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    println!("SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..200_000 {
        let v4 = random_v4(&mut random);
        let is_special = v4.is_private()
            || v4.is_loopback()
            || v4.is_link_local()
            || v4.is_broadcast()
            || v4.is_documentation()
            || v4.is_unspecified()
            || v4.is_multicast()
            || v4.octets()[0] == 0
            || v4.octets()[0] >= 240;
        let range = Range::of(v4.into());
        assert!(!is_special || range.is_some(), "{v4}");
        let [a, b, c, d] = v4.octets();
        let low = [u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])];
        let mapped = Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, low[0], low[1]);
        let translated = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, low[0], low[1]);
        assert_eq!(Range::of(mapped.into()), range, "{mapped}");
        assert_eq!(Range::of(translated.into()), range, "{translated}");
        for relic in [
            Ipv6Addr::new(0, 0, 0, 0, 0, 0, low[0], low[1]),
            Ipv6Addr::new(0x2002, low[0], low[1], 0, 0, 0, 0, 1),
            Ipv6Addr::new(0x2001, 0, 1, 2, 3, 4, !low[0], !low[1]),
            Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, low[0], low[1]),
            Ipv6Addr::new(0x2a00, 1, 2, 3, 0, 0x5efe, low[0], low[1]),
        ] {
            assert!(Range::of(relic.into()).is_some(), "{relic}");
        }
        let v6 = Ipv6Addr::from_bits(random.u128(..));
        let is_special = v6.is_unique_local() || v6.is_unicast_link_local() || v6.is_multicast();
        let is_global_unicast = v6.octets()[0] >> 5 == 1;
        assert!(Range::of(v6.into()).is_some() || (is_global_unicast && !is_special), "{v6}");
    }
}

/// Half of them near the border of a range.
fn random_v4(random: &mut fastrand::Rng) -> Ipv4Addr {
    if random.bool() {
        return Ipv4Addr::from_bits(random.u32(..));
    }
    let (network, _) = V4[random.usize(..V4.len())];
    let IpAddr::V4(end) = network.ends()[random.usize(..2)] else { unreachable!() };
    Ipv4Addr::from_bits(end.to_bits().wrapping_add_signed(random.i32(-2..=2)))
}
