//! What a file is, by its first bytes. What the sender says about it is nobody's evidence.

/// How a file is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// Something to look at.
    Picture,
    /// Something that moves.
    Video,
    /// Something to hear.
    Audio,
    /// Anything else.
    Other,
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// Media type, such as `image/jpeg`.
    pub media_type: &'static str,
    /// Usual ending of its name, without the dot.
    pub extension: &'static str,
    /// How it is treated.
    pub family: Family,
}

/// First bytes that [`Kind::of`] wants to see.
const HEAD_BYTES: usize = 8192;

impl Kind {
    /// What nobody recognises.
    pub const UNKNOWN: Self =
        Self { media_type: "application/octet-stream", extension: "bin", family: Family::Other };

    /// The kind of a file that begins like this; the first 8 KiB are enough.
    #[must_use]
    pub fn of(head: &[u8]) -> Self {
        let head = head.get(..HEAD_BYTES).unwrap_or(head);
        let Some(found) = infer::get(head) else { return Self::UNKNOWN };
        let family = match found.matcher_type() {
            infer::MatcherType::Image => Family::Picture,
            infer::MatcherType::Video => Family::Video,
            infer::MatcherType::Audio => Family::Audio,
            // What a browser would run as a page is only bytes here.
            infer::MatcherType::Text => return Self::UNKNOWN,
            _ => Family::Other,
        };
        Self { media_type: found.mime_type(), extension: found.extension(), family }
    }

    /// The kind that a stored media type stands for, as far as its family goes.
    #[must_use]
    pub fn family_of(media_type: &str) -> Family {
        match media_type.split('/').next() {
            Some("image") => Family::Picture,
            Some("video") => Family::Video,
            Some("audio") => Family::Audio,
            _ => Family::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_say_what_they_are() {
        let check = |bytes: &[u8], media_type: &str, family: Family| {
            let kind = Kind::of(bytes);
            assert_eq!((kind.media_type, kind.family), (media_type, family), "{bytes:?}");
            let main = Kind::family_of(media_type);
            assert!(family == Family::Other || main == family);
        };
        check(b"\xff\xd8\xff\xe0\0\x10JFIF", "image/jpeg", Family::Picture);
        check(b"\x89PNG\r\n\x1a\n", "image/png", Family::Picture);
        check(b"GIF89a\x01\0\x01\0", "image/gif", Family::Picture);
        check(b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", "video/mp4", Family::Video);
        check(b"ID3\x03\0\0\0\0\0\0", "audio/mpeg", Family::Audio);
        check(b"%PDF-1.7\n", "application/pdf", Family::Other);
        check(b"<!DOCTYPE html><script>", "application/octet-stream", Family::Other);
        check(b"<?xml version='1.0'?><svg/>", "application/octet-stream", Family::Other);
        check(b"plain", "application/octet-stream", Family::Other);
        check(b"", "application/octet-stream", Family::Other);
    }
}
