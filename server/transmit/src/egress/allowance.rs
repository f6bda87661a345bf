//! What a site lets through in spite of the guard.

use super::class::Class;
use super::network::Network;
use super::range::Range;
use std::net::IpAddr;
use std::str::FromStr;

/// A network and a port that connections may go to, for one class of destinations or all.
///
/// Written `10.2.0.0/16:443`, `[fd12::/64]:8443`, `192.0.2.7:*` or, for one class, `ftp 10.2.0.9:2121`. An allowance opens
/// its port on every address of its network; it opens addresses that are not public only if all of its network lies in one
/// such range. `0.0.0.0/0:9000` therefore means port 9000 of the public internet and no private network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    class: Option<Class>,
    network: Network,
    port: Option<u16>,
}

impl Allowance {
    /// One address and one port, for all classes.
    pub fn of(address: std::net::SocketAddr) -> Allowance {
        let ip = address.ip().to_canonical();
        let network = match ip {
            IpAddr::V4(ip) => Network::v4(ip.octets(), 32),
            IpAddr::V6(ip) => Network::v6(ip.segments(), 128),
        };
        Allowance { class: None, network, port: Some(address.port()) }
    }

    /// Whether it covers this port of this address for this class.
    pub(super) fn covers(&self, class: Class, address: IpAddr, port: u16) -> bool {
        self.covers_address(class, address) && self.port.is_none_or(|own| own == port)
    }

    /// Whether its network has this address, whatever the port.
    pub(super) fn covers_address(&self, class: Class, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.class.is_none_or(|own| own == class)
            && self.network.contains(address)
            // Wider than the range the address is in: such a network was not written to mean that range.
            && self.network.ends().map(Range::of) == [Range::of(address); 2]
    }
}

impl FromStr for Allowance {
    type Err = String;

    fn from_str(text: &str) -> Result<Allowance, String> {
        let wrong = || format!("an allowance is written like \"10.2.0.0/16:443\", not {text:?}");
        let (class, rest) = match text.trim().split_once(' ') {
            None => (None, text.trim()),
            Some((word, rest)) => {
                let class = Class::ALL.into_iter().find(|class| class.word() == word).ok_or_else(wrong)?;
                (Some(class), rest.trim())
            }
        };
        let (network, port) = rest.rsplit_once(':').ok_or_else(wrong)?;
        let network = match network.strip_prefix('[') {
            Some(inner) => inner.strip_suffix(']').ok_or_else(wrong)?,
            None if network.contains(':') => return Err(wrong()),
            None => network,
        };
        let (address, bits) = match network.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse().map_err(|_| wrong())?)),
            None => (network, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let whole = if address.is_ipv4() { 32 } else { 128 };
        let network = Network::new(address, bits.unwrap_or(whole)).ok_or_else(wrong)?;
        let port = match port {
            "*" => None,
            port => Some(port.parse().ok().filter(|port| *port > 0).ok_or_else(wrong)?),
        };
        Ok(Allowance { class, network, port })
    }
}
