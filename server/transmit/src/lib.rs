//! Dateline's transmitters: the only code that sends, and that fetches.
//!
//! **What it is for.** A [`Transmission`] is one row of the publish queue with its bytes; the [`Transmitters`] find the
//! [`Transmitter`] that its destination names and answer with a [`Receipt`] or a [`Failure`]. A failure says which of
//! the numbered errors it is, whether another attempt can help, and when the receiver wants it.
//!
//! **The one path of data.** row -> transmitter -> bytes and settings checked -> [`egress`] guard (address or file root)
//! -> receiver -> receipt. There is no other way out: every socket is opened by the guard, every file below a root of it.
//!
//! The [`Collectors`] go the other way through the same guard: an address, a folder or a server that somebody configured,
//! and the bytes that are there; or a URL that somebody names.
//!
//! **What it does not know.** The queue, the store, HTTP as a server, users, formats; clocks and randomness, which the
//! [`Site`] lends. It neither retries nor keeps state beyond open connections: the caller decides when, from what a
//! failure says. Media are lent by the caller too ([`MediaProvider`]).
//!
//! **What nobody can do with an item or a destination.** No text of either becomes a header, a command line, a path out of
//! its folder, a statement or a second line of a log. Secrets of a destination are not shown by `Debug` and appear in no
//! failure.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::expect_used, clippy::panic))]

pub mod egress;

mod body;
mod collect;
mod config;
mod digest;
mod email;
mod failure;
mod file;
mod ftp;
mod http;
mod http_push;
mod limits;
mod line;
mod media;
mod name;
mod odbc;
mod receipt;
mod secret;
mod site;
mod sqs;
mod tls;
mod transmission;
mod transmitter;

pub use body::Body;
pub use collect::{
    Access, Arriving, Asked, Call, Called, CollectError, Collectors, Fetched, Folder, FolderFile, FtpFile,
    FtpFolder, Mailbox,
};
pub use config::Config;
pub use failure::{Code, Failure, Remedy};
pub use media::{MediaError, MediaProvider, MediaReader, Medium, MediumKind, NoMedia};
pub use name::file_name;
pub use receipt::{Answer, Receipt};
pub use secret::{SECRET_SETTINGS, Secret};
pub use site::{Clock, MailRelay, MailSecurity, Site};
pub use transmission::{Destination, Transmission};
pub use transmitter::{Lent, Transmitter, Transmitters};

impl Transmitters {
    /// All transmitters of this crate, for one site.
    ///
    /// # Errors
    /// A sentence if the settings of the site cannot be used: authorities that are no certificates.
    pub fn standard(site: &Site) -> Result<Transmitters, String> {
        let tls = tls::Tls::new(site.authorities_pem.as_deref())?;
        let mut transmitters = Transmitters::empty();
        transmitters.register(Box::new(file::FileTransmitter::new(site.egress.clone())));
        transmitters.register(Box::new(email::Email::new(site, tls.clone())));
        transmitters.register(Box::new(ftp::Ftp::new(site, tls.clone())));
        transmitters.register(Box::new(http_push::HttpPush::new(site, tls.clone())));
        transmitters.register(Box::new(odbc::Odbc::new(site)));
        transmitters.register(Box::new(sqs::Sqs::new(site, tls)));
        Ok(transmitters)
    }
}
