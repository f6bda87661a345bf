//! Media of an item, lent by the caller.

use crate::transmission::Transmission;
use crate::transmitter::Lent;
use std::fmt;
use tokio::io::AsyncRead;

/// The bytes of a medium, from its beginning.
pub type MediaReader = Box<dyn AsyncRead + Send + Unpin>;

/// A file of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Medium {
    /// Id in the media store, the same for the same bytes.
    pub id: String,
    /// Name of the file for a receiver that sees files.
    pub file_name: String,
    /// Media type, such as `image/jpeg`.
    pub content_type: String,
    /// Which file of the item it is.
    pub kind: MediumKind,
    /// Name of the association it belongs to (`featuremedia`); nothing for the item's own and for attachments.
    pub association: Option<String>,
}

/// Which file of an item a medium is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MediumKind {
    /// The file as it came in.
    Original,
    /// A crop that a person made, with the name of its rendition (`16-9`).
    Crop(String),
    /// Another rendition, with its name (`viewImage`).
    Rendition(String),
    /// A file attached to the item.
    Attachment,
}

impl MediumKind {
    /// The name of the rendition; nothing of an attachment.
    pub fn rendition(&self) -> Option<&str> {
        match self {
            MediumKind::Original => Some("original"),
            MediumKind::Crop(name) | MediumKind::Rendition(name) => Some(name),
            MediumKind::Attachment => None,
        }
    }
}

/// What a caller lends of its media store.
pub trait MediaProvider: Send + Sync {
    /// The media of the item of a row: renditions of the item, of its associations and of theirs, attachments; each id
    /// once, in a fixed order. Called only where a destination wants media.
    fn media<'a>(&'a self, transmission: &'a Transmission) -> Lent<'a, Result<Vec<Medium>, MediaError>>;

    /// Opens a medium. May be called twice for one transmission: for the signature, and to send.
    fn open<'a>(&'a self, medium: &'a Medium) -> Lent<'a, Result<MediaReader, MediaError>>;

    /// Opens a picture for an e-mail: a JPEG of quality 80, with the site's watermark where the destination wants one.
    /// A provider that makes no pictures lends the medium as it is, and none where a watermark is wanted.
    fn open_picture<'a>(
        &'a self,
        medium: &'a Medium,
        has_watermark: bool,
    ) -> Lent<'a, Result<MediaReader, MediaError>> {
        match has_watermark {
            false => self.open(medium),
            true => {
                let error = MediaError { message: "no watermarks are made here".to_owned() };
                Box::pin(async move { Err(error) })
            }
        }
    }
}

/// Media that cannot be read. The transmission fails and may be tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaError {
    /// One line for whoever sees the row.
    pub message: String,
}

impl fmt::Display for MediaError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

impl std::error::Error for MediaError {}

impl From<std::io::Error> for MediaError {
    fn from(error: std::io::Error) -> MediaError {
        MediaError { message: error.to_string() }
    }
}

/// Lends nothing.
#[derive(Debug, Clone, Copy)]
pub struct NoMedia;

impl MediaProvider for NoMedia {
    fn media<'a>(&'a self, _: &'a Transmission) -> Lent<'a, Result<Vec<Medium>, MediaError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn open<'a>(&'a self, medium: &'a Medium) -> Lent<'a, Result<MediaReader, MediaError>> {
        Box::pin(async move { Err(MediaError { message: format!("there is no medium {}", medium.id) }) })
    }
}
