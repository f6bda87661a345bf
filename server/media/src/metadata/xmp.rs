//! XMP (ISO 16684-1): simple properties, lists and alternatives of the RDF inside the packet.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde_json::{Map, Value};

use super::text_of;
use crate::limits::{FIELDS_MAX, VALUES_MAX, XMP_BYTES_MAX, XMP_DEPTH_MAX};

pub(super) fn read(packet: &[u8]) -> Map<String, Value> {
    let mut found = Map::new();
    if packet.len() > XMP_BYTES_MAX {
        return found;
    }
    // Packets are UTF-8 in every format that is read here.
    let packet = String::from_utf8_lossy(packet);
    let mut reader = Reader::from_str(&packet);
    let mut open: Vec<Open> = Vec::new();
    while found.len() < FIELDS_MAX {
        match reader.read_event() {
            Ok(Event::Start(start)) => {
                let own = Open::of(&start);
                own.attributes(&start, &open, &mut found);
                open.push(own);
                if open.len() > XMP_DEPTH_MAX {
                    return found;
                }
            }
            Ok(Event::Empty(start)) => Open::of(&start).attributes(&start, &open, &mut found),
            Ok(Event::Text(text)) => {
                if let Some(own) = open.last_mut() {
                    own.text.push_str(&text);
                }
            }
            Ok(Event::GeneralRef(reference)) => {
                if let (Some(c), Some(own)) = (referred(&reference), open.last_mut()) {
                    own.text.push(c);
                }
            }
            Ok(Event::End(_)) => {
                if let Some(own) = open.pop() {
                    own.close(&open, &mut found);
                }
            }
            Ok(Event::Eof) | Err(_) => return found,
            Ok(_) => {}
        }
    }
    found
}

/// An element that is not closed yet.
struct Open {
    name: String,
    text: String,
    /// Of an alternative: its default is the first or this.
    is_default: bool,
}

impl Open {
    fn of(start: &BytesStart<'_>) -> Self {
        let language = start.attributes().flatten().find(|own| own.key.as_ref() == "xml:lang");
        Self {
            name: start.name().as_ref().to_owned(),
            text: String::new(),
            is_default: language.is_some_and(|own| own.value.as_ref() == "x-default"),
        }
    }

    /// Properties in the short form, as attributes of a description.
    fn attributes(&self, start: &BytesStart<'_>, open: &[Self], found: &mut Map<String, Value>) {
        let is_outer = open.iter().filter(|own| own.name == "rdf:Description").count() == 0;
        if self.name != "rdf:Description" || !is_outer {
            return;
        }
        for own in start.attributes().flatten().take(FIELDS_MAX) {
            let key = own.key.as_ref().to_owned();
            let is_markup = ["xmlns", "rdf:", "xml:"].iter().any(|prefix| key.starts_with(prefix));
            let value = own.normalized_value(quick_xml::XmlVersion::Implicit1_0);
            if let (false, Some(text)) = (is_markup, value.ok().and_then(|text| text_of(text.as_bytes()))) {
                found.entry(key).or_insert(Value::String(text));
            }
        }
    }

    fn close(self, open: &[Self], found: &mut Map<String, Value>) {
        let Some(text) = text_of(self.text.as_bytes()) else { return };
        let names: Vec<&str> = open.iter().map(|own| own.name.as_str()).collect();
        match names.as_slice() {
            [.., "rdf:RDF", "rdf:Description"] if !self.name.starts_with("rdf:") => {
                found.entry(self.name).or_insert(Value::String(text));
            }
            [.., "rdf:RDF", "rdf:Description", property, "rdf:Alt"]
                if self.name == "rdf:li" && (self.is_default || !found.contains_key(*property)) =>
            {
                found.insert((*property).to_owned(), Value::String(text));
            }
            [.., "rdf:RDF", "rdf:Description", property, "rdf:Bag" | "rdf:Seq"] if self.name == "rdf:li" => {
                let list = found.entry(*property).or_insert_with(|| Value::Array(Vec::new()));
                if let Some(list) = list.as_array_mut().filter(|list| list.len() < VALUES_MAX) {
                    list.push(text.into());
                }
            }
            _ => {}
        }
    }
}

/// Character references and the five entities that XML has by itself.
fn referred(reference: &quick_xml::events::BytesRef<'_>) -> Option<char> {
    if let Ok(Some(c)) = reference.resolve_char_ref() {
        return Some(c);
    }
    match reference.as_ref() {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn properties_come_in_three_forms() {
        let packet = r#"<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>
            <x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
            <rdf:Description rdf:about="" xmlns:dc="d" photoshop:Credit="A &amp; B" photoshop:City=" ">
              <photoshop:Headline>Two &lt; three &#233;</photoshop:Headline>
              <dc:title><rdf:Alt><rdf:li xml:lang="de">Titel</rdf:li><rdf:li xml:lang="x-default">Title</rdf:li></rdf:Alt></dc:title>
              <dc:creator><rdf:Seq><rdf:li>Ann</rdf:li><rdf:li>Bob</rdf:li></rdf:Seq></dc:creator>
              <Iptc4xmpCore:CreatorContactInfo rdf:parseType="Resource"><Iptc4xmpCore:CiUrlWork>u</Iptc4xmpCore:CiUrlWork></Iptc4xmpCore:CreatorContactInfo>
            </rdf:Description></rdf:RDF></x:xmpmeta>"#;
        let expected = json!({
            "photoshop:Credit": "A & B", "photoshop:Headline": "Two < three é", "dc:title": "Title",
            "dc:creator": ["Ann", "Bob"],
        });
        assert_eq!(Value::Object(read(packet.as_bytes())), expected);
    }

    #[test]
    fn what_is_no_packet_says_nothing() {
        for text in ["", "<", "<a", "plain", "<a><b></a>", "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>"] {
            assert!(read(text.as_bytes()).is_empty(), "{text}");
        }
        assert!(read(&b"<a>".repeat(1000)).is_empty());
    }
}
