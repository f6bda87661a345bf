//! News in JSON, in four kinds that share one mapping (`document`):
//! - `ninjs` for everybody,
//! - `ninjs2` with the version counted in corrections,
//! - `ftp ninjs` with media by file name, as they lie beside the document on an FTP server,
//! - `newsroom ninjs` with all sizes of pictures and the products, for portals and the content API.

mod associations;
mod authors;
mod concepts;
mod document;
mod embeds;
mod ftp;
mod newsroom;
mod places;
mod renditions;

pub use ftp::media_file_name;

use crate::context::Context;
use crate::error::Fault;
use crate::formatter::{Document, Formatter, Varies};
use crate::item::{Fields, Item, ItemType};

/// The four formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ninjs {
    /// The format `ninjs`.
    Plain,
    /// The format `ninjs2`.
    Second,
    /// The format `ftp ninjs`.
    Ftp,
    /// The format `newsroom ninjs`.
    Newsroom,
}

impl Formatter for Ninjs {
    fn id(&self) -> &'static str {
        match self {
            Ninjs::Plain => "ninjs",
            Ninjs::Second => "ninjs2",
            Ninjs::Ftp => "ftp ninjs",
            Ninjs::Newsroom => "newsroom ninjs",
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Ninjs::Plain => "NINJS",
            Ninjs::Second => "NINJSv2",
            Ninjs::Ftp => "NINJS FTP",
            Ninjs::Newsroom => "Newsroom NINJS",
        }
    }

    fn code(&self) -> u16 {
        7004
    }

    fn accepts(&self, _: ItemType) -> bool {
        true
    }

    fn varies(&self) -> Varies {
        let is_ftp = *self == Ninjs::Ftp;
        Varies { by_destination: is_ftp, by_subscriber: is_ftp, ..Varies::default() }
    }

    fn can_preview(&self) -> bool {
        *self != Ninjs::Newsroom
    }

    fn can_export(&self) -> bool {
        *self != Ninjs::Newsroom
    }

    fn write(&self, item: Item<'_>, context: &Context<'_>) -> Result<Vec<Document>, Fault> {
        Ok(vec![Document::json(&self.document(item, context)?)?])
    }
}

impl Ninjs {
    /// The document as an object, for callers that store it.
    ///
    /// # Errors
    /// As for [`Formatter::write`].
    pub fn document(&self, item: Item<'_>, context: &Context<'_>) -> Result<Fields, Fault> {
        let mut out = document::of(*self, item, context, document::Depth::Whole)?;
        match self {
            Ninjs::Ftp => ftp::adapt(&mut out, item, context)?,
            Ninjs::Newsroom => newsroom::adapt(&mut out, item, context),
            Ninjs::Plain | Ninjs::Second => {}
        }
        Ok(out)
    }
}
