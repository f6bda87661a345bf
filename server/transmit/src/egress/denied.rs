//! A refusal of the guard.

use super::range::Range;
use std::fmt;
use std::net::IpAddr;

/// A destination that the guard does not allow.
///
/// `Display` says no more than that: which of several names of a private network exist, and what listens there, is not
/// for those who write destinations. [`Denied::reason`] is for operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied(pub(super) Why);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Why {
    Malformed(&'static str),
    Scheme(String),
    UserInfo,
    Port(u16),
    MetadataName(String),
    Address(IpAddr, Range),
    Itself(IpAddr, u16),
    OtherPeer(IpAddr),
    DataPort(u16),
    Root(&'static str),
}

impl Denied {
    /// Why, for the record of an attempt that operators read.
    pub fn reason(&self) -> String {
        match &self.0 {
            Why::Malformed(what) => format!("the target is malformed: {what}"),
            Why::Scheme(scheme) => format!("the scheme {scheme} is not for this transmitter"),
            Why::UserInfo => "the target has a user or password in its URL".to_owned(),
            Why::Port(port) => format!("port {port} is not a usual one and no allowance covers it"),
            Why::MetadataName(name) => format!("{name} is the name of a metadata service"),
            Why::Address(address, range) => {
                format!("{address} is {} and no allowance covers it", range.words())
            }
            Why::Itself(address, port) => format!("{address} port {port} is this server"),
            Why::OtherPeer(address) => format!("connected to {address}, which was not judged"),
            Why::DataPort(port) => format!("port {port} is no port for a data connection"),
            Why::Root(what) => format!("the path is refused: {what}"),
        }
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("destination not allowed")
    }
}

impl std::error::Error for Denied {}
