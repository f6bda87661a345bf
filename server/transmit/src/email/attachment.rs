//! The picture of an item as an attachment.

use crate::failure::{Code, Failure};
use crate::limits::ATTACHMENTS_BYTES_MAX;
use crate::media::{MediaError, MediaProvider, Medium};
use crate::name::clean;
use crate::transmission::Transmission;
use tokio::io::AsyncReadExt;

/// An attachment in memory.
pub(super) struct Picture {
    pub(super) name: String,
    pub(super) content_type: String,
    /// What the HTML of the message calls it; nothing for an attachment that stands alone.
    pub(super) content_id: Option<String>,
    pub(super) bytes: Vec<u8>,
}

/// The rendition `media_rendition` (`original` without that setting) of the item's feature media, where `attach_media` is
/// on. An item without it is sent without.
pub(super) async fn attachments(
    transmission: &Transmission,
    provider: &dyn MediaProvider,
) -> Result<Vec<Picture>, Failure> {
    let config = &transmission.destination.config;
    if !config.is_on("attach_media", false) {
        return Ok(Vec::new());
    }
    let rendition = config.text("media_rendition").unwrap_or_else(|| "original".to_owned());
    let content_id = match config.text("media_cid") {
        Some(id) if !id.bytes().all(is_id_byte) => {
            return Err(Failure::lasting(Code::Email, "media_cid is no content id"));
        }
        id => id,
    };
    let media = provider.media(transmission).await.map_err(|error| unread(&error))?;
    let is_chosen = |medium: &&Medium| {
        medium.association.as_deref() == Some("featuremedia") && medium.kind.rendition() == Some(&rendition)
    };
    let Some(medium) = media.iter().find(is_chosen) else { return Ok(Vec::new()) };
    let reader = provider.open_picture(medium, config.is_on("watermark", false)).await;
    let mut bytes = Vec::new();
    let bound = ATTACHMENTS_BYTES_MAX as u64 + 1;
    let read = reader.map_err(|error| unread(&error))?.take(bound).read_to_end(&mut bytes).await;
    read.map_err(|error| unread(&error.into()))?;
    if bytes.len() > ATTACHMENTS_BYTES_MAX {
        return Err(Failure::lasting(Code::Email, "the picture is too large for e-mail"));
    }
    let (name, content_type) = (clean(&medium.file_name), medium.content_type.clone());
    Ok(vec![Picture { name, content_type, content_id, bytes }])
}

/// Without the brackets that stand around it in the header.
fn is_id_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._-+@".contains(&byte)
}

fn unread(error: &MediaError) -> Failure {
    Failure::passing(Code::Email, format!("a medium cannot be read: {error}"))
}
