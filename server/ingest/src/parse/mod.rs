//! Parsers: a document in, items out.
//!
//! An item is a JSON object with the fields of items. Each has a `guid` and a `type`; what its sender says of its version
//! is in `version` and `versioncreated`. Nothing of an item is invented: what a sender leaves out, the item lacks, and it
//! is [`arrive`](crate::arrive) that fills up.

mod draft;
mod feed;
mod mail;
mod newsml12;
mod newsmlg2;
mod ninjs;
mod nitf;

use crate::clean::clean;
use crate::document::Document;
use crate::error::{Code, IngestError};
use crate::limits::ITEMS_MAX;
use dateline_formats::{Fields, Site};
use jiff::Timestamp;

/// What parsers know beside the document.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'a> {
    /// The time at which it was received.
    pub now: Timestamp,
    /// Names of the site: its domain for ids, its language.
    pub site: &'a Site,
    /// For feeds: which element of an entry stands for one of `guid`, `title`, `summary`, `body`, `author`, `published`,
    /// `updated`, as `(name, element)`.
    pub aliases: &'a [(String, String)],
}

/// One format of news.
pub trait Parser: Send + Sync {
    /// The key by which providers name it.
    fn key(&self) -> &'static str;

    /// What people call it.
    fn label(&self) -> &'static str;

    /// Whether a document looks like this format.
    fn can_parse(&self, document: &Document) -> bool;

    /// The items of a document; associated items come before those they belong to.
    ///
    /// # Errors
    /// When the document lacks what its format demands.
    fn parse(&self, document: &Document, reading: &Reading<'_>) -> Result<Vec<Fields>, IngestError>;
}

/// All parsers, by key.
pub struct Parsers(Vec<Box<dyn Parser>>);

impl Parsers {
    /// Those of this crate.
    #[must_use]
    pub fn standard() -> Parsers {
        Parsers(vec![
            Box::new(ninjs::Ninjs),
            Box::new(nitf::Nitf),
            Box::new(newsml12::NewsMl12),
            Box::new(newsmlg2::NewsMlG2),
            Box::new(feed::Feed),
            Box::new(mail::Mail),
        ])
    }

    /// The parser of this key.
    #[must_use]
    pub fn find(&self, key: &str) -> Option<&dyn Parser> {
        self.iter().find(|parser| parser.key() == key)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &dyn Parser> {
        self.0.iter().map(Box::as_ref)
    }

    /// Reads a document with the parser of this key, or with whichever takes it. Items come out clean.
    ///
    /// # Errors
    /// `UNKNOWN_FORMAT` when the parser, or every one, refuses the document; what the parser says; `TOO_LARGE`.
    pub fn read(
        &self,
        key: Option<&str>,
        bytes: &[u8],
        reading: &Reading<'_>,
    ) -> Result<Vec<Fields>, IngestError> {
        let document = Document::read(bytes)?;
        let unknown = |reason: String| IngestError::new(Code::UNKNOWN_FORMAT, reason);
        let parser = match key {
            Some(key) => {
                let parser = self.find(key).ok_or_else(|| unknown(format!("there is no parser '{key}'")))?;
                if !parser.can_parse(&document) {
                    return Err(unknown(format!("the document is no {}", parser.label())));
                }
                parser
            }
            None => {
                let found = self.iter().find(|parser| parser.can_parse(&document));
                found.ok_or_else(|| unknown("the document is of no format that is known".to_owned()))?
            }
        };
        let mut items = parser.parse(&document, reading)?;
        items.truncate(ITEMS_MAX);
        items.iter_mut().try_for_each(clean)?;
        Ok(items)
    }
}
