//! Bytes as text: by the byte order mark, else by the XML declaration, else UTF-8.

use encoding_rs::{Encoding, UTF_8};

/// # Errors
/// What is wrong, when the bytes are no text of their encoding, or nobody knows that.
pub(crate) fn decode(bytes: &[u8]) -> Result<String, String> {
    if let Some((encoding, length)) = Encoding::for_bom(bytes) {
        return decoded(encoding, bytes.get(length..).unwrap_or_default());
    }
    match declared(bytes) {
        None => decoded(UTF_8, bytes),
        Some(label) => match Encoding::for_label(label.as_bytes()) {
            // Who declares UTF-16 in bytes that can be read as ASCII did not send it.
            Some(encoding) if !encoding.is_ascii_compatible() => decoded(UTF_8, bytes),
            Some(encoding) => decoded(encoding, bytes),
            None => Err(format!("the encoding {label:?} is not known")),
        },
    }
}

fn decoded(encoding: &'static Encoding, bytes: &[u8]) -> Result<String, String> {
    let text = encoding.decode_without_bom_handling_and_without_replacement(bytes);
    let text = text.ok_or_else(|| format!("not {} throughout", encoding.name()))?;
    // XML 1.0 section 2.2, production [2] Char: what cannot stand in XML is left out, whoever let it in.
    Ok(text.chars().filter(|c| is_legal(*c)).collect())
}

/// Whether a character may stand in XML, and in an item.
pub(crate) fn is_legal(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// The encoding that `<?xml ... encoding="..."?>` names.
fn declared(bytes: &[u8]) -> Option<String> {
    let start: String = bytes.iter().take(200).map(|byte| char::from(*byte)).collect();
    let declaration = start.trim_start().strip_prefix("<?xml")?.split("?>").next()?;
    let rest = declaration.split("encoding").nth(1)?.trim_start().strip_prefix('=')?.trim_start();
    let quote = rest.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    rest.get(1..)?.split(quote).next().map(|label| label.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings() {
        let latin = b"<?xml version='1.0' encoding='iso-8859-1'?><a>\xe9</a>";
        assert!(decode(latin).unwrap().ends_with("<a>é</a>"));
        let utf16: Vec<u8> =
            [0xff, 0xfe].into_iter().chain("<a>é</a>".encode_utf16().flat_map(u16::to_le_bytes)).collect();
        assert_eq!(decode(&utf16).unwrap(), "<a>é</a>");
        assert_eq!(decode(b"\xef\xbb\xbf<a/>").unwrap(), "<a/>");
        assert_eq!(decode(b"a\x00b\x0bc").unwrap(), "abc");
        assert!(decode(b"<a>\xff</a>").is_err());
        assert!(decode(b"<?xml version='1.0' encoding='klingon'?><a/>").is_err());
        assert!(decode(b"<?xml version='1.0' encoding='utf-16'?><a/>").is_ok());
        assert!(decode(b"<?xml encoding=").is_ok());
    }
}
