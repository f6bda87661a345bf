//! Collectors: they fetch what others keep for us, through the same guard that everything leaves by.
//!
//! A document is fetched whole or not at all, within a bound of its size and a bound of time. What is fetched is not looked
//! at here. A [`Call`] is a question that comes with a document, and is signed.

mod call;
mod folder;
mod ftp;
mod http;
mod mailbox;

use crate::egress::{Class, ConnectError, Denied, RootError};
use crate::failure::{Failure, Remedy};
use crate::http::HttpClient;
use crate::receipt::one_line;
use crate::site::Site;
use crate::tls::Tls;
use std::fmt;

pub use call::{Call, Called};
pub use folder::{Folder, FolderFile};
pub use ftp::{FtpFile, FtpFolder};
pub use http::{Access, Arriving, Asked, Fetched};
pub use mailbox::Mailbox;

/// Everything that fetches, for one site. Clones share their connections.
#[derive(Clone)]
pub struct Collectors {
    site: Site,
    tls: Tls,
    http: HttpClient,
}

/// Something that was not fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CollectError {
    /// The guard refuses; why is for operators.
    Denied(String),
    /// The settings make no sense.
    Settings(String),
    /// Nobody was there.
    Unreachable(String),
    /// It took too long.
    Late(String),
    /// The answer is an error, with its status.
    Status(u16),
    /// It leads on and on.
    Redirects,
    /// The server refuses who we are.
    Refused(String),
    /// There are more bytes than asked for.
    TooLarge(usize),
    /// Anything else that went wrong on the way.
    Failed(String),
}

impl Collectors {
    /// # Errors
    /// A sentence if the authorities of the site are no certificates.
    pub fn new(site: &Site) -> Result<Collectors, String> {
        let tls = Tls::new(site.authorities_pem.as_deref())?;
        let http = HttpClient::new(site.egress.clone(), tls.clone(), Class::Http, site.http_answer_max);
        Ok(Collectors { site: site.clone(), tls, http })
    }
}

impl fmt::Display for CollectError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CollectError::Denied(_) => out.write_str("source not allowed"),
            CollectError::Redirects => out.write_str("the server redirects again and again"),
            CollectError::Status(status) => write!(out, "the server answers {status}"),
            CollectError::TooLarge(bytes) => write!(out, "more than {bytes} bytes"),
            CollectError::Settings(what)
            | CollectError::Unreachable(what)
            | CollectError::Late(what)
            | CollectError::Refused(what)
            | CollectError::Failed(what) => out.write_str(&one_line(what)),
        }
    }
}

impl std::error::Error for CollectError {}

impl From<Denied> for CollectError {
    fn from(denied: Denied) -> CollectError {
        CollectError::Denied(denied.reason())
    }
}

impl From<ConnectError> for CollectError {
    fn from(error: ConnectError) -> CollectError {
        match error {
            ConnectError::Denied(denied) => denied.into(),
            ConnectError::Unreachable(why) => CollectError::Unreachable(format!("not reached: {why}")),
        }
    }
}

impl From<RootError> for CollectError {
    fn from(error: RootError) -> CollectError {
        match error {
            RootError::Denied(denied) => denied.into(),
            RootError::Io(error) => CollectError::Failed(error.to_string()),
        }
    }
}

/// What a conversation with an FTP server failed with.
impl From<Failure> for CollectError {
    fn from(failure: Failure) -> CollectError {
        if let Some(reason) = failure.reason {
            return CollectError::Denied(reason);
        }
        match failure.answer.map(|answer| answer.status) {
            Some(530) => CollectError::Refused(failure.message),
            Some(_) => CollectError::Failed(failure.message),
            None if failure.remedy == Remedy::GiveUp => CollectError::Settings(failure.message),
            None => CollectError::Unreachable(failure.message),
        }
    }
}
