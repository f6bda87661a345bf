//! Kinds of destinations that the guard tells apart.

/// What a connection is for. Each class has ports of its own, and allowances are given to one class or to all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// HTTP push and webhooks.
    Http,
    /// FTP and FTPS.
    Ftp,
    /// The relay of e-mail.
    Mail,
    /// Queue services.
    Queue,
    /// Mailboxes that are read.
    Mailbox,
}

impl Class {
    /// Every class.
    pub const ALL: [Class; 5] = [Class::Http, Class::Ftp, Class::Mail, Class::Queue, Class::Mailbox];

    /// The word for it in a configuration file.
    pub fn word(self) -> &'static str {
        match self {
            Class::Http => "http",
            Class::Ftp => "ftp",
            Class::Mail => "mail",
            Class::Queue => "queue",
            Class::Mailbox => "mailbox",
        }
    }

    /// Ports that need no allowance.
    pub(super) fn ports(self) -> &'static [u16] {
        match self {
            Class::Http => &[80, 443, 8080, 8443],
            Class::Ftp => &[21, 990],
            Class::Mail => &[25, 465, 587],
            Class::Queue => &[80, 443],
            Class::Mailbox => &[143, 993],
        }
    }
}
