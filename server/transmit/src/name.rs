//! Names of files at a receiver.

use crate::digest::Sha;
use crate::limits::FILE_NAME_BYTES_MAX;
use crate::transmission::Transmission;

/// The name of the file a row becomes: `{item_id}-{item_version}-{published_seq_num}.{ext}`.
///
/// The extension is the destination's `file_extension`, else it follows from the format: `ntf`, `xml`, `json` or `txt`.
/// A colon becomes a hyphen, and so does what would leave the folder or break a line: slashes and control characters. A
/// name does not begin with a dot or white space, and one of more than 255 bytes ends in a digest of the whole.
pub fn file_name(transmission: &Transmission) -> String {
    let Transmission { item_id, item_version, published_seq_num, destination, .. } = transmission;
    let configured = destination.config.text("file_extension");
    let extension = match &configured {
        Some(extension) => extension.trim_start_matches('.'),
        None => extension_of(&destination.format),
    };
    clean(&format!("{item_id}-{item_version}-{published_seq_num}.{extension}"))
}

/// The name a file has until all of it is there. Readers of a folder skip what begins with a dot; the same row has the
/// same one at every attempt.
pub(crate) fn temporary_name(transmission: &Transmission) -> String {
    format!(".{}.part", transmission.id())
}

fn extension_of(format: &str) -> &'static str {
    let format = format.to_lowercase();
    let has = |part| format.contains(part);
    match () {
        () if has("nitf") => "ntf",
        // The formats of NewsML are XML without saying so.
        () if has("xml") || has("newsml") => "xml",
        () if has("ninjs") => "json",
        () => "txt",
    }
}

/// A name that is one component of a path, in any file system and in any command line of FTP.
pub(crate) fn clean(name: &str) -> String {
    let mut name: String = name.chars().map(|char| if is_safe(char) { char } else { '-' }).collect();
    if name.starts_with(|first: char| first == '.' || first.is_whitespace()) {
        name.insert(0, '-');
    }
    if name.len() > FILE_NAME_BYTES_MAX {
        name = shorten(&name);
    }
    name
}

fn is_safe(char: char) -> bool {
    !(char.is_control() || matches!(char, ':' | '/' | '\\' | '\u{2028}' | '\u{2029}'))
}

/// Keeps the extension, and tells long names apart that begin alike.
fn shorten(name: &str) -> String {
    let (stem, extension) = match name.rsplit_once('.') {
        Some((stem, extension)) if extension.len() <= 16 => (stem, format!(".{extension}")),
        _ => (name, String::new()),
    };
    let tail = format!("-{}{extension}", Sha::of(name.as_bytes()).hex());
    let mut end = FILE_NAME_BYTES_MAX - tail.len();
    while !stem.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{tail}", stem.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::Body;
    use crate::transmission::Destination;
    use serde_json::json;

    fn check(item_id: &str, format: &str, extension: Option<&str>, expected: &str) {
        let transmission = Transmission {
            item_id: item_id.to_owned(),
            item_version: 3,
            published_seq_num: 17,
            subscriber_id: "s".to_owned(),
            destination: Destination {
                name: "d".to_owned(),
                format: format.to_owned(),
                delivery_type: "File".to_owned(),
                config: json!({"file_extension": extension}).into(),
            },
            body: Body::text(""),
            is_in_package: false,
        };
        assert_eq!(file_name(&transmission), expected);
    }

    #[test]
    fn a_row_has_the_name_that_receivers_know() {
        check("a", "nitf", None, "a-3-17.ntf");
        check("a", "NITF", None, "a-3-17.ntf");
        check("a", "newsmlg2", None, "a-3-17.xml");
        check("a", "newsml12", None, "a-3-17.xml");
        check("a", "ninjs", None, "a-3-17.json");
        check("a", "ftp ninjs", None, "a-3-17.json");
        check("a", "email", None, "a-3-17.txt");
        check("a", "ninjs", Some("JS"), "a-3-17.JS");
        check("a", "ninjs", Some(".js"), "a-3-17.js");
        check("a", "ninjs", Some("  "), "a-3-17.json");
        check("urn:newsml:host:2024:x", "nitf", None, "urn-newsml-host-2024-x-3-17.ntf");
    }

    #[test]
    fn no_name_leaves_its_folder_or_its_line() {
        check("../../etc/passwd", "x", None, "-..-..-etc-passwd-3-17.txt");
        check("/etc/passwd", "x", None, "-etc-passwd-3-17.txt");
        check("a\r\nDELE b\0", "x", None, "a--DELE b--3-17.txt");
        check("a", "x", Some("a/../../b"), "a-3-17.a-..-..-b");
        check(" a", "x", None, "- a-3-17.txt");
    }

    #[test]
    fn a_long_name_keeps_its_extension_and_its_difference() {
        let [one, two] = ["1", "2"].map(|end| clean(&format!("{}{end}.json", "ü".repeat(300))));
        assert!(one.len() <= FILE_NAME_BYTES_MAX && one.ends_with(".json"));
        assert_ne!(one, two);
        let bare = clean(&"x".repeat(1000));
        assert_eq!(bare.len(), FILE_NAME_BYTES_MAX);
    }
}
