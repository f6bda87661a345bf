//! A tree from a text.

use super::decode::is_legal;
use super::{Element, Node, Space};
use crate::error::{Code, IngestError};
use crate::limits::{ATTRIBUTES_MAX, DEPTH_MAX, ELEMENTS_MAX};
use quick_xml::NsReader;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::ResolveResult;

/// Reads a document.
///
/// # Errors
/// `UNKNOWN_FORMAT` for what is not well-formed, `TOO_LARGE` beyond the limits.
pub(crate) fn read(text: &str) -> Result<Element, IngestError> {
    let mut reader = NsReader::from_str(text);
    // A lone `&` is what people write.
    reader.config_mut().allow_dangling_amp = true;
    let mut tree = Tree::default();
    loop {
        let (space, event) = reader.read_resolved_event().map_err(|error| malformed(&error.to_string()))?;
        match event {
            Event::Start(start) => {
                tree.open(element(space, &start)?)?;
            }
            Event::Empty(start) => {
                tree.open(element(space, &start)?)?;
                tree.close();
            }
            Event::End(_) => tree.close(),
            Event::Text(text) => tree.text(&text.xml10_content()),
            Event::CData(text) => tree.text(&text.xml10_content()),
            Event::GeneralRef(reference) => tree.text(&resolved(&reference.xml10_content())),
            Event::DocType(doctype) if doctype.contains('[') => {
                return Err(malformed("a document type with declarations is not read"));
            }
            Event::Eof => return tree.finish(),
            Event::DocType(_) | Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
        }
    }
}

fn malformed(reason: &str) -> IngestError {
    IngestError::new(Code::UNKNOWN_FORMAT, format!("not well-formed: {reason}"))
}

fn too_large(what: &str, max: usize) -> IngestError {
    IngestError::new(Code::TOO_LARGE, format!("more than {max} {what}"))
}

fn element(space: ResolveResult<'_>, start: &BytesStart<'_>) -> Result<Element, IngestError> {
    let space = match space {
        ResolveResult::Bound(uri) => Space::named(uri.0),
        ResolveResult::Unbound => Space::Plain,
        // Feeds use prefixes that they forget to declare.
        ResolveResult::Unknown(prefix) => match prefix.as_str() {
            "media" => Space::Media,
            "content" => Space::Content,
            "dc" => Space::DublinCore,
            _ => Space::Other,
        },
    };
    let mut attributes = Vec::new();
    // The check for names that stand twice compares each with each: it is ours to bound.
    for attribute in start.attributes().with_checks(false) {
        let attribute = attribute.map_err(|error| malformed(&error.to_string()))?;
        if attributes.len() == ATTRIBUTES_MAX {
            return Err(too_large("attributes of one element", ATTRIBUTES_MAX));
        }
        attributes.push((attribute.key.into_inner().to_owned(), unescaped(&attribute.value)));
    }
    Ok(Element { space, name: start.local_name().into_inner().to_owned(), attributes, children: Vec::new() })
}

/// What `&name;` stands for; what is not known stays as it was written.
fn resolved(name: &str) -> String {
    let found = match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some('\u{a0}'),
        _ => return character(name).map_or_else(|| format!("&{name};"), String::from),
    };
    found.map(String::from).unwrap_or_default()
}

/// The text of `#65` or `#x41`: empty for a character that no item has.
fn character(name: &str) -> Option<String> {
    let digits = name.strip_prefix('#')?;
    let number = match digits.strip_prefix(['x', 'X']) {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => digits.parse(),
    };
    let number = number.ok()?;
    Some(char::from_u32(number).filter(|c| is_legal(*c)).map(String::from).unwrap_or_default())
}

fn unescaped(raw: &str) -> String {
    if !raw.contains('&') {
        return raw.to_owned();
    }
    let mut pieces = raw.split('&');
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        match piece.split_once(';') {
            Some((name, rest)) if !name.is_empty() && name.len() <= 32 => {
                out.push_str(&resolved(name));
                out.push_str(rest);
            }
            _ => {
                out.push('&');
                out.push_str(piece);
            }
        }
    }
    out
}

/// Elements that are open, and the one that was closed last of all.
#[derive(Default)]
struct Tree {
    open: Vec<Element>,
    root: Option<Element>,
    elements: usize,
}

impl Tree {
    fn open(&mut self, element: Element) -> Result<(), IngestError> {
        if self.open.is_empty() && self.root.is_some() {
            return Err(malformed("there is something behind the end"));
        }
        self.elements += 1;
        if self.elements > ELEMENTS_MAX {
            return Err(too_large("elements", ELEMENTS_MAX));
        }
        if self.open.len() == DEPTH_MAX {
            return Err(too_large("levels of elements", DEPTH_MAX));
        }
        self.open.push(element);
        Ok(())
    }

    fn close(&mut self) {
        let Some(element) = self.open.pop() else { return };
        match self.open.last_mut() {
            Some(parent) => parent.children.push(Node::Element(element)),
            None => self.root = Some(element),
        }
    }

    fn text(&mut self, text: &str) {
        let Some(element) = self.open.last_mut() else { return };
        match element.children.last_mut() {
            Some(Node::Text(before)) => before.push_str(text),
            _ => element.children.push(Node::Text(text.to_owned())),
        }
    }

    fn finish(self) -> Result<Element, IngestError> {
        match (self.open.last(), self.root) {
            (Some(open), _) => Err(malformed(&format!("<{}> has no end", open.name))),
            (None, Some(root)) => Ok(root),
            (None, None) => Err(malformed("there is no element")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_attributes() {
        let root =
            read("<a x='1 &amp; &#x41;&bogus; &'>t<b>&lt;u&#0;&gt;</b><![CDATA[<c>]]>&eacute; A&B</a>")
                .unwrap();
        assert_eq!(root.attr("x"), "1 & A&bogus; &");
        assert_eq!(root.text(), "t<u><c>&eacute; A&B");
        assert_eq!(root.text_at(&["b"]), "<u>");
    }

    #[test]
    fn nothing_is_declared_or_fetched() {
        read("<!DOCTYPE a SYSTEM 'http://example.com/a.dtd'><a/>").unwrap();
        for text in [
            "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>",
            "<!DOCTYPE a [<!ENTITY x 'y'><!ENTITY z '&x;&x;'>]><a>&z;</a>",
            "",
            "<a>",
            "<a></b>",
            "<a/><b/>",
            "text",
        ] {
            assert_eq!(read(text).unwrap_err().code, Code::UNKNOWN_FORMAT, "{text}");
        }
    }

    #[test]
    fn bounds() {
        let deep = "<a>".repeat(DEPTH_MAX + 1);
        let wide =
            format!("<a {}/>", (0..=ATTRIBUTES_MAX).map(|at| format!("x{at}='' ")).collect::<String>());
        let many = format!("<a>{}</a>", "<b/>".repeat(ELEMENTS_MAX));
        for text in [deep, wide, many] {
            assert_eq!(read(&text).unwrap_err().code, Code::TOO_LARGE);
        }
    }

    #[test]
    fn namespaces_are_told_apart() {
        let root = read(
            "<rss xmlns:m='http://search.yahoo.com/mrss/' xmlns:z='urn:z'><m:content/><media:content/><z:title/><title/></rss>",
        )
        .unwrap();
        assert_eq!(
            root.elements().filter(|own| own.space == Space::Media && own.name == "content").count(),
            2
        );
        assert_eq!(root.all("title").count(), 1);
    }
}
