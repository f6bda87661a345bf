//! The blocks of a story: what gets a text frame of its own.

use super::style::{self, Style};
use crate::error::Fault;
use crate::html::{Markup, MarkupNode, is_block, is_hidden, name_of, rows, safe_address};
use crate::limits::LIST_MAX;
use scraper::Node;

/// What stands in one frame.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Block {
    /// One paragraph.
    Text { style: &'static Style, spans: Vec<Span> },
    /// One paragraph for each item.
    List { style: &'static Style, items: Vec<Vec<Span>> },
    /// Rows of cells, all of the same number.
    Table { rows: Vec<Vec<Vec<Span>>>, columns: usize },
}

/// A run of text that looks the same.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Span {
    /// `\n` is a break within the paragraph.
    pub(super) text: String,
    pub(super) look: Look,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Look {
    pub(super) is_bold: bool,
    pub(super) is_italic: bool,
    pub(super) is_underlined: bool,
    /// Address of a link, empty for none.
    pub(super) link: String,
}

/// Headline and byline if there are any, then the body.
pub(super) fn blocks(headline: &str, byline: &str, markup: &Markup) -> Result<Vec<Block>, Fault> {
    let mut out = Collector::default();
    for (style, text) in [(&style::HEADLINE, headline), (&style::BYLINE, byline)] {
        if !text.is_empty() {
            let spans = vec![Span { text: text.to_owned(), look: Look::default() }];
            out.done.push(Block::Text { style, spans });
        }
    }
    markup.nodes().for_each(|node| out.visit(node));
    out.end_loose();
    if out.cells > LIST_MAX || out.done.len() > LIST_MAX {
        return Err(Fault::too_large(
            "body_html",
            format!("must not have more than {LIST_MAX} blocks or cells"),
        ));
    }
    Ok(out.done)
}

#[derive(Default)]
struct Collector {
    done: Vec<Block>,
    loose: Vec<Span>,
    cells: usize,
}

impl Collector {
    fn visit(&mut self, node: MarkupNode<'_>) {
        let Node::Element(element) = node.value() else {
            return spans_into(&mut self.loose, node, &Look::default());
        };
        let style = match element.name() {
            name if is_hidden(name) => return,
            "p" => &style::NORMAL,
            "h1" => &style::HEADING_1,
            "h2" => &style::HEADING_2,
            "h3" => &style::HEADING_3,
            "h4" => &style::HEADING_4,
            "h5" => &style::HEADING_5,
            "h6" => &style::HEADING_6,
            "blockquote" => &style::BLOCKQUOTE,
            "pre" => &style::PREFORMATTED,
            "ul" => return self.push_list(&style::UNORDERED_LIST, node),
            "ol" => return self.push_list(&style::ORDERED_LIST, node),
            "table" => return self.push_table(node),
            name if is_block(name) => {
                self.end_loose();
                node.children().for_each(|child| self.visit(child));
                return self.end_loose();
            }
            _ => return spans_into(&mut self.loose, node, &Look::default()),
        };
        self.end_loose();
        let spans = spans(node);
        if !is_blank(&spans) {
            self.done.push(Block::Text { style, spans });
        }
    }

    fn push_list(&mut self, style: &'static Style, node: MarkupNode<'_>) {
        self.end_loose();
        let items = node.children().filter(|child| name_of(*child) == "li").map(spans);
        let items: Vec<_> = items.filter(|spans| !is_blank(spans)).collect();
        if !items.is_empty() {
            self.done.push(Block::List { style, items });
        }
    }

    fn push_table(&mut self, node: MarkupNode<'_>) {
        self.end_loose();
        // Rows of a table inside are text of its cell.
        let cell = |child: &MarkupNode<'_>| matches!(name_of(*child), "td" | "th");
        let mut rows: Vec<Vec<_>> = rows(node)
            .map(|row| row.children().filter(cell).map(spans).collect())
            .filter(|row: &Vec<_>| !row.is_empty())
            .collect();
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        self.cells = self.cells.saturating_add(columns.saturating_mul(rows.len()));
        if rows.is_empty() || self.cells > LIST_MAX {
            return;
        }
        rows.iter_mut().for_each(|row| row.resize(columns, Vec::new()));
        self.done.push(Block::Table { rows, columns });
    }

    /// Text outside of blocks is a paragraph.
    fn end_loose(&mut self) {
        let spans = std::mem::take(&mut self.loose);
        if !is_blank(&spans) {
            self.done.push(Block::Text { style: &style::NORMAL, spans });
        }
    }
}

fn is_blank(spans: &[Span]) -> bool {
    spans.iter().all(|span| span.text.trim().is_empty())
}

fn spans(node: MarkupNode<'_>) -> Vec<Span> {
    let mut out = Vec::new();
    node.children().for_each(|child| spans_into(&mut out, child, &Look::default()));
    out
}

fn spans_into(out: &mut Vec<Span>, node: MarkupNode<'_>, look: &Look) {
    let element = match node.value() {
        Node::Text(text) if node.ancestors().any(|above| name_of(above) == "pre") => {
            return push(out, text, look);
        }
        // A line end of the markup is a space to its readers.
        Node::Text(text) => return push(out, &text.replace(['\r', '\n'], " "), look),
        Node::Element(element) => element,
        _ => return,
    };
    let mut look = look.clone();
    match element.name() {
        name if is_hidden(name) => return,
        "br" => return push(out, "\n", &look),
        "b" | "strong" => look.is_bold = true,
        "i" | "em" => look.is_italic = true,
        "u" => look.is_underlined = true,
        "a" => look.link = safe_address(element.attr("href").unwrap_or_default()).to_owned(),
        name if is_block(name) && out.last().is_some_and(|last| !last.text.ends_with('\n')) => {
            push(out, "\n", &Look::default());
        }
        _ => {}
    }
    node.children().for_each(|child| spans_into(out, child, &look));
}

fn push(out: &mut Vec<Span>, text: &str, look: &Look) {
    match out.last_mut() {
        Some(last) if last.look == *look => last.text.push_str(text),
        _ => out.push(Span { text: text.to_owned(), look: look.clone() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn texts(html: &str) -> Vec<String> {
        let markup = Markup::parse("body_html", html).unwrap();
        let text = |spans: &Vec<Span>| spans.iter().map(|span| span.text.as_str()).collect::<String>();
        let of = |block: Block| match block {
            Block::Text { spans, .. } => text(&spans),
            Block::List { items, .. } => items.iter().map(text).collect::<Vec<_>>().join("|"),
            Block::Table { rows, .. } => rows.iter().flatten().map(text).collect::<Vec<_>>().join("|"),
        };
        blocks("", "", &markup).unwrap().into_iter().map(of).collect()
    }

    #[test]
    fn nothing_is_written_twice() {
        let html = "<table><tr><td>a<table><tr><td>b</td></tr></table></td><td>c</td></tr></table>";
        assert_eq!(texts(html), ["a\nb|c"]);
        assert_eq!(texts("<ul><li>a</li><li>b</li></ul>tail<p>p</p>"), ["a|b", "tail", "p"]);
    }

    #[test]
    fn lines_end_where_readers_see_it() {
        assert_eq!(texts("<p>a\nb<br>c</p><pre>d\ne</pre>"), ["a b\nc", "d\ne"]);
    }

    #[test]
    fn links_that_act_lead_nowhere() {
        let markup = Markup::parse("body_html", "<p><a href='javascript:x()'>a</a></p>").unwrap();
        let Some(Block::Text { spans, .. }) = blocks("", "", &markup).unwrap().pop() else { panic!() };
        assert_eq!(spans[0].look.link, "");
    }
}
