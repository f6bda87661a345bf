//! Running text of NITF or XHTML as the markup of an item.
//!
//! Elements that HTML has keep their names, those of NITF get the ones that formats write them from; all others are
//! unwrapped. What is left is cleaned like all markup.

use super::{Element, Node};

/// The children of a body.
pub(crate) fn html(body: &Element) -> String {
    let mut out = String::new();
    body.children.iter().for_each(|node| write(node, &mut out));
    out.trim().to_owned()
}

fn write(node: &Node, out: &mut String) {
    let element = match node {
        Node::Text(text) => return escape_into(text, out),
        Node::Element(element) => element,
    };
    let inner = |out: &mut String| element.children.iter().for_each(|node| write(node, out));
    let Some(name) = name_of(element) else { return inner(out) };
    if name.is_empty() {
        return;
    }
    out.push('<');
    out.push_str(name);
    for attribute in attributes_of(name) {
        let value = element.attr(attribute);
        if !value.is_empty() {
            out.push_str(&format!(" {attribute}=\""));
            out.push_str(&value.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;"));
            out.push('"');
        }
    }
    out.push('>');
    if matches!(name, "br" | "hr" | "img") {
        return;
    }
    inner(out);
    out.push_str(&format!("</{name}>"));
}

/// The element of HTML; none: its content stands alone; empty: nothing of it does.
fn name_of(element: &Element) -> Option<&'static str> {
    const SAME: [&str; 39] = [
        "p",
        "br",
        "a",
        "b",
        "i",
        "u",
        "em",
        "strong",
        "sub",
        "sup",
        "ul",
        "ol",
        "li",
        "dl",
        "dt",
        "dd",
        "table",
        "thead",
        "tbody",
        "tfoot",
        "tr",
        "td",
        "th",
        "caption",
        "pre",
        "blockquote",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "img",
        "figure",
        "figcaption",
        "cite",
        "q",
        "s",
    ];
    match element.name.as_str() {
        "script" | "style" | "media" | "head" | "iframe" | "object" | "embed" | "note" => Some(""),
        "hl1" | "hl2" => Some("h2"),
        "bq" => Some("blockquote"),
        "em" => Some(match element.attr("class") {
            "bold" => "b",
            "italic" => "i",
            "underscore" => "u",
            _ => "em",
        }),
        name => SAME.into_iter().find(|same| *same == name),
    }
}

fn attributes_of(name: &str) -> &'static [&'static str] {
    match name {
        "a" => &["href", "title"],
        "img" => &["src", "alt"],
        "td" | "th" => &["colspan", "rowspan"],
        _ => &[],
    }
}

/// A text as it stands between tags.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    escape_into(text, &mut out);
    out
}

fn escape_into(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::read;

    #[test]
    fn nitf_becomes_html() {
        let body = "<body.content><hl2>T &amp; U</hl2><p>A <em class='bold'>b</em> <em>c</em> <person>Ada</person>\
            <br/><a href='https://example.com/?a=1&amp;b=2' onclick='x'>l</a></p><media><p>x</p></media>\
            <bq><block><p>q</p></block></bq><script>x</script></body.content>";
        assert_eq!(
            html(&read(body).unwrap()),
            "<h2>T &amp; U</h2><p>A <b>b</b> <em>c</em> Ada<br>\
             <a href=\"https://example.com/?a=1&amp;b=2\">l</a></p><blockquote><p>q</p></blockquote>"
        );
    }
}
