//! The bytes of a tree.

use super::{Element, Node};
use crate::error::Fault;
use quick_xml::Writer;
use quick_xml::escape::partial_escape;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

/// What stands before the root.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Prolog {
    /// Whether the declaration names UTF-8. It is UTF-8 in any case.
    pub(crate) encoding: bool,
    /// The inside of `<!DOCTYPE ...>`; never made of an item's values.
    pub(crate) doctype: Option<&'static str>,
    /// A processing instruction; never made of an item's values.
    pub(crate) instruction: Option<&'static str>,
}

impl Prolog {
    pub(crate) const BARE: Prolog = Prolog { encoding: false, doctype: None, instruction: None };
    pub(crate) const UTF8: Prolog = Prolog { encoding: true, doctype: None, instruction: None };
}

/// Whether elements stand on lines of their own. Elements with text among their children never do: there a line end
/// would be content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    Compact,
    Indented,
}

/// A whole document.
pub(crate) fn document(root: &Element, prolog: Prolog, layout: Layout) -> Result<Vec<u8>, Fault> {
    let mut writer = Writer::new(Vec::new());
    write_all(&mut writer, root, prolog, layout).map_err(|error| Fault::internal(&error))?;
    Ok(writer.into_inner())
}

fn write_all(
    writer: &mut Writer<Vec<u8>>,
    root: &Element,
    prolog: Prolog,
    layout: Layout,
) -> std::io::Result<()> {
    writer.write_event(Event::Decl(BytesDecl::new("1.0", prolog.encoding.then_some("UTF-8"), None)))?;
    if let Some(doctype) = prolog.doctype {
        writer.write_event(Event::DocType(BytesText::from_escaped(doctype)))?;
    }
    if let Some(instruction) = prolog.instruction {
        writer.write_event(Event::PI(quick_xml::events::BytesPI::new(instruction)))?;
    }
    match layout {
        Layout::Compact => write(writer, root, None),
        Layout::Indented => {
            line(writer, 0)?;
            write(writer, root, Some(0))?;
            line(writer, 0)
        }
    }
}

/// Writes one element; `depth` is none where line ends would be content.
fn write(writer: &mut Writer<Vec<u8>>, element: &Element, depth: Option<usize>) -> std::io::Result<()> {
    let mut start = BytesStart::new(element.name);
    for (name, value) in &element.attributes {
        start.push_attribute((*name, value.as_str()));
    }
    if element.children.is_empty() {
        return writer.write_event(Event::Empty(start));
    }
    writer.write_event(Event::Start(start))?;
    let inner = depth.filter(|_| !element.has_text()).map(|depth| depth + 1);
    for child in &element.children {
        if let Some(inner) = inner {
            line(writer, inner)?;
        }
        match child {
            Node::Element(child) => write(writer, child, inner)?,
            Node::Text(text) => {
                writer.write_event(Event::Text(BytesText::from_escaped(partial_escape(text.as_str()))))?
            }
        }
    }
    if let (Some(depth), Some(_)) = (depth, inner) {
        line(writer, depth)?;
    }
    writer.write_event(Event::End(BytesEnd::new(element.name)))
}

fn line(writer: &mut Writer<Vec<u8>>, depth: usize) -> std::io::Result<()> {
    let out = writer.get_mut();
    out.push(b'\n');
    out.resize(out.len() + 2 * depth, b' ');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(root: &Element, layout: Layout) -> String {
        String::from_utf8(document(root, Prolog::BARE, layout).unwrap()).unwrap()
    }

    #[test]
    fn values_cannot_become_markup() {
        let root = Element::new("a").attr("b", "\"'<>&\r\n\t\u{0}").text("]]> <x> & \u{1}\r");
        assert_eq!(
            text(&root, Layout::Compact),
            "<?xml version=\"1.0\"?><a b=\"&quot;&apos;&lt;&gt;&amp;&#13;&#10;&#9;\">]]&gt; &lt;x&gt; &amp; &#13;</a>"
        );
    }

    #[test]
    fn lines_are_not_broken_beside_text() {
        let inner =
            Element::new("p").text("one ").child(Element::leaf("em", "two")).child(Element::new("br"));
        let root = Element::new("body").child(inner).child(Element::new("x").child(Element::new("y")));
        assert_eq!(
            text(&root, Layout::Indented),
            "<?xml version=\"1.0\"?>\n<body>\n  <p>one <em>two</em><br/></p>\n  <x>\n    <y/>\n  </x>\n</body>\n"
        );
    }
}
