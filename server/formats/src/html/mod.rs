//! The markup inside items: parsed as a browser would, then read as plain text, paragraphs, NITF or blocks for layout.
//!
//! Parsing never fails for what is wrong in the markup, only for how much there is of it (`guard`).

mod clean;
mod guard;
mod nitf;
mod paragraphs;

pub use clean::clean_markup;
pub(crate) use clean::{clean, safe_address};
pub(crate) use nitf::enriched;
pub(crate) use paragraphs::{Run, paragraphs};

use crate::chars::count_words;
use crate::error::Fault;
use ego_tree::NodeRef;
use ego_tree::iter::Edge;
use scraper::{Html, Node};

/// Parsed markup of one field.
pub(crate) struct Markup {
    html: Html,
}

pub(crate) type MarkupNode<'a> = NodeRef<'a, Node>;

impl Markup {
    /// Parses a fragment.
    ///
    /// # Errors
    /// [`FaultKind::TooLarge`](crate::FaultKind::TooLarge) beyond the limits of size, depth and work.
    pub(crate) fn parse(field: &str, text: &str) -> Result<Markup, Fault> {
        guard::check(field, text)?;
        Ok(Markup { html: Html::parse_fragment(text) })
    }

    /// The nodes at the top.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = MarkupNode<'_>> {
        // A fragment's only child is the `html` element that the parser invents.
        self.html.tree.root().children().flat_map(|root| root.children())
    }

    /// The text without tags; blocks do not part words: the count of characters is of this.
    pub(crate) fn text(&self) -> String {
        read(self.html.tree.root(), false)
    }

    /// The text with a line feed between blocks and for each `br`.
    pub(crate) fn lines(&self) -> String {
        lines(self.html.tree.root())
    }
}

/// The words of a marked-up text, as `word_count` of an item has them; `None` for one that is too large to be read.
pub fn word_count(markup: &str) -> Option<usize> {
    Some(count_words(&Markup::parse("", markup).ok()?.lines()))
}

/// A marked-up text as it is read, with a line feed between blocks.
///
/// # Errors
/// [`FaultKind::TooLarge`](crate::FaultKind::TooLarge) beyond the limits of size, depth and work.
pub fn plain_lines(field: &str, markup: &str) -> Result<String, Fault> {
    Ok(Markup::parse(field, markup)?.lines())
}

/// The text of one node, as [`Markup::lines`] gives it of all.
fn lines(node: MarkupNode<'_>) -> String {
    read(node, true).trim_matches('\n').to_owned()
}

fn read(node: MarkupNode<'_>, lines: bool) -> String {
    let mut out = String::new();
    let mut hidden = 0_usize;
    for edge in node.traverse() {
        let (node, opens) = match edge {
            Edge::Open(node) => (node, true),
            Edge::Close(node) => (node, false),
        };
        match node.value() {
            Node::Text(text) if opens && hidden == 0 => out.push_str(text),
            Node::Element(element) if is_hidden(element.name()) => {
                hidden = if opens { hidden + 1 } else { hidden - 1 };
            }
            Node::Element(element) if lines && hidden == 0 => match element.name() {
                "br" if opens => out.push('\n'),
                name if is_block(name) && !out.is_empty() && !out.ends_with('\n') => out.push('\n'),
                _ => {}
            },
            _ => {}
        }
    }
    out
}

/// The name of an element, empty for any other node.
pub(crate) fn name_of<'a>(node: MarkupNode<'a>) -> &'a str {
    node.value().as_element().map(|element| element.name()).unwrap_or_default()
}

/// The rows of a table, not those of tables inside.
pub(crate) fn rows<'a>(table: MarkupNode<'a>) -> impl Iterator<Item = MarkupNode<'a>> {
    table.descendants().filter(move |inner| {
        let nearest = || inner.ancestors().find(|above| name_of(*above) == "table");
        name_of(*inner) == "tr" && nearest().is_some_and(|nearest| nearest.id() == table.id())
    })
}

/// The text of one field that may have markup in it.
pub(crate) fn plain(field: &str, text: &str) -> Result<String, Fault> {
    if !text.contains(['<', '&']) {
        return Ok(text.to_owned());
    }
    Ok(Markup::parse(field, text)?.text())
}

/// A text as it stands between tags.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A text as it stands in a quoted attribute.
pub(crate) fn escape_attribute(text: &str) -> String {
    escape(text).replace('"', "&quot;")
}

/// Elements whose content is not for reading.
pub(crate) fn is_hidden(name: &str) -> bool {
    matches!(
        name,
        "script"
            | "style"
            | "head"
            | "title"
            | "iframe"
            | "object"
            | "embed"
            | "noscript"
            | "template"
            | "svg"
            | "math"
    )
}

/// Elements that begin and end a line.
pub(crate) fn is_block(name: &str) -> bool {
    matches!(
        name,
        "address"
            | "article"
            | "aside"
            | "blockquote"
            | "caption"
            | "center"
            | "dd"
            | "details"
            | "div"
            | "dl"
            | "dt"
            | "fieldset"
            | "figcaption"
            | "figure"
            | "footer"
            | "form"
            | "h1"
            | "h2"
            | "h3"
            | "h4"
            | "h5"
            | "h6"
            | "header"
            | "hr"
            | "li"
            | "main"
            | "nav"
            | "ol"
            | "p"
            | "pre"
            | "section"
            | "summary"
            | "table"
            | "tbody"
            | "td"
            | "tfoot"
            | "th"
            | "thead"
            | "tr"
            | "ul"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn markup(text: &str) -> Markup {
        Markup::parse("body_html", text).unwrap()
    }

    #[test]
    fn text_is_what_is_read() {
        let story = "<p>Rain &amp; <b>sn</b>ow</p><p>two<br>lines</p><ul><li>a</li><li>b</li></ul>\
            <script>alert(1)</script><!-- no --><iframe>x</iframe>end";
        assert_eq!(markup(story).text(), "Rain & snowtwolinesabend");
        assert_eq!(markup(story).lines(), "Rain & snow\ntwo\nlines\na\nb\nend");
        assert_eq!(plain("headline", "a < b &lt; c").unwrap(), "a < b < c");
        assert_eq!(markup("").lines(), "");
    }
}
