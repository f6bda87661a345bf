//! Markup as NITF, with its inline markup, tables and lists.
//!
//! The content models of NITF 3.6 are stricter than HTML's: text stands in `p`, quotes have blocks, sup and sub stand in
//! `num`. Elements that NITF does not know are unwrapped, their text stays; attributes it does not know are left out,
//! `id` and `style` too (an id could be there twice, a style is the publisher's).

use super::{Markup, MarkupNode, is_block, is_hidden, lines, name_of, rows, safe_address};
use crate::xml::{Element, Node as Xml};
use scraper::Node;

/// The blocks of a body: `p hl2 ol ul table bq pre hr`.
pub(crate) fn enriched(markup: &Markup) -> Vec<Element> {
    let mut blocks = Blocks::default();
    markup.nodes().for_each(|node| blocks.visit(node));
    blocks.finish()
}

/// Blocks in order, and the paragraph that text outside of blocks is gathered in.
#[derive(Default)]
struct Blocks {
    done: Vec<Element>,
    loose: Vec<Xml>,
}

impl Blocks {
    fn visit(&mut self, node: MarkupNode<'_>) {
        let Node::Element(element) = node.value() else {
            return inline_into(&mut self.loose, node);
        };
        match element.name() {
            name if is_hidden(name) => {}
            "p" => self.push(Element::new("p").nodes(inline(node))),
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => self.push(Element::new("hl2").nodes(inline(node))),
            "pre" => self.push(Element::leaf("pre", lines(node))),
            "hr" => self.push(Element::new("hr")),
            "blockquote" => {
                let block = Element::new("block").extend(blocks_of(node));
                self.push(Element::new("bq").child(block));
            }
            "ol" => self.push(list("ol", node)),
            "ul" | "menu" | "dl" => self.push(list("ul", node)),
            "table" => self.push(table(node)),
            name if is_block(name) => {
                self.end_loose();
                node.children().for_each(|child| self.visit(child));
                self.end_loose();
            }
            name if element_of(name).is_some() => inline_into(&mut self.loose, node),
            _ => node.children().for_each(|child| self.visit(child)),
        }
    }

    fn push(&mut self, block: impl Into<Option<Element>>) {
        self.end_loose();
        self.done.extend(block.into());
    }

    fn end_loose(&mut self) {
        let nodes = std::mem::take(&mut self.loose);
        let is_blank = |node: &Xml| matches!(node, Xml::Text(text) if text.trim().is_empty());
        if !nodes.iter().all(is_blank) {
            self.done.push(Element::new("p").nodes(trimmed(nodes)));
        }
    }

    fn finish(mut self) -> Vec<Element> {
        self.end_loose();
        self.done
    }
}

fn blocks_of(node: MarkupNode<'_>) -> Vec<Element> {
    let mut blocks = Blocks::default();
    node.children().for_each(|child| blocks.visit(child));
    blocks.finish()
}

/// The element of NITF, and its class, for an inline element of HTML.
fn element_of(name: &str) -> Option<(&'static str, &'static str)> {
    Some(match name {
        "b" | "strong" => ("em", "bold"),
        "i" | "em" => ("em", "italic"),
        "u" => ("em", "underscore"),
        "strike" | "s" | "del" => ("em", ""),
        "a" => ("a", ""),
        "br" => ("br", ""),
        "sup" => ("sup", ""),
        "sub" => ("sub", ""),
        _ => return None,
    })
}

fn inline(node: MarkupNode<'_>) -> Vec<Xml> {
    let mut out = Vec::new();
    node.children().for_each(|child| inline_into(&mut out, child));
    trimmed(out)
}

/// Appends one node where only text and enriched text may stand; blocks are unwrapped.
fn inline_into(out: &mut Vec<Xml>, node: MarkupNode<'_>) {
    let element = match node.value() {
        Node::Text(text) => return out.push(Xml::text(text)),
        Node::Element(element) => element,
        _ => return,
    };
    if is_hidden(element.name()) {
        return;
    }
    match element_of(element.name()) {
        Some(("br", _)) => out.push(Xml::Element(Element::new("br"))),
        Some((name @ ("sup" | "sub"), _)) => {
            out.push(Xml::Element(Element::new("num").child(Element::leaf(name, lines(node)))));
        }
        Some((name, class)) => {
            let mut inner = Vec::new();
            node.children().for_each(|child| inline_into(&mut inner, child));
            let mut made = Element::new(name).attr_some("class", class);
            if name == "a" {
                made = made.attr_some("href", safe_address(element.attr("href").unwrap_or_default()));
                made = made.attr_some("title", element.attr("title").unwrap_or_default());
            }
            out.push(Xml::Element(made.nodes(inner)));
        }
        None => node.children().for_each(|child| inline_into(out, child)),
    }
}

/// Without breaks at the end, which would be an empty line.
fn trimmed(mut nodes: Vec<Xml>) -> Vec<Xml> {
    let is_void = |node: &Xml| match node {
        Xml::Element(element) => element.name == "br",
        Xml::Text(text) => text.trim().is_empty(),
    };
    let kept = nodes.iter().rposition(|node| !is_void(node)).map_or(0, |last| last + 1);
    let has_break = nodes.iter().skip(kept).any(|node| matches!(node, Xml::Element(_)));
    if has_break || kept == 0 {
        nodes.truncate(kept);
    }
    nodes
}

fn list(name: &'static str, node: MarkupNode<'_>) -> Option<Element> {
    let items: Vec<Element> = node
        .children()
        .filter(|child| matches!(name_of(*child), "li" | "dt" | "dd"))
        .map(|child| Element::new("li").nodes(cell(child)))
        .collect();
    (!items.is_empty()).then(|| Element::new(name).extend(items))
}

/// What may have text or blocks: only text if there are no blocks.
fn cell(node: MarkupNode<'_>) -> Vec<Xml> {
    let mut inside = node.descendants().skip(1).map(name_of);
    let has_block = inside.any(|name| is_block(name) && name != "p");
    let paragraphs = node.children().filter(|child| name_of(*child) == "p");
    if has_block || paragraphs.count() > 1 {
        blocks_of(node).into_iter().map(Xml::Element).collect()
    } else {
        inline(node)
    }
}

fn table(node: MarkupNode<'_>) -> Option<Element> {
    let rows: Vec<Element> = rows(node).filter_map(row).collect();
    (!rows.is_empty()).then(|| Element::new("table").child(Element::new("tbody").extend(rows)))
}

fn row(node: MarkupNode<'_>) -> Option<Element> {
    let cells: Vec<Element> = node
        .children()
        .filter_map(|child| {
            let element = child.value().as_element()?;
            let name = match element.name() {
                "td" => "td",
                "th" => "th",
                _ => return None,
            };
            let span = |name: &str| {
                let digits = element.attr(name).unwrap_or_default();
                if digits.len() < 5 && digits.bytes().all(|byte| byte.is_ascii_digit()) { digits } else { "" }
            };
            let made = Element::new(name)
                .attr_some("rowspan", span("rowspan"))
                .attr_some("colspan", span("colspan"));
            Some(made.nodes(cell(child)))
        })
        .collect();
    (!cells.is_empty()).then(|| Element::new("tr").extend(cells))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::{Layout, Prolog, document};

    #[track_caller]
    fn check(html: &str, expected: &str) {
        let markup = Markup::parse("body_html", html).unwrap();
        let root = Element::new("x").extend(enriched(&markup));
        let text = String::from_utf8(document(&root, Prolog::BARE, Layout::Compact).unwrap()).unwrap();
        assert_eq!(text, format!("<?xml version=\"1.0\"?><x>{expected}</x>"), "{html}");
    }

    #[test]
    fn inline_markup_stays() {
        check(
            "<p>a <b>b</b><i>c</i><u>d</u><strike>e</strike></p>",
            "<p>a <em class=\"bold\">b</em><em class=\"italic\">c</em><em class=\"underscore\">d</em><em>e</em></p>",
        );
        check("<p>m<sup>2</sup> one<br>two<br></p>", "<p>m<num><sup>2</sup></num> one<br/>two</p>");
        check(
            "<a href='http://x/?a=1&amp;b=2' onclick='y' id='z'>l</a> and <a href=' java\nscript:x'>k</a>",
            "<p><a href=\"http://x/?a=1&amp;b=2\">l</a> and <a>k</a></p>",
        );
        check("<p><font>a</font><img src=x><style>b</style><custom>c</custom></p>", "<p>ac</p>");
    }

    #[test]
    fn blocks_are_those_of_nitf() {
        check("<h1>t</h1>loose<hr><pre>a\n b</pre>", "<hl2>t</hl2><p>loose</p><hr/><pre>a\n b</pre>");
        check("<blockquote>q<p>r</p></blockquote>", "<bq><block><p>q</p><p>r</p></block></bq>");
        check(
            "<ul><li>a</li><li><p>b</p><p>c</p></li></ul><ol></ol>",
            "<ul><li>a</li><li><p>b</p><p>c</p></li></ul>",
        );
        check(
            "<table><tr><th colspan=2>h</th></tr><tr><td>1</td><td rowspan='x'>2</td></tr></table>",
            "<table><tbody><tr><th colspan=\"2\">h</th></tr><tr><td>1</td><td>2</td></tr></tbody></table>",
        );
        check("<div>a<div>b</div>c</div>", "<p>a</p><p>b</p><p>c</p>");
        check("<pre>a<br>b<script>c</script></pre>", "<pre>a\nb</pre>");
    }
}
