//! Why something could not be ingested, by the numbers under which operators configure critical errors.

use std::fmt;

/// A number and what it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(u16);

macro_rules! codes {
    ($($name:ident = $number:literal $text:literal,)*) => {
        impl Code {
            $(#[doc = $text] pub const $name: Code = Code($number);)*

            /// All there are, ascending.
            pub const ALL: &[(Code, &'static str)] = &[$((Code::$name, $text),)*];
        }
    };
}

codes! {
    UNKNOWN_FORMAT = 1000 "No parser takes the document",
    MAIL = 1001 "Message could not be parsed",
    NINJS = 1002 "NINJS could not be parsed",
    NEWSML12 = 1004 "NewsML 1.2 could not be parsed",
    NEWSMLG2 = 1005 "NewsML-G2 could not be parsed",
    NITF = 1006 "NITF could not be parsed",
    FEED = 1007 "Feed could not be parsed",
    TOO_LARGE = 1008 "Document is too large or too deeply nested",
    STORING = 2000 "Item could not be stored",
    ROUTING = 2002 "Routing scheme could not be applied",
    INGEST = 2003 "Provider could not be ingested",
    ITEM = 2005 "Item could not be prepared",
    FILE = 3000 "Ingest file error",
    FILE_FOLDER = 3001 "Folder for files that are done could not be made",
    FILE_MOVE = 3002 "Ingest file could not be moved",
    FILE_READ = 3003 "Ingest file could not be read",
    FILE_DENIED = 3004 "Folder may not be reached",
    API = 4000 "Unknown API ingest error",
    API_TIMEOUT = 4001 "API ingest has timed out",
    API_REDIRECTS = 4002 "API ingest was redirected",
    API_REQUEST = 4003 "API could not be reached",
    API_SETTINGS = 4004 "API ingest has wrong settings",
    API_SERVER = 4005 "API answered with an error of its own",
    API_NOT_FOUND = 4006 "API was not found",
    API_REFUSED = 4007 "API refused the credentials",
    API_DENIED = 4008 "API may not be reached",
    API_TOO_LARGE = 4009 "API answered too much",
    FTP = 5000 "FTP ingest error",
    FTP_SETTINGS = 5001 "FTP ingest has wrong settings",
    FTP_DENIED = 5002 "FTP server may not be reached",
    FTP_MOVE = 5003 "File could not be moved on the FTP server",
    MAILBOX = 6000 "Mailbox ingest error",
    MAILBOX_SETTINGS = 6001 "Mailbox ingest has wrong settings",
    MAILBOX_DENIED = 6002 "Mailbox may not be reached",
    MAILBOX_REFUSED = 6003 "Mail server refused the credentials",
}

impl Code {
    /// The number.
    #[must_use]
    pub fn number(self) -> u16 {
        self.0
    }

    /// What it is called.
    #[must_use]
    pub fn text(self) -> &'static str {
        Code::ALL.iter().find(|(code, _)| *code == self).map_or("", |(_, text)| text)
    }

    /// The family, as it stands before the number in a message.
    fn family(self) -> &'static str {
        match self.0 {
            ..2000 => "ParserError",
            2000..3000 => "ProviderError",
            3000..4000 => "IngestFileError",
            4000..5000 => "IngestApiError",
            5000..6000 => "IngestFtpError",
            _ => "IngestEmailError",
        }
    }
}

/// The failure of one document, one item or one run. Others are not concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IngestError {
    /// Which kind it is.
    pub code: Code,
    /// What is wrong, in a few words, without secrets.
    pub reason: String,
}

impl IngestError {
    /// An error of this kind.
    #[must_use]
    pub fn new(code: Code, reason: impl Into<String>) -> IngestError {
        IngestError { code, reason: reason.into() }
    }
}

impl fmt::Display for IngestError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} Error {} - {}", self.code.family(), self.code.number(), self.code.text())?;
        if self.reason.is_empty() { Ok(()) } else { write!(out, ": {}", self.reason) }
    }
}

impl std::error::Error for IngestError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_told_by_family_number_and_text() {
        let error = IngestError::new(Code::NITF, "no body");
        assert_eq!(error.to_string(), "ParserError Error 1006 - NITF could not be parsed: no body");
        assert!(Code::ALL.is_sorted_by(|one, other| one.0.number() < other.0.number()));
        assert_eq!(Code::FTP.text(), "FTP ingest error");
    }
}
