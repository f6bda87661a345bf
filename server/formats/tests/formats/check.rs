//! Whether an output can be read at all: XML is well-formed, JSON parses, packages are complete.

use dateline_formats::Document;
use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::Value;
use std::io::{Cursor, Read};

/// Panics with what is wrong; `what` says where it came from.
#[track_caller]
pub(crate) fn document(document: &Document, what: &str) {
    assert!(!document.bytes.is_empty(), "{what}: empty");
    match document.extension {
        "json" => {
            json(document, what);
        }
        "idml" => package(&document.bytes, what),
        _ => xml(&document.bytes, what),
    }
}

#[track_caller]
pub(crate) fn json(document: &Document, what: &str) -> Value {
    serde_json::from_slice(&document.bytes).unwrap_or_else(|error| panic!("{what}: {error}"))
}

/// Tags match, attributes are once each, references are known, and all characters are those of XML 1.0.
#[track_caller]
pub(crate) fn xml(bytes: &[u8], what: &str) {
    let text = std::str::from_utf8(bytes).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(text.chars().all(is_legal), "{what}: a character that XML cannot have");
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_end_names = true;
    let mut depth = 0;
    let mut elements = 0;
    loop {
        let event = reader.read_event().unwrap_or_else(|error| panic!("{what}: {error}\n{text}"));
        match &event {
            Event::Start(start) | Event::Empty(start) => {
                elements += 1;
                depth += usize::from(matches!(event, Event::Start(_)));
                assert!(depth <= 256, "{what}: too deep for many readers");
                for attribute in start.attributes() {
                    let attribute = attribute.unwrap_or_else(|error| panic!("{what}: {error}\n{text}"));
                    let raw = &*attribute.value;
                    assert!(!raw.contains('<'), "{what}: < in an attribute");
                    legal(&quick_xml::escape::unescape(raw).unwrap(), what);
                }
            }
            Event::End(_) => depth -= 1,
            Event::Text(found) => {
                assert!(!found.contains("]]>"), "{what}: ]]> in text");
                legal(&quick_xml::escape::unescape(found).unwrap(), what);
            }
            Event::GeneralRef(found) => {
                let name: &str = found;
                let is_known = matches!(name, "lt" | "gt" | "amp" | "quot" | "apos" | "#13" | "#10" | "#9");
                assert!(is_known, "{what}: &{name};");
            }
            Event::CData(_) | Event::Comment(_) => panic!("{what}: neither CDATA nor comments are written"),
            Event::Eof => break,
            _ => {}
        }
    }
    assert!(depth == 0 && elements > 0, "{what}: {depth} elements are open at the end of {elements}");
}

fn legal(text: &str, what: &str) {
    assert!(text.chars().all(is_legal), "{what}: a reference to a character that XML cannot have");
}

fn is_legal(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// The parts of a package, in order.
#[track_caller]
pub(crate) fn parts(bytes: &[u8], what: &str) -> Vec<(String, String)> {
    let mut archive =
        zip::ZipArchive::new(Cursor::new(bytes)).unwrap_or_else(|error| panic!("{what}: {error}"));
    let mut parts = Vec::new();
    for at in 0..archive.len() {
        let mut file = archive.by_index(at).unwrap();
        assert_eq!(file.compression(), zip::CompressionMethod::Stored, "{what}");
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        parts.push((file.name().unwrap().into_owned(), text));
    }
    parts
}

/// The media type comes first, readable at byte 38; every part is well-formed, everything referred to is there.
#[track_caller]
fn package(bytes: &[u8], what: &str) {
    let parts = parts(bytes, what);
    let media_type = "application/vnd.adobe.indesign-idml-package";
    assert_eq!(parts[0], ("mimetype".to_owned(), media_type.to_owned()), "{what}");
    assert_eq!(&bytes[30..38 + media_type.len()], format!("mimetype{media_type}").as_bytes(), "{what}");
    assert_eq!(parts.last().unwrap().0, "designmap.xml", "{what}");
    let names: Vec<&str> = parts.iter().map(|(name, _)| name.as_str()).collect();
    for (name, text) in &parts[1..] {
        xml(text.as_bytes(), &format!("{what} {name}"));
        for reference in values(text, "src") {
            assert!(names.contains(&reference), "{what}: {name} refers to {reference}");
        }
    }
    let map = &parts.last().unwrap().1;
    let frames: Vec<&str> = parts.iter().flat_map(|(_, text)| values(text, "ParentStory")).collect();
    for story in
        values(map, "StoryList").into_iter().flat_map(|list| list.split(' ')).filter(|id| !id.is_empty())
    {
        assert_eq!(frames.iter().filter(|frame| **frame == story).count(), 1, "{what}: frames of {story}");
    }
    let styles = values(&parts[1].1, "Self");
    for style in parts.iter().flat_map(|(_, text)| values(text, "AppliedParagraphStyle")) {
        assert!(styles.contains(&style), "{what}: style {style}");
    }
    let links: Vec<&str> = values(map, "Source");
    for source in parts.iter().filter(|(name, _)| name.starts_with("Stories/")).flat_map(|(_, text)| {
        text.split("<HyperlinkTextSource")
            .skip(1)
            .flat_map(|element| values(element, "Self").into_iter().take(1))
    }) {
        assert!(links.contains(&source), "{what}: link {source} leads nowhere");
    }
}

fn values<'a>(text: &'a str, attribute: &str) -> Vec<&'a str> {
    let start = format!(" {attribute}=\"");
    text.split(start.as_str()).skip(1).filter_map(|rest| rest.split('"').next()).collect::<Vec<_>>()
}
