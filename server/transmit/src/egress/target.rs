//! The parsed target of a connection.

use super::class::Class;
use super::denied::{Denied, Why};
use std::net::IpAddr;
use url::{Host, Url};

/// Names that clouds give to their metadata services. Their addresses are judged too; the names are refused first, since a
/// site may have allowed an address range for something else.
const METADATA_NAMES: [&str; 6] = [
    "metadata",
    "metadata.google.internal",
    "metadata.goog",
    "instance-data",
    "instance-data.ec2.internal",
    "metadata.azure.internal",
];

/// A host and port that may be looked up. Not yet judged by address: that is [`super::Egress::connect`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The name as it is looked up, or the address.
    pub(super) host: TargetHost,
    /// The port.
    pub(super) port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TargetHost {
    Name(String),
    Address(IpAddr),
}

impl Target {
    /// A host, as a person writes it in a destination, and a port.
    ///
    /// # Errors
    /// [`Denied`] if it is no name of a host and no address, or the name of a metadata service.
    pub fn new(host: &str, port: u16) -> Result<Target, Denied> {
        let host = host.trim();
        let inner = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        if let Ok(address) = inner.parse::<IpAddr>() {
            return Ok(Target { host: TargetHost::Address(address.to_canonical()), port });
        }
        // The parser of URLs knows the names that are addresses in disguise (0x7f.1, 2130706433) and IDNA.
        Target::from_host(Host::parse(host).map_err(|_| malformed("no name of a host"))?, port)
    }

    /// The target of a URL with one of these schemes.
    ///
    /// # Errors
    /// [`Denied`] for another scheme, a user or password, and whatever [`Target::new`] refuses.
    pub fn of_url(url: &Url, schemes: &[&str]) -> Result<Target, Denied> {
        if !schemes.contains(&url.scheme()) {
            return Err(Denied(Why::Scheme(url.scheme().to_owned())));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Denied(Why::UserInfo));
        }
        let port = url.port_or_known_default().ok_or_else(|| malformed("no port"))?;
        let host = url.host().ok_or_else(|| malformed("no host"))?;
        Target::from_host(host.to_owned(), port)
    }

    /// The host for people, for `Host` and for TLS.
    pub fn host(&self) -> String {
        match &self.host {
            TargetHost::Name(name) => name.clone(),
            TargetHost::Address(address) => address.to_string(),
        }
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Host and port for people.
    pub(crate) fn label(&self) -> String {
        match &self.host {
            TargetHost::Address(IpAddr::V6(address)) => format!("[{address}]:{}", self.port),
            _ => format!("{}:{}", self.host(), self.port),
        }
    }

    /// Refuses ports that no class has, before anything is looked up.
    pub(super) fn has_usual_port(&self, class: Class) -> bool {
        class.ports().contains(&self.port)
    }

    fn from_host(host: Host<String>, port: u16) -> Result<Target, Denied> {
        if port == 0 {
            return Err(malformed("port 0"));
        }
        let name = match host {
            Host::Ipv4(address) => return Ok(Target { host: TargetHost::Address(address.into()), port }),
            Host::Ipv6(address) => {
                let address = IpAddr::V6(address).to_canonical();
                return Ok(Target { host: TargetHost::Address(address), port });
            }
            Host::Domain(name) => name,
        };
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        if name.is_empty() || name.len() > 253 || !name.split('.').all(is_label) {
            return Err(malformed("no name of a host"));
        }
        if METADATA_NAMES.contains(&name.as_str()) {
            return Err(Denied(Why::MetadataName(name)));
        }
        Ok(Target { host: TargetHost::Name(name), port })
    }
}

/// Letters, digits, hyphens, and the underscore that some private zones use.
fn is_label(label: &str) -> bool {
    let is_char = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !label.is_empty() && label.len() <= 63 && !label.starts_with('-') && label.bytes().all(is_char)
}

fn malformed(what: &'static str) -> Denied {
    Denied(Why::Malformed(what))
}
