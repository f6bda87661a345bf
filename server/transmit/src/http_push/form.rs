//! A medium as a form (RFC 7578): the field `media_id`, then the file `media`.

use crate::digest::Sha;
use crate::media::Medium;
use bytes::Bytes;

/// The bytes around the file, and the type of the whole.
pub(super) struct Form {
    pub(super) content_type: String,
    pub(super) before: Bytes,
    pub(super) after: Bytes,
}

impl Form {
    /// A form whose boundary follows from the medium, so that two passes over it have the same bytes.
    pub(super) fn of(medium: &Medium) -> Form {
        let boundary = format!("dateline-{}", Sha::of(medium.id.as_bytes()).hex());
        let id = &medium.id;
        let before = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"media_id\"\r\n\r\n{id}\r\n\
             --{boundary}\r\nContent-Disposition: form-data; name=\"media\"; filename=\"{}\"\r\n\
             Content-Type: {}\r\n\r\n",
            quoted(id),
            media_type(&medium.content_type),
        );
        Form {
            content_type: format!("multipart/form-data; boundary={boundary}"),
            before: before.into(),
            after: format!("\r\n--{boundary}--\r\n").into(),
        }
    }
}

/// A text inside of the quotes of a parameter, escaped as browsers do.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '"' => quoted.push_str("%22"),
            '\r' => quoted.push_str("%0D"),
            '\n' => quoted.push_str("%0A"),
            char if char.is_control() => quoted.push('_'),
            char => quoted.push(char),
        }
    }
    quoted
}

/// The type if it is one, else that of any bytes.
pub(crate) fn media_type(text: &str) -> &str {
    let is_part = |part: &str| {
        let is_char = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&byte);
        !part.is_empty() && part.bytes().all(is_char)
    };
    match text.split_once('/') {
        Some((kind, subtype)) if is_part(kind) && is_part(subtype) => text,
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::MediumKind;

    #[test]
    fn no_id_and_no_type_writes_a_header() {
        let form = Form::of(&Medium {
            id: "a\"; x=\"\r\nX-Evil: 1".to_owned(),
            file_name: String::new(),
            content_type: "image/png\r\nX-Evil: 1".to_owned(),
            kind: MediumKind::Attachment,
            association: None,
        });
        let text = String::from_utf8(form.before.to_vec()).unwrap();
        let (_, file) = text.split_once("name=\"media\"").unwrap();
        assert_eq!(
            file,
            "; filename=\"a%22; x=%22%0D%0AX-Evil: 1\"\r\nContent-Type: application/octet-stream\r\n\r\n"
        );
    }
}
