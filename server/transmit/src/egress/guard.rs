//! The guard itself: judges, then connects.

use super::allowance::Allowance;
use super::class::Class;
use super::denied::{Denied, Why};
use super::range::Range;
use super::resolve::{Resolve, SystemResolver};
use super::root::{Place, RootError, Roots};
use super::target::{Target, TargetHost};
use crate::limits::{ADDRESSES_MAX, CONNECT_MAX, REACH_MAX, RESOLVE_MAX};
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// What a site decides about leaving it.
#[derive(Debug, Clone)]
pub struct Policy {
    /// What is let through beside public addresses and usual ports.
    pub allow: Vec<Allowance>,
    /// Addresses this server listens on. No allowance opens them.
    pub own: Vec<SocketAddr>,
    /// Folders below which files may be written; without one no file is.
    pub file_roots: Vec<PathBuf>,
}

/// The guard. Cheap to clone.
#[derive(Clone)]
pub struct Egress {
    policy: Arc<Policy>,
    roots: Arc<Roots>,
    resolver: Arc<dyn Resolve>,
}

/// A connection that was not made.
#[derive(Debug)]
pub enum ConnectError {
    /// The guard refuses.
    Denied(Denied),
    /// The name has no address, or nobody takes the connection. One line.
    Unreachable(String),
}

impl Egress {
    /// A guard that asks the machine's resolver.
    pub fn new(policy: Policy) -> Egress {
        Egress::with_resolver(policy, Arc::new(SystemResolver))
    }

    /// A guard that asks another resolver.
    pub fn with_resolver(policy: Policy, resolver: Arc<dyn Resolve>) -> Egress {
        let roots = Arc::new(Roots::new(&policy.file_roots));
        Egress { policy: Arc::new(policy), roots, resolver }
    }

    /// Looks the target up, judges every address and connects to one of them.
    ///
    /// # Errors
    /// [`ConnectError::Denied`] if any address is refused: an answer that mixes public and private addresses is a trick or
    /// a mistake. [`ConnectError::Unreachable`] if no address takes the connection in its time.
    pub async fn connect(&self, class: Class, target: &Target) -> Result<TcpStream, ConnectError> {
        let addresses = self.addresses(class, target).await?;
        match timeout(REACH_MAX, self.reach(target, addresses)).await {
            Ok(reached) => reached,
            Err(_) => Err(ConnectError::Unreachable(format!("no answer within {} s", REACH_MAX.as_secs()))),
        }
    }

    async fn reach(&self, target: &Target, addresses: Vec<IpAddr>) -> Result<TcpStream, ConnectError> {
        let mut last = "it has no address".to_owned();
        for address in addresses {
            let peer = SocketAddr::new(address, target.port);
            match timeout(CONNECT_MAX, TcpStream::connect(peer)).await {
                Ok(Ok(stream)) => {
                    self.judge_peer(&stream, peer)?;
                    // Requests are small and end in a wait for an answer.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Ok(Err(error)) => last = error.to_string(),
                Err(_) => last = format!("no answer within {} s", CONNECT_MAX.as_secs()),
            }
        }
        Err(ConnectError::Unreachable(last))
    }

    /// The judged addresses of a target, at least one.
    async fn addresses(&self, class: Class, target: &Target) -> Result<Vec<IpAddr>, ConnectError> {
        let found = match &target.host {
            TargetHost::Address(address) => vec![*address],
            TargetHost::Name(name) => match timeout(RESOLVE_MAX, self.resolver.resolve(name)).await {
                Ok(Ok(addresses)) => addresses,
                Ok(Err(error)) => return Err(unreachable_name(&error.to_string())),
                Err(_) => return Err(unreachable_name("no answer in time")),
            },
        };
        let mut addresses: Vec<IpAddr> = Vec::new();
        for address in found {
            let address = address.to_canonical();
            self.judge(class, target, address).map_err(ConnectError::Denied)?;
            if !addresses.contains(&address) && addresses.len() < ADDRESSES_MAX {
                addresses.push(address);
            }
        }
        match addresses.is_empty() {
            true => Err(unreachable_name("it has no address")),
            false => Ok(addresses),
        }
    }

    /// Whether a target may be reached at this address. Pure.
    ///
    /// # Errors
    /// [`Denied`] with the reason.
    pub fn judge(&self, class: Class, target: &Target, address: IpAddr) -> Result<(), Denied> {
        let address = address.to_canonical();
        let port = target.port;
        if self.is_own(address, port) {
            return Err(Denied(Why::Itself(address, port)));
        }
        if self.policy.allow.iter().any(|allowance| allowance.covers(class, address, port)) {
            return Ok(());
        }
        match Range::of(address) {
            Some(range) => Err(Denied(Why::Address(address, range))),
            None if !target.has_usual_port(class) => Err(Denied(Why::Port(port))),
            None => Ok(()),
        }
    }

    /// Whether a data connection may go to this port of a host whose control connection was judged.
    ///
    /// # Errors
    /// [`Denied`] for ports that belong to services and for this server's own.
    pub(crate) fn judge_data_port(&self, address: IpAddr, port: u16) -> Result<(), Denied> {
        let address = address.to_canonical();
        if self.is_own(address, port) {
            return Err(Denied(Why::Itself(address, port)));
        }
        match port {
            0..1024 => Err(Denied(Why::DataPort(port))),
            _ => Ok(()),
        }
    }

    /// The folder that a path names, if it is a root or below one.
    ///
    /// # Errors
    /// [`RootError::Denied`] outside of every root and for paths with links or `..`; [`RootError::Io`] if it is not there.
    pub(crate) fn place(&self, path: &str) -> Result<Place, RootError> {
        self.roots.place(path)
    }

    fn is_own(&self, address: IpAddr, port: u16) -> bool {
        self.policy.own.iter().any(|own| {
            let ip = own.ip().to_canonical();
            let is_all = ip.is_unspecified() && (address.is_loopback() || address.is_unspecified());
            own.port() == port && (ip == address || is_all)
        })
    }

    /// What is connected is what was judged, and is not this machine on a port of ours: a connection whose two ends have
    /// one address never left.
    fn judge_peer(&self, stream: &TcpStream, judged: SocketAddr) -> Result<(), ConnectError> {
        let (Ok(peer), Ok(local)) = (stream.peer_addr(), stream.local_addr()) else {
            return Err(ConnectError::Unreachable("the connection broke at once".to_owned()));
        };
        let ip = peer.ip().to_canonical();
        if ip != judged.ip().to_canonical() || peer.port() != judged.port() {
            return Err(ConnectError::Denied(Denied(Why::OtherPeer(ip))));
        }
        let listens = |own: &SocketAddr| own.ip().is_unspecified() && own.port() == peer.port();
        if ip == local.ip().to_canonical() && self.policy.own.iter().any(listens) {
            return Err(ConnectError::Denied(Denied(Why::Itself(ip, peer.port()))));
        }
        Ok(())
    }
}

fn unreachable_name(why: &str) -> ConnectError {
    ConnectError::Unreachable(format!("the name was not found: {why}"))
}

impl fmt::Debug for Egress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.policy.fmt(out)
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConnectError::Denied(denied) => denied.fmt(out),
            ConnectError::Unreachable(why) => write!(out, "not reached: {why}"),
        }
    }
}

impl std::error::Error for ConnectError {}

impl From<ConnectError> for io::Error {
    fn from(error: ConnectError) -> io::Error {
        io::Error::other(error)
    }
}
