//! IPTC IIM 4.2, records 1 and 2, as Photoshop resource 0x0404 or by itself.
//!
//! resources = *("8BIM" id:u16 name:(len:u8 bytes, padded to even) size:u32 bytes, padded to even), datasets =
//! *(0x1C record:u8 number:u8 size:u16 bytes); all big-endian. A size from 0x8000 on tells that its own length follows.

use serde_json::{Map, Value};

use super::text_of;
use crate::limits::{FIELDS_MAX, VALUES_MAX};

const RESOURCE: &[u8] = b"8BIM";
const DATASETS: u16 = 0x0404;
const MARK: u8 = 0x1C;
/// What dataset 1:90 says of UTF-8 (ISO 2022).
const UTF8: &[u8] = b"\x1b%G";

/// Datasets of record 2 by number; those that may occur several times are lists.
const NAMES: &[(u8, &str, bool)] = &[
    (5, "object name", false),
    (10, "urgency", false),
    (15, "category", false),
    (20, "supplemental category", true),
    (22, "fixture identifier", false),
    (25, "keywords", true),
    (30, "release date", false),
    (35, "release time", false),
    (37, "expiration date", false),
    (40, "special instructions", false),
    (55, "date created", false),
    (60, "time created", false),
    (62, "digital creation date", false),
    (63, "digital creation time", false),
    (65, "originating program", false),
    (80, "by-line", true),
    (85, "by-line title", true),
    (90, "city", false),
    (92, "sub-location", false),
    (95, "province/state", false),
    (100, "country/primary location code", false),
    (101, "country/primary location name", false),
    (103, "original transmission reference", false),
    (105, "headline", false),
    (110, "credit", false),
    (115, "source", false),
    (116, "copyright notice", false),
    (118, "contact", true),
    (120, "caption/abstract", false),
    (122, "writer/editor", true),
];

pub(super) fn read(block: &[u8]) -> Map<String, Value> {
    let mut found = Map::new();
    let mut is_utf8 = false;
    let mut rest = datasets(block);
    for _ in 0..FIELDS_MAX {
        let Some((record, number, value, after)) = dataset(rest) else { break };
        rest = after;
        match (record, number) {
            (1, 90) => is_utf8 = value == UTF8,
            (2, number) => {
                let Some((_, name, is_list)) = NAMES.iter().find(|known| known.0 == number) else { continue };
                let text = if is_utf8 { text_of(value) } else { text_of(other(value).as_bytes()) };
                if let Some(text) = text {
                    keep(&mut found, name, *is_list, text);
                }
            }
            _ => {}
        }
    }
    found
}

fn keep(found: &mut Map<String, Value>, name: &str, is_list: bool, text: String) {
    if !is_list {
        found.entry(name).or_insert(Value::String(text));
        return;
    }
    let list = found.entry(name).or_insert_with(|| Value::Array(Vec::new()));
    if let Some(list) = list.as_array_mut().filter(|list| list.len() < VALUES_MAX) {
        list.push(text.into());
    }
}

/// Without a word about it: UTF-8 where it is that, else Latin-1, which is what most tools wrote.
fn other(value: &[u8]) -> String {
    match std::str::from_utf8(value) {
        Ok(text) => text.to_owned(),
        Err(_) => value.iter().map(|byte| char::from(*byte)).collect(),
    }
}

/// The datasets among Photoshop's resources, or all, where they stand by themselves.
fn datasets(block: &[u8]) -> &[u8] {
    let mut rest = block;
    if !rest.starts_with(RESOURCE) {
        return if rest.first() == Some(&MARK) { rest } else { &[] };
    }
    loop {
        let Some((id, value, after)) = resource(rest) else { return &[] };
        if id == DATASETS {
            return value;
        }
        rest = after;
    }
}

fn resource(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let rest = bytes.strip_prefix(RESOURCE)?;
    let (id, rest) = rest.split_first_chunk::<2>()?;
    // The name with its length is padded to even.
    let named = usize::from(*rest.first()?) + 1;
    let (size, rest) = rest.get(named + named % 2..)?.split_first_chunk::<4>()?;
    let size = u32::from_be_bytes(*size) as usize;
    let value = rest.get(..size)?;
    let after = rest.get(size.checked_add(size % 2)?..).unwrap_or_default();
    Some((u16::from_be_bytes(*id), value, after))
}

fn dataset(bytes: &[u8]) -> Option<(u8, u8, &[u8], &[u8])> {
    let (&[mark, record, number, high, low], rest) = bytes.split_first_chunk::<5>()?;
    if mark != MARK {
        return None;
    }
    let size = u16::from_be_bytes([high, low]);
    let (size, rest) = match size & 0x8000 {
        0 => (usize::from(size), rest),
        _ => {
            let (length, rest) = rest.split_at_checked(usize::from(size & 0x7FFF))?;
            let is_short = length.len() <= 4;
            let size = length.iter().fold(0_usize, |size, byte| size << 8 | usize::from(*byte));
            (is_short.then_some(size)?, rest)
        }
    };
    let (value, after) = rest.split_at_checked(size)?;
    Some((record, number, value, after))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set(record: u8, number: u8, value: &[u8]) -> Vec<u8> {
        let size = (value.len() as u16).to_be_bytes();
        [&[MARK, record, number, size[0], size[1]], value].concat()
    }

    fn photoshop(sets: &[u8]) -> Vec<u8> {
        let other = [RESOURCE, &[0x03, 0xED, 3], b"abc", &3_u32.to_be_bytes(), b"xyz\0"].concat();
        let own = [RESOURCE, &[0x04, 0x04, 0, 0], &(sets.len() as u32).to_be_bytes(), sets].concat();
        [other, own].concat()
    }

    #[test]
    fn datasets_have_names() {
        let sets = [
            set(1, 90, UTF8),
            set(2, 105, "Bänke".as_bytes()),
            set(2, 25, b"park"),
            set(2, 25, b"bench"),
            set(2, 200, b"unknown"),
            set(3, 1, b"other record"),
        ];
        let sets = sets.concat();
        let expected = json!({"headline": "Bänke", "keywords": ["park", "bench"]});
        assert_eq!(Value::Object(read(&photoshop(&sets))), expected);
        assert_eq!(Value::Object(read(&sets)), expected);
    }

    #[test]
    fn without_a_charset_it_is_latin_1_unless_it_is_utf_8() {
        assert_eq!(read(&set(2, 90, b"K\xf6ln"))["city"], "Köln");
        assert_eq!(read(&set(2, 90, "Köln".as_bytes()))["city"], "Köln");
    }

    #[test]
    fn long_datasets_say_how_long_their_length_is() {
        let long = [&[MARK, 2, 120, 0x80, 4], &5_u32.to_be_bytes()[..], b"Words"].concat();
        assert_eq!(read(&long)["caption/abstract"], "Words");
        assert!(read(&long[..long.len() - 1]).is_empty());
        assert!(read(&[MARK, 2, 120, 0x80, 9, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]).is_empty());
        assert!(read(b"").is_empty() && read(b"8BIM").is_empty() && read(b"junk").is_empty());
    }
}
