//! The bytes of a formatted item.

use bytes::Bytes;
use encoding_rs::{EncoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE};
use std::fmt;

/// A formatted item.
#[derive(Clone, PartialEq, Eq)]
pub enum Body {
    /// Text, and the name of the encoding that the destination wants it in (`utf-8` where a row has none).
    Text {
        /// The formatted item.
        text: String,
        /// A label such as `utf-8`, `latin-1`, `cp1252`, `utf-16`.
        encoding: String,
    },
    /// Bytes that are sent as they are: an encoded item.
    Binary(Bytes),
}

impl Body {
    /// Text in UTF-8.
    pub fn text(text: impl Into<String>) -> Body {
        Body::Text { text: text.into(), encoding: "utf-8".to_owned() }
    }

    /// The bytes to send. A character that the encoding does not have becomes `?`.
    ///
    /// # Errors
    /// A sentence if nobody knows the encoding.
    pub(crate) fn encode(&self) -> Result<Bytes, String> {
        match self {
            Body::Binary(bytes) => Ok(bytes.clone()),
            Body::Text { text, encoding } => encode(text, encoding),
        }
    }

    /// The text; nothing of binary bodies that are not UTF-8.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Body::Text { text, .. } => Some(text),
            Body::Binary(bytes) => std::str::from_utf8(bytes).ok(),
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Body::Text { text, encoding } => write!(out, "Body({} bytes of text, {encoding})", text.len()),
            Body::Binary(bytes) => write!(out, "Body({} bytes)", bytes.len()),
        }
    }
}

fn encode(text: &str, label: &str) -> Result<Bytes, String> {
    // Names as they stand in rows are Python's; those the registry of the web does not know or reads otherwise come first.
    let name = label.trim().to_ascii_lowercase().replace('_', "-").replace("utf-16-", "utf-16");
    match name.as_str() {
        "" | "utf-8" | "utf8" => return Ok(Bytes::copy_from_slice(text.as_bytes())),
        "utf-8-sig" => return Ok([b"\xef\xbb\xbf", text.as_bytes()].concat().into()),
        "ascii" | "us-ascii" => return Ok(narrow(text, 0x7f)),
        "latin-1" | "latin1" | "iso-8859-1" | "iso8859-1" | "l1" => return Ok(narrow(text, 0xff)),
        "utf-16" => return Ok(wide(&format!("\u{feff}{text}"), u16::to_le_bytes)),
        _ => {}
    }
    let web = name.strip_prefix("cp125").map(|digit| format!("windows-125{digit}"));
    let label = web.as_deref().unwrap_or(&name);
    let encoding = Encoding::for_label(label.as_bytes()).ok_or("the encoding of the item is not known")?;
    if encoding == UTF_8 {
        Ok(Bytes::copy_from_slice(text.as_bytes()))
    } else if encoding == UTF_16LE {
        Ok(wide(text, u16::to_le_bytes))
    } else if encoding == UTF_16BE {
        Ok(wide(text, u16::to_be_bytes))
    } else if encoding.output_encoding() == encoding {
        Ok(lossy(text, encoding))
    } else {
        Err("the encoding of the item can only be read".to_owned())
    }
}

/// Encodings whose bytes are the first code points themselves.
fn narrow(text: &str, last: u32) -> Bytes {
    let byte = |char| u8::try_from(u32::from(char)).ok().filter(|byte| u32::from(*byte) <= last);
    text.chars().map(|char| byte(char).unwrap_or(b'?')).collect()
}

fn wide(text: &str, bytes: fn(u16) -> [u8; 2]) -> Bytes {
    text.encode_utf16().flat_map(bytes).collect()
}

fn lossy(text: &str, encoding: &'static Encoding) -> Bytes {
    let mut encoder = encoding.new_encoder();
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    loop {
        bytes.reserve(rest.len() + 16);
        let (result, read) = encoder.encode_from_utf8_to_vec_without_replacement(rest, &mut bytes, true);
        rest = rest.get(read..).unwrap_or_default();
        match result {
            EncoderResult::InputEmpty => return bytes.into(),
            EncoderResult::Unmappable(_) => bytes.push(b'?'),
            // The reservation was too small for this encoding; the next round makes more room.
            EncoderResult::OutputFull => bytes.reserve(64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_encoded_as_the_destination_wants_it() {
        let check = |label: &str, text: &str, expected: &[u8]| {
            let body = Body::Text { text: text.to_owned(), encoding: label.to_owned() };
            assert_eq!(body.encode().unwrap(), expected, "{label} {text}");
        };
        check("utf-8", "é€", "é€".as_bytes());
        check("", "é", "é".as_bytes());
        check("ascii", "aé€", b"a??");
        check("latin-1", "aé€", b"a\xe9?");
        check("iso-8859-1", "\u{85}", b"\x85");
        check("cp1252", "aé€字", b"a\xe9\x80?");
        check("windows-1251", "Ж", b"\xc6");
        check("utf-16", "a€", b"\xff\xfea\0\xac\x20");
        check("utf-16-be", "a", b"\0a");
        check("utf_8", "é", "é".as_bytes());
        check("shift_jis", "字é", b"\x8e\x9a?");
        check("utf-8-sig", "a", b"\xef\xbb\xbfa");
    }

    #[test]
    fn an_encoding_that_nobody_knows_is_refused() {
        let body = Body::Text { text: "a".to_owned(), encoding: "klingon".to_owned() };
        assert!(body.encode().is_err());
    }
}
