//! Why an item could not be written in a format.

use std::fmt;

/// The failure of one format for one item. Other formats and other items are not concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormatError {
    /// Number by which operators filter and subscribers' critical errors are configured: 7001 NITF, 7004 the JSON
    /// formats, 7005 NewsML 1.2, 7006 NewsML-G2, 7010 e-mail, 7012 IDML, 7013 Atom and RSS.
    pub code: u16,
    /// The format's label.
    pub format: &'static str,
    /// What is wrong, and where.
    pub fault: Fault,
}

/// What is wrong with an item, before it is known which format says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Whether another item, a smaller one or nothing would help.
    pub kind: FaultKind,
    /// Path of the field that is at fault, such as `associations.featuremedia.renditions`.
    pub field: String,
    /// A sentence without a full stop.
    pub reason: String,
}

/// The kinds of failure that a caller treats differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// The format has no place for items of this type.
    Unsupported,
    /// A field has a value that the format cannot carry.
    Invalid,
    /// A field is too large or too deeply nested to be worked on.
    TooLarge,
    /// The writer itself failed; no item is to blame.
    Internal,
}

impl Fault {
    pub(crate) fn unsupported(field: &str, reason: impl Into<String>) -> Fault {
        Fault { kind: FaultKind::Unsupported, field: field.to_owned(), reason: reason.into() }
    }

    pub(crate) fn invalid(field: &str, reason: impl Into<String>) -> Fault {
        Fault { kind: FaultKind::Invalid, field: field.to_owned(), reason: reason.into() }
    }

    pub(crate) fn too_large(field: &str, reason: impl Into<String>) -> Fault {
        Fault { kind: FaultKind::TooLarge, field: field.to_owned(), reason: reason.into() }
    }

    pub(crate) fn internal(error: &dyn std::error::Error) -> Fault {
        Fault { kind: FaultKind::Internal, field: String::new(), reason: error.to_string() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field.as_str() {
            "" => out.write_str(&self.reason),
            field => write!(out, "{field}: {}", self.reason),
        }
    }
}

impl fmt::Display for FormatError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "FormatterError Error {} - {} could not be written: {}",
            self.code, self.format, self.fault
        )
    }
}

impl std::error::Error for FormatError {}
