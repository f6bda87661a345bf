//! Looking up names.

use crate::transmitter::Lent;
use std::io;
use std::net::IpAddr;

/// Looks a name up. A seam, so that tests can answer as a hostile name server would.
pub trait Resolve: Send + Sync {
    /// All addresses of a name.
    fn resolve<'a>(&'a self, name: &'a str) -> Lent<'a, io::Result<Vec<IpAddr>>>;
}

/// The resolver of the machine.
#[derive(Debug, Clone, Copy)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, name: &'a str) -> Lent<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            let addresses = tokio::net::lookup_host((name, 0)).await?;
            Ok(addresses.map(|address| address.ip()).collect())
        })
    }
}
