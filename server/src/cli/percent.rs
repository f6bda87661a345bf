//! Text inside an address (RFC 3986 2.1).

use std::fmt::Write;

/// Everything but letters, digits and `-._~` becomes `%XX`: fit for a path segment and for a query's value.
pub(crate) fn encode(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_unreserved_characters_stay() {
        assert_eq!(super::encode("aZ0-._~"), "aZ0-._~");
        assert_eq!(super::encode(r#"{"a":1}/ü"#), "%7B%22a%22%3A1%7D%2F%C3%BC");
    }
}
