//! The running text of an item: its body or caption, and the footer.

use crate::error::Fault;
use crate::html::{Markup, Run, enriched, paragraphs, plain};
use crate::item::Item;
use crate::xml::Element;

/// The body with the footer behind it, as markup: `body_html` of stories, `description` of captioned media, else nothing.
///
/// Where spaces are meant (`format` is `preserved`), line ends become CR LF and each `br` becomes one; other tags stay.
pub(crate) fn with_footer(item: Item<'_>) -> Result<String, Fault> {
    let body = match item.kind() {
        Some(kind) if kind.is_story() => item.text("body_html").replacen("<br>", "<br/>", 1),
        Some(kind) if kind.is_captioned() => item.text("description").to_owned(),
        _ => String::new(),
    };
    append_footer(item, body)
}

/// Puts the footer behind a text that is not empty.
pub(crate) fn append_footer(item: Item<'_>, mut body: String) -> Result<String, Fault> {
    if body.is_empty() {
        return Ok(body);
    }
    let footer = item.text("body_footer");
    if is_preserved(item) {
        body = body.replace('\n', "\r\n").replace("\r\r", "\r");
        for tag in ["<br>", "<br/>", "<br />"] {
            body = body.replace(tag, "\r\n");
        }
        if !footer.is_empty() {
            body.push_str("\r\n");
            body.push_str(&plain("body_footer", footer)?);
        }
    } else {
        body.push_str(footer);
    }
    Ok(body)
}

pub(crate) fn is_preserved(item: Item<'_>) -> bool {
    item.text("format") == "preserved"
}

/// How a body is written in XML.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Paragraphs of plain text.
    Plain,
    /// With the inline markup, lists and tables that NITF has.
    Enriched,
}

/// The body as elements of NITF's `body.content`.
pub(crate) fn content(item: Item<'_>, style: Style) -> Result<Vec<Element>, Fault> {
    let html = with_footer(item)?;
    if html.is_empty() {
        return Ok(Vec::new());
    }
    let markup = Markup::parse("body_html", &html)?;
    if is_preserved(item) {
        return Ok(vec![Element::leaf("pre", markup.text())]);
    }
    Ok(match style {
        Style::Plain => plain_paragraphs(&markup),
        Style::Enriched => enriched(&markup),
    })
}

/// `p` elements of plain text; never none when there is markup at all.
pub(crate) fn plain_paragraphs(markup: &Markup) -> Vec<Element> {
    let found: Vec<Element> = paragraphs(markup).into_iter().map(paragraph).collect();
    if found.is_empty() { vec![Element::leaf("p", markup.text())] } else { found }
}

fn paragraph(runs: Vec<Run>) -> Element {
    let mut out = Element::new("p");
    for run in runs {
        match run {
            Run::Text(text) => out.push_text(&text),
            Run::Break => out.push(Element::new("br")),
        }
    }
    out
}

/// `Legal: ` before the slugline of an item with legal trouble.
pub(crate) fn legal_slugline(item: Item<'_>) -> String {
    let slugline = item.scalar("slugline");
    if item.flag("marked_for_legal") { format!("Legal: {slugline}") } else { slugline }
}
