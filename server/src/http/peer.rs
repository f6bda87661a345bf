//! Where a request comes from.

use std::any::Any;
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::app::App;

/// The address on the other end of the connection, put into each request by the listener.
#[derive(Clone, Copy, Debug)]
pub struct Connected {
    /// The other end's address.
    pub ip: IpAddr,
    /// Whether this connection is encrypted by us.
    pub tls: bool,
}

/// What a connection takes up, in each of its requests: for those who go on with it after an upgrade.
#[derive(Clone)]
pub struct Held {
    _place: Arc<dyn Any + Send + Sync>,
}

impl Held {
    /// Keeps this until the last clone is dropped.
    pub(crate) fn new(place: impl Any + Send + Sync) -> Self {
        Self { _place: Arc::new(place) }
    }
}

/// The client as far as it is known: behind a proxy, the address that the nearest proxy wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The client's address.
    pub ip: IpAddr,
    /// Whether the client's side is encrypted.
    pub tls: bool,
}

impl Peer {
    pub(crate) fn of(
        parts: &axum::http::HeaderMap,
        connected: Option<&Connected>,
        behind_proxy: bool,
    ) -> Self {
        let unknown = Connected { ip: IpAddr::V4(Ipv4Addr::UNSPECIFIED), tls: false };
        let connected = connected.copied().unwrap_or(unknown);
        let mut peer = Self { ip: connected.ip, tls: connected.tls };
        if behind_proxy {
            // Only the last entry is the proxy's own word; earlier ones are the client's.
            let last = |name: &str| {
                let value = parts.get_all(name).iter().next_back()?.to_str().ok()?;
                value.rsplit(',').next().map(str::trim)
            };
            if let Some(ip) = last("x-forwarded-for").and_then(|ip| ip.parse().ok()) {
                peer.ip = ip;
            }
            peer.tls |= last("x-forwarded-proto") == Some("https");
        }
        peer
    }
}

impl FromRequestParts<App> for Peer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let connected = parts.extensions.get::<Connected>();
        Ok(Self::of(&parts.headers, connected, app.config().behind_proxy))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forwarded_addresses_count_only_behind_a_proxy() {
        let mut headers = axum::http::HeaderMap::new();
        headers.insert("x-forwarded-for", "6.6.6.6, 10.1.2.3".parse().unwrap());
        headers.insert("x-forwarded-proto", "https".parse().unwrap());
        let connected = Connected { ip: "127.0.0.1".parse().unwrap(), tls: false };
        let direct = Peer::of(&headers, Some(&connected), false);
        assert_eq!((direct.ip.to_string().as_str(), direct.tls), ("127.0.0.1", false));
        let proxied = Peer::of(&headers, Some(&connected), true);
        assert_eq!((proxied.ip.to_string().as_str(), proxied.tls), ("10.1.2.3", true));
    }
}
