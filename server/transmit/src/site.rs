//! What is configured once for all destinations, by whoever runs the server.

use crate::egress::Egress;
use crate::secret::Secret;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The time, lent by the caller. Dates messages and signatures.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Settings of the site. They come from the configuration file, never from a destination.
#[derive(Clone)]
pub struct Site {
    /// The guard: what may be reached and where files may be written.
    pub egress: Egress,
    /// Certificates (PEM) of authorities that are trusted beside the public ones.
    pub authorities_pem: Option<Vec<u8>>,
    /// The relay that takes e-mail; without one every e-mail fails.
    pub mail: Option<MailRelay>,
    /// ODBC connection strings by name. A destination names one and cannot write its own.
    pub odbc: BTreeMap<String, Secret>,
    /// How long an HTTP receiver may take to answer once it has the request (30 s).
    pub http_answer_max: Duration,
    /// How long one FTP transmission may take (300 s).
    pub ftp_max: Duration,
    /// The time.
    pub clock: Clock,
}

/// The relay of a site.
#[derive(Debug, Clone)]
pub struct MailRelay {
    /// Name or address.
    pub host: String,
    /// 25, 587, 465, or what the guard allows.
    pub port: u16,
    /// How the connection is protected.
    pub security: MailSecurity,
    /// User and password; sent only over TLS.
    pub credentials: Option<(String, Secret)>,
    /// Whom messages are from: `desk@example.com` or `News Desk <desk@example.com>`.
    pub sender: String,
}

/// How the connection to a relay is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailSecurity {
    /// Not at all.
    Plain,
    /// STARTTLS, required.
    StartTls,
    /// TLS from the first byte.
    Tls,
}

impl fmt::Debug for Site {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Site")
            .field("egress", &self.egress)
            .field("mail", &self.mail)
            .field("odbc", &self.odbc.keys())
            .field("http_answer_max", &self.http_answer_max)
            .field("ftp_max", &self.ftp_max)
            .finish_non_exhaustive()
    }
}
